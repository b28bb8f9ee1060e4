//! Files that hold secrets: made whole or not at all, and for nobody else to read.
//!
//! A file is written beside its place, synced, renamed, and its folder synced. A
//! secret that others can read is refused, not quietly closed: who has read it
//! meanwhile is not for us to guess.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// A file only its owner may read.
pub const SECRET: u32 = 0o600;
/// A file anybody may read who can reach it.
pub const PUBLIC: u32 = 0o644;
/// A folder only its owner may enter.
const FOLDER: u32 = 0o700;
/// What others may do with a file or folder.
const OTHERS: u32 = 0o077;
/// No key or certificate chain comes near this.
const MAX_BYTES: u64 = 256 * 1024;

/// What went wrong with a file, which one, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system said no.
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others can read it.
    #[error(
        "{} is open to other users (mode {mode:04o}, {wanted:04o} is wanted); if nobody has read it, run: chmod {wanted:o} '{}'",
        path.display(), path.display()
    )]
    TooOpen {
        /// Which file or folder.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// What it should be.
        wanted: u32,
    },
    /// There is nothing in it.
    #[error("{} is empty; restore it from a backup", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
    /// It is no text, or far longer than what belongs there.
    #[error("{} is not a text of at most {MAX_BYTES} bytes; restore it from a backup", path.display())]
    NoText {
        /// Which file.
        path: PathBuf,
    },
}

impl FileError {
    /// Names what was tried with which path.
    pub fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { doing, path, source }
    }

    /// Whether the reason is that there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a text that others may know.
///
/// # Errors
///
/// When it is missing, unreadable, empty, too long or no text.
pub fn read_public(path: &Path) -> Result<Zeroizing<String>, FileError> {
    read(path, 0)
}

/// Reads a text that only its owner may know.
///
/// # Errors
///
/// As [`read_public`], and when others may read the file.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, FileError> {
    read(path, OTHERS)
}

/// Puts a file in its place, or leaves what was there.
///
/// # Errors
///
/// When the system does not let us; the old file is then still there.
pub fn write(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    remove_if_there(&beside)?;
    let placed = write_new(&beside, text, mode)
        .and_then(|()| fs::rename(&beside, path).map_err(FileError::io("put in place", path)));
    if placed.is_err() {
        // Half a file is of no use, and its space may be just what is missing.
        drop(fs::remove_file(&beside));
    }
    placed?;
    sync_folder(folder)
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), FileError> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(FileError::io("create", path))?;
    file.write_all(text.as_bytes()).map_err(FileError::io("write", path))?;
    file.sync_all().map_err(FileError::io("sync", path))
}

/// Makes a folder, whole or not at all: `fill` puts files into one beside it, which
/// then takes its place. An empty folder that is already there is replaced.
///
/// # Errors
///
/// When the system does not let us, or what `fill` says.
pub fn make_folder<E: From<FileError>>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), E> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    if beside.exists() {
        // Left by a start that was cut short; nothing in it was ever used.
        fs::remove_dir_all(&beside).map_err(FileError::io("remove", &beside))?;
    }
    DirBuilder::new().mode(FOLDER).create(&beside).map_err(FileError::io("create", &beside))?;
    fill(&beside)?;
    sync_folder(&beside)?;
    fs::rename(&beside, path).map_err(FileError::io("put in place", path))?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))?;
    Ok(())
}

/// Whether there is a folder with something in it.
///
/// # Errors
///
/// When it cannot be looked into, or when others may.
pub fn is_filled(folder: &Path) -> Result<bool, FileError> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(FileError::io("open", folder)(error)),
    };
    if entries.count() == 0 {
        return Ok(false);
    }
    let metadata = fs::metadata(folder).map_err(FileError::io("look at", folder))?;
    check_mode(folder, metadata.permissions().mode(), OTHERS, FOLDER)?;
    Ok(true)
}

/// Removes a file; that it is gone already is fine.
///
/// # Errors
///
/// When the system does not let us.
pub fn remove_if_there(path: &Path) -> Result<(), FileError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(FileError::io("remove", path)(error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn read(path: &Path, closed_to: u32) -> Result<Zeroizing<String>, FileError> {
    let file = File::open(path).map_err(FileError::io("open", path))?;
    let metadata = file.metadata().map_err(FileError::io("look at", path))?;
    check_mode(path, metadata.permissions().mode(), closed_to, SECRET)?;
    let mut text = Zeroizing::new(String::new());
    match file.take(MAX_BYTES + 1).read_to_string(&mut text) {
        Ok(0) => Err(FileError::Empty { path: path.to_owned() }),
        Ok(bytes) if u64::try_from(bytes).is_ok_and(|bytes| bytes <= MAX_BYTES) => Ok(text),
        Ok(_) => Err(FileError::NoText { path: path.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            Err(FileError::NoText { path: path.to_owned() })
        }
        Err(error) => Err(FileError::io("read", path)(error)),
    }
}

fn check_mode(path: &Path, mode: u32, closed_to: u32, wanted: u32) -> Result<(), FileError> {
    if mode & closed_to == 0 {
        Ok(())
    } else {
        Err(FileError::TooOpen { path: path.to_owned(), mode: mode & 0o7777, wanted })
    }
}

fn sync_folder(folder: &Path) -> Result<(), FileError> {
    // The folder of a plain file name is the one we are in.
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder).and_then(|file| file.sync_all()).map_err(FileError::io("sync", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_secret_is_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        write(&path, "s", SECRET).unwrap();
        assert_eq!(mode(&path), 0o600);
        assert_eq!(read_secret(&path).unwrap().as_str(), "s");
        for open in [0o640, 0o604, 0o644, 0o666, 0o610] {
            fs::set_permissions(&path, fs::Permissions::from_mode(open)).unwrap();
            let error = read_secret(&path).unwrap_err().to_string();
            let remedy = format!("chmod 600 '{}'", path.display());
            assert!(error.contains(&remedy) && error.contains(&format!("{open:04o}")), "{error}");
            assert_eq!(read_public(&path).unwrap().as_str(), "s");
        }
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(folder.path().join("a.tmp"), "left by a crash").unwrap();
        write(&path, "one", PUBLIC).unwrap();
        write(&path, "two", PUBLIC).unwrap();
        assert_eq!(read_public(&path).unwrap().as_str(), "two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_text_is_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        assert!(read_public(&path).unwrap_err().is_missing());
        for (bytes, word) in [
            (vec![], "empty"),
            (vec![0xff, 0xfe], "not a text"),
            (vec![b'a'; 300_000], "not a text"),
        ] {
            fs::write(&path, bytes).unwrap();
            let error = read_public(&path).unwrap_err();
            assert!(error.to_string().contains(word) && !error.is_missing(), "{error}");
        }
    }

    #[test]
    fn a_folder_appears_filled_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let failed: Result<(), FileError> = make_folder(&path, |beside| {
            write(&beside.join("a"), "a", SECRET)?;
            Err(FileError::Empty { path: beside.to_owned() })
        });
        assert!(failed.is_err() && !path.exists() && !is_filled(&path).unwrap());
        // Not even an empty folder stands in the way.
        fs::create_dir(&path).unwrap();
        assert!(!is_filled(&path).unwrap());
        make_folder(&path, |beside| write(&beside.join("b"), "b", SECRET)).unwrap();
        assert!(is_filled(&path).unwrap());
        assert_eq!(mode(&path), 0o700);
        let names: Vec<_> =
            fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["b"]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(is_filled(&path).unwrap_err().to_string().contains("chmod 700"));
    }
}
