//! Space that is held for a full disk: a file of nothing, given back when no other is left.
//!
//! What must always fit then fits into it: removals, a snapshot, a clean end. It is there only
//! while a server runs, so a folder at rest, or a copy of it, is no larger for it.

use rustix::fs::{FallocateFlags, StatVfs};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// The name of the file.
const FILE: &str = "RESERVE";

/// On a small disk the reserve is one part of it in so many.
const LARGEST_PART: u64 = 16;

/// With less than one part in so many of the reserve, a disk is full.
const FULL_PART: u64 = 8;

/// The reserve of a data directory.
#[derive(Clone, Debug)]
pub struct Reserve {
    path: PathBuf,
    wanted_bytes: u64,
}

impl Reserve {
    /// The one below a data directory, of so many bytes; none are held yet.
    pub fn of(root: &Path, wanted_bytes: u64) -> Self {
        Self { path: root.join(FILE), wanted_bytes }
    }

    /// Holds it, if afterwards as much again is free: else it would have to be given back at once.
    ///
    /// # Errors
    /// When there is no such space; or the system refuses, or knows no way to hold space.
    pub fn hold(&self) -> io::Result<()> {
        let size = self.size_bytes()?;
        let held = File::create(&self.path).and_then(|file| {
            rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, 2 * size)?;
            file.set_len(size)
        });
        if held.is_err() {
            self.give_back()?;
        }
        held
    }

    /// Gives it back to the disk; so does the end of a server, and the next start what a crash left.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn give_back(&self) -> io::Result<()> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Whether next to nothing is free beside it.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn is_disk_full(&self) -> io::Result<bool> {
        let disk = self.disk()?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize) < self.size_bytes()? / FULL_PART)
    }

    fn size_bytes(&self) -> io::Result<u64> {
        let disk = self.disk()?;
        let all = disk.f_blocks.saturating_mul(disk.f_frsize);
        Ok(self.wanted_bytes.min(all / LARGEST_PART).max(1))
    }

    fn disk(&self) -> io::Result<StatVfs> {
        Ok(rustix::fs::statvfs(self.path.parent().unwrap_or(&self.path))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_large_as_wanted_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(folder.path(), 1 << 20);
        reserve.give_back().unwrap();
        reserve.hold().unwrap();
        let held = std::fs::metadata(folder.path().join(FILE)).unwrap();
        assert_eq!(held.len(), 1 << 20);
        assert!(!reserve.is_disk_full().unwrap());
        reserve.give_back().unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn what_does_not_fit_is_not_held_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::of(folder.path(), u64::MAX);
        // A sixteenth of the disk, twice: it fits, or nothing of it is left.
        let is_held = reserve.hold().is_ok();
        assert_eq!(folder.path().join(FILE).exists(), is_held);
        reserve.give_back().unwrap();
    }
}
