//! The folder of a journal, as far as an engine needs it.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

/// A folder. Names are relative to it and have no separators.
pub trait Disk: Send + Sync + std::fmt::Debug {
    /// Creates an empty file only its owner may read; what had the name before is emptied.
    ///
    /// # Errors
    /// What the operating system says.
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// What the operating system says.
    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>>;

    /// Reads a whole file.
    ///
    /// # Errors
    /// What the operating system says.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;

    /// The size of a file and up to `limit` bytes of its beginning.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_start(&self, name: &str, limit: usize) -> io::Result<(u64, Vec<u8>)>;

    /// Up to `size_bytes` bytes of a file from `offset` on; fewer where it ends.
    ///
    /// # Errors
    /// What the operating system says.
    fn read_part(&self, name: &str, offset: u64, size_bytes: usize) -> io::Result<Vec<u8>>;

    /// The names of all files.
    ///
    /// # Errors
    /// What the operating system says.
    fn list(&self) -> io::Result<Vec<String>>;

    /// Gives a file another name, replacing what had it. Durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// What the operating system says.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;

    /// Removes a file. Durable after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// What the operating system says.
    fn remove(&self, name: &str) -> io::Result<()>;

    /// Makes names durable.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_dir(&self) -> io::Result<()>;
}

/// An open file.
pub trait DiskFile: Send + Sync + std::fmt::Debug {
    /// Writes all of `bytes` at `offset`. After an error any part of them may be there.
    ///
    /// # Errors
    /// What the operating system says.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the contents and the size durable.
    ///
    /// # Errors
    /// What the operating system says.
    fn sync_data(&self) -> io::Result<()>;

    /// Takes space for `size_bytes` from `offset` on and reads as zeros there.
    ///
    /// # Errors
    /// What the operating system says; [`io::ErrorKind::Unsupported`] where it cannot be done.
    fn preallocate(&self, offset: u64, size_bytes: u64) -> io::Result<()>;

    /// Cuts the file to `size_bytes`.
    ///
    /// # Errors
    /// What the operating system says.
    fn truncate(&self, size_bytes: u64) -> io::Result<()>;
}

/// What is written ahead of the end of a file.
static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A real folder.
#[derive(Debug)]
pub struct OsDisk {
    folder: PathBuf,
}

impl OsDisk {
    /// Uses `folder`, and creates it (only its owner may look inside) if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be created or looked into.
    pub fn open(folder: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // The folder's own name must survive a power cut too, or everything in it goes with it.
        if let Some(parent) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { folder: folder.to_owned() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Disk for OsDisk {
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(self.path(name))?;
        Ok(Box::new(OsFile(file)))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = fs::OpenOptions::new().read(true).write(true).open(self.path(name))?;
        Ok(Box::new(OsFile(file)))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        fs::read(self.path(name))
    }

    fn read_start(&self, name: &str, limit: usize) -> io::Result<(u64, Vec<u8>)> {
        let file = File::open(self.path(name))?;
        let size_bytes = file.metadata()?.len();
        let mut start = Vec::new();
        file.take(u64::try_from(limit).unwrap_or(u64::MAX)).read_to_end(&mut start)?;
        Ok((size_bytes, start))
    }

    fn read_part(&self, name: &str, offset: u64, size_bytes: usize) -> io::Result<Vec<u8>> {
        // Up to what the file ends with *while it is read*: a segment that is being closed gives
        // back the space allocated ahead, so its size of a moment ago says nothing.
        let mut file = File::open(self.path(name))?;
        file.seek(SeekFrom::Start(offset))?;
        let mut part = Vec::with_capacity(size_bytes);
        file.take(u64::try_from(size_bytes).unwrap_or(u64::MAX)).read_to_end(&mut part)?;
        Ok(part)
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        fs::remove_file(self.path(name))
    }

    fn sync_dir(&self) -> io::Result<()> {
        File::open(&self.folder)?.sync_all()
    }
}

#[derive(Debug)]
struct OsFile(File);

impl DiskFile for OsFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn preallocate(&self, offset: u64, size_bytes: u64) -> io::Result<()> {
        rustix::fs::fallocate(&self.0, FallocateFlags::empty(), offset, size_bytes)?;
        // Space that was never written to must still be marked as written when it is, and a sync
        // waits for that mark. Zeros now make each later sync shorter by a third (ext4).
        let end = offset.saturating_add(size_bytes);
        let mut at = offset;
        while at < end {
            let left = usize::try_from(end - at).unwrap_or(usize::MAX);
            let zeros = ZEROS.get(..left).unwrap_or(&ZEROS);
            self.0.write_all_at(zeros, at)?;
            at = at.saturating_add(u64::try_from(zeros.len()).map_err(io::Error::other)?);
        }
        Ok(())
    }

    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_len(size_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn space_taken_ahead_reads_as_zeros_and_leaves_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(&folder.path().join("journal")).unwrap();
        let file = disk.create("x").unwrap();
        file.write_at(b"abc", 0).unwrap();
        match file.preallocate(3, 100_000) {
            Ok(()) => {
                let mut wanted = b"abc".to_vec();
                wanted.resize(100_003, 0);
                assert_eq!(disk.read("x").unwrap(), wanted);
                assert_eq!(disk.read_start("x", 4).unwrap(), (100_003, b"abc\0".to_vec()));
            }
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::Unsupported),
        }
        file.truncate(2).unwrap();
        assert_eq!(disk.read("x").unwrap(), b"ab");
    }

    #[test]
    fn a_part_of_a_file_that_grows_and_shrinks_meanwhile_is_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let disk = OsDisk::open(&folder.path().join("journal")).unwrap();
        let file = disk.create("x").unwrap();
        file.write_at(b"written", 0).unwrap();
        let is_done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_done.load(std::sync::atomic::Ordering::Relaxed) {
                    file.truncate(1 << 16).unwrap();
                    file.truncate(7).unwrap();
                }
            });
            for _ in 0..20_000 {
                let part = disk.read_part("x", 0, 1 << 20);
                is_done.store(part.is_err(), std::sync::atomic::Ordering::Relaxed);
                assert!(part.unwrap().starts_with(b"written"));
            }
            is_done.store(true, std::sync::atomic::Ordering::Relaxed);
        });
    }
}
