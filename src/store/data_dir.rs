//! The data directory: who may read it, which process has it, where things lie in it.
//!
//! Folders are made with mode 0700 and files with 0600. The file `lock` is held for as
//! long as a [`DataDir`] lives, so no two processes share a folder. The file `format`
//! names the format of the whole, so that a newer one is refused before anything in it
//! is touched. A refusal changes nothing on disk.

use super::StoreError;
use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The format of data directories this build makes, and the newest it opens.
const FORMAT: u16 = 1;

/// What the file `format` says before the number.
const TITLE: &str = "dossier-data format=";

/// The ending of a file that is still being written.
pub const UNFINISHED: &str = ".tmp";

/// A data directory that belongs to this process.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

/// What [`DataDir::open`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// True if there was no data directory before.
    pub is_new: bool,
    /// Folders that others than their owner can enter; worth a warning.
    pub open_to_others: Vec<OpenToOthers>,
}

/// A folder with secrets in it that others than its owner can enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenToOthers {
    /// The folder.
    pub path: PathBuf,
    /// Its permission bits.
    pub mode: u32,
}

impl fmt::Display for OpenToOthers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, mode) = (self.path.display(), self.mode);
        write!(
            f,
            "{path} has mode {mode:04o} and holds secrets, 0700 is wanted; run `chmod 700 {path}`"
        )
    }
}

impl DataDir {
    /// Opens the data directory at `path`, or makes one, and keeps others out of it.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when a process has it, [`StoreError::Newer`] when a newer build made
    /// it, [`StoreError::Damaged`] when it holds data but does not say of which format.
    pub fn open(path: &Path) -> Result<(Self, Created), StoreError> {
        make_folder(path)?;
        let is_new = !has_format(path)?;
        let lock = lock(path)?;
        let dir = Self { root: path.to_owned(), _lock: lock };
        for folder in [dir.keys(), dir.tls()] {
            make_folder(&folder)?;
        }
        if is_new {
            dir.make_folders()?;
            write_private(&format_file(path), format!("{TITLE}{FORMAT}\n").as_bytes())?;
        }
        let folders = [dir.root.clone(), dir.journal(), dir.snapshots(), dir.keys(), dir.tls()];
        let mut open_to_others = Vec::new();
        for folder in folders.into_iter().filter(|folder| folder.exists()) {
            open_to_others.extend(openness(folder)?);
        }
        Ok((dir, Created { is_new, open_to_others }))
    }

    /// Takes the data directory at `path` to look at it, or to repair it, and makes nothing in it but
    /// the file that locks it.
    ///
    /// # Errors
    /// As [`Self::open`], and when there is none.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        if !has_format(path)? {
            let format = format_file(path);
            let source = io::Error::from(io::ErrorKind::NotFound);
            return Err(StoreError::io(&format, "open", source));
        }
        Ok(Self { root: path.to_owned(), _lock: lock(path)? })
    }

    /// Makes the folders of journal and snapshots where they are missing. Whoever finds them missing
    /// in a folder that is not new has looked first whether something was in them.
    ///
    /// # Errors
    /// What the system refused.
    pub fn make_folders(&self) -> Result<(), StoreError> {
        for folder in [self.journal(), self.snapshots()] {
            make_folder(&folder)?;
        }
        Ok(())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of the journal.
    pub fn journal(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Where the history lies.
    pub fn history(&self) -> PathBuf {
        self.root.join("history")
    }

    /// The folder of the snapshots.
    pub fn snapshots(&self) -> PathBuf {
        self.root.join("snapshots")
    }

    /// The folder of the keys tokens are signed with.
    pub fn keys(&self) -> PathBuf {
        self.root.join("keys")
    }

    /// The folder of the certificates of the TLS listener.
    pub fn tls(&self) -> PathBuf {
        self.root.join("tls")
    }

    /// What repairs kept beside journal and snapshots, by its place in the folder: an operator's to
    /// look into, and to remove.
    ///
    /// # Errors
    /// What the system refused.
    pub fn copies(&self) -> Result<Vec<String>, StoreError> {
        let mut copies = Vec::new();
        for (name, folder) in [("journal", self.journal()), ("snapshots", self.snapshots())] {
            let files = list(&folder)?.into_iter().filter(|file| file.contains(".broken"));
            copies.extend(files.map(|file| format!("{name}/{file}")));
        }
        Ok(copies)
    }

    /// The file that names the snapshots that count.
    pub fn manifest(&self) -> PathBuf {
        self.root.join("MANIFEST")
    }
}

/// Puts a file with these bytes in its place, whole or not at all, readable by its owner only.
///
/// It is written beside its place, synced, renamed, and the folder synced: after a crash the
/// place holds either the old bytes or the new ones.
///
/// # Errors
/// What the system refused; the old file is then still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let beside = unfinished(path);
    let written = create_private(&beside).and_then(|mut file| {
        file.write_all(bytes).map_err(|error| StoreError::io(&beside, "write", error))?;
        file.sync_all().map_err(|error| StoreError::io(&beside, "sync", error))
    });
    put_in_place(&beside, path, written)
}

/// Renames a finished file to its place and syncs the folder; removes it if it came to nothing.
pub(super) fn put_in_place(
    beside: &Path,
    path: &Path,
    written: Result<(), StoreError>,
) -> Result<(), StoreError> {
    let renamed = written.and_then(|()| {
        fs::rename(beside, path).map_err(|error| StoreError::io(path, "rename to", error))
    });
    if renamed.is_err() {
        // Best effort: what stays is a leftover under a name nobody reads.
        drop(fs::remove_file(beside));
    }
    renamed?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Creates an empty file that only its owner can read, in place of one a crash left.
pub(super) fn create_private(path: &Path) -> Result<File, StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(StoreError::io(path, "remove", error));
        }
        Ok(()) | Err(_) => {}
    }
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| StoreError::io(path, "create", error))
}

/// The name a file has until it is finished.
pub(super) fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    PathBuf::from(name)
}

/// Makes the names in a folder durable.
///
/// # Errors
/// What the system refused.
pub fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| StoreError::io(path, "sync", error))
}

/// The names of the files in a folder, sorted.
///
/// # Errors
/// What the system refused.
pub fn list(path: &Path) -> Result<Vec<String>, StoreError> {
    let read = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    };
    read().map_err(|error| StoreError::io(path, "list", error))
}

/// Makes a folder, and the folders above it, and makes all of that durable.
fn make_folder(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let missing =
        path.ancestors().take_while(|above| !above.as_os_str().is_empty() && !above.exists());
    let missing: Vec<&Path> = missing.collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| StoreError::io(path, "create", error))?;
    for made in missing {
        match made.parent() {
            Some(above) if !above.as_os_str().is_empty() => sync_folder(above)?,
            Some(_) => sync_folder(Path::new("."))?,
            None => {}
        }
    }
    Ok(())
}

fn format_file(root: &Path) -> PathBuf {
    root.join("format")
}

/// Whether the folder says its format, and it is one we know; an empty folder says none.
fn has_format(root: &Path) -> Result<bool, StoreError> {
    refuse_odd(root)?;
    let path = format_file(root);
    let damaged = |reason: &str| StoreError::Damaged {
        path: path.clone(),
        offset: 0,
        reason: reason.to_owned(),
    };
    let text = match fs::read(&path) {
        Ok(bytes) => String::from_utf8(bytes).map_err(|_| damaged("it is not text"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return if holds_data(root)? {
                Err(damaged("it is missing, although the folder holds data"))
            } else {
                Ok(false)
            };
        }
        Err(error) => return Err(StoreError::io(&path, "read", error)),
    };
    let number = text.strip_prefix(TITLE).and_then(|rest| rest.strip_suffix('\n'));
    match number.and_then(|number| number.parse::<u16>().ok()) {
        Some(FORMAT) => Ok(true),
        Some(found) if found > FORMAT => Err(StoreError::Newer { path, found, known: FORMAT }),
        Some(_) | None => Err(damaged("it does not name the format of a data directory")),
    }
}

/// Refuses what is no file where files are read, and no folder where they lie: reading a pipe waits
/// for ever, and what the system says of a folder names no remedy.
fn refuse_odd(root: &Path) -> Result<(), StoreError> {
    let mut files: Vec<PathBuf> =
        ["format", "lock", "MANIFEST", "SYNCED", "REPAIRED", "admin-client.json"]
            .map(|name| root.join(name))
            .into();
    let damaged = |path: PathBuf, reason: &str| {
        Err(StoreError::Damaged { path, offset: 0, reason: reason.to_owned() })
    };
    for folder in ["journal", "snapshots", "keys", "tls"].map(|name| root.join(name)) {
        if folder.is_dir() {
            files.extend(list(&folder)?.into_iter().map(|name| folder.join(name)));
        } else if folder.exists() {
            return damaged(folder, "it is no folder; move it away and put the folder back");
        }
    }
    for path in files {
        let Ok(found) = fs::metadata(&path) else { continue };
        if found.is_dir() && is_for_a_file(&path, root) {
            return damaged(path, "it is a folder; move it away and put the file back");
        }
        if !found.is_dir() && !found.is_file() {
            return damaged(path, "it is a pipe, a socket or a device; put the file back");
        }
    }
    Ok(())
}

/// Whether a place is a file's and nobody can go on without it. The list of snapshots can be made
/// anew, a snapshot has one before it, and who else lays folders beside them may.
fn is_for_a_file(path: &Path, root: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let name = path.file_name().and_then(|name| name.to_str());
    let is_in_root = path.parent() == Some(root);
    match name {
        Some("MANIFEST") => !is_in_root,
        Some("HIGHWATER") => true,
        _ => is_in_root || matches!(ending, Some("seg" | "new" | "pem" | "toml")),
    }
}

/// Whether there is anything a start with an empty state would hide.
fn holds_data(root: &Path) -> Result<bool, StoreError> {
    for folder in ["journal", "snapshots"] {
        if has_files(&root.join(folder))? {
            return Ok(true);
        }
    }
    Ok(["MANIFEST", "SYNCED", "admin-client.json"].iter().any(|name| root.join(name).exists()))
}

/// Whether a folder is there and not empty.
///
/// # Errors
/// What the system refused.
pub fn has_files(path: &Path) -> Result<bool, StoreError> {
    match fs::read_dir(path) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io(path, "list", error)),
    }
}

/// How often a lock that is held is tried again. Its holder may be just ending, or be a child of it
/// that has not become another program yet and lets go then.
const LOCK_TRIES: u32 = 20;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

#[expect(clippy::disallowed_methods, reason = "a file lock cannot be waited for with a limit")]
fn lock(root: &Path) -> Result<File, StoreError> {
    let path = root.join("lock");
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(|error| StoreError::io(&path, "open", error))?;
    let mut left = LOCK_TRIES;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if left > 0 => {
                left -= 1;
                std::thread::sleep(LOCK_PAUSE);
            }
            Err(TryLockError::WouldBlock) => return Err(StoreError::Locked(root.to_owned())),
            Err(TryLockError::Error(error)) => return Err(StoreError::io(&path, "lock", error)),
        }
    }
}

fn openness(path: PathBuf) -> Result<Option<OpenToOthers>, StoreError> {
    let metadata = fs::metadata(&path).map_err(|error| StoreError::io(&path, "look at", error))?;
    let mode = metadata.permissions().mode() & 0o7777;
    Ok((mode & 0o077 != 0).then_some(OpenToOthers { path, mode }))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A data directory of a test's own.
    pub(in crate::store) fn fresh() -> (tempfile::TempDir, DataDir) {
        let place = tempfile::tempdir().unwrap();
        let (dir, _) = DataDir::open(&place.path().join("data")).unwrap();
        (place, dir)
    }

    pub(in crate::store) fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_folder_is_private_down_to_its_last_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("deep/er/data");
        let (dir, created) = DataDir::open(&path).unwrap();
        assert_eq!(created, Created { is_new: true, open_to_others: Vec::new() });
        for folder in [dir.root(), &dir.journal(), &dir.snapshots(), &dir.keys(), &dir.tls()] {
            assert_eq!(mode(folder), 0o700, "{}", folder.display());
        }
        for file in ["lock", "format"] {
            assert_eq!(mode(&path.join(file)), 0o600, "{file}");
        }
    }

    #[test]
    fn an_existing_folder_opens_again_and_is_not_new() {
        let (_place, dir) = fresh();
        let path = dir.root().to_owned();
        drop(dir);
        assert_eq!(DataDir::open(&path).unwrap().1, Created::default());
    }

    #[test]
    fn an_empty_folder_made_by_someone_else_is_a_new_one() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("lost+found")).unwrap();
        assert!(DataDir::open(place.path()).unwrap().1.is_new);
    }

    #[test]
    fn a_folder_is_opened_by_one_at_a_time() {
        let (_place, dir) = fresh();
        let path = dir.root().to_owned();
        assert!(matches!(DataDir::open(&path), Err(StoreError::Locked(held)) if held == path));
        drop(dir);
        DataDir::open(&path).unwrap();
    }

    #[test]
    fn a_folder_open_to_others_is_told_with_its_remedy() {
        let (_place, dir) = fresh();
        let path = dir.root().to_owned();
        drop(dir);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(path.join("keys"), fs::Permissions::from_mode(0o710)).unwrap();
        let (_dir, created) = DataDir::open(&path).unwrap();
        let [first, second] = created.open_to_others.as_slice() else { panic!("{created:?}") };
        assert_eq!((&first.path, first.mode), (&path, 0o755));
        assert_eq!((&second.path, second.mode), (&path.join("keys"), 0o710));
        assert!(first.to_string().contains("mode 0755"), "{first}");
        assert!(first.to_string().contains("chmod 700"), "{first}");
    }

    #[test]
    fn a_folder_of_a_newer_build_is_refused_by_number_and_left_alone() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("format"), "dossier-data format=2\n").unwrap();
        let error = DataDir::open(place.path()).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
        assert_eq!(list(place.path()).unwrap(), ["format"]);
    }

    #[test]
    fn a_format_file_that_says_nothing_is_refused() {
        for text in
            ["", "dossier-data format=", "dossier-data format=0\n", "dossier-data format=1", "1\n"]
        {
            let place = tempfile::tempdir().unwrap();
            fs::write(place.path().join("format"), text).unwrap();
            let error = DataDir::open(place.path()).unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "{text:?}: {error}");
        }
    }

    #[test]
    fn data_without_a_format_is_refused_and_not_taken_for_a_new_folder() {
        for file in ["MANIFEST", "journal/x", "snapshots/0-1.snap"] {
            let (_place, dir) = fresh();
            let path = dir.root().to_owned();
            fs::write(path.join(file), "x").unwrap();
            fs::remove_file(path.join("format")).unwrap();
            drop(dir);
            assert!(matches!(DataDir::open(&path), Err(StoreError::Damaged { .. })), "{file}");
        }
    }

    #[test]
    fn a_file_in_place_of_the_folder_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("file");
        fs::write(&path, "x").unwrap();
        assert!(matches!(DataDir::open(&path), Err(StoreError::Io { .. })));
    }

    #[test]
    fn a_private_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let (_place, dir) = fresh();
        let path = dir.keys().join("k");
        // What a crash left: wider open than allowed, and longer than what comes.
        fs::write(unfinished(&path), "left by a crash").unwrap();
        for bytes in ["one", "two"] {
            write_private(&path, bytes.as_bytes()).unwrap();
            assert_eq!(fs::read(&path).unwrap(), bytes.as_bytes());
            assert_eq!(mode(&path), 0o600);
            assert_eq!(list(&dir.keys()).unwrap(), ["k"]);
        }
    }

    #[test]
    fn a_private_file_that_cannot_take_its_place_leaves_the_old_one() {
        let (_place, dir) = fresh();
        let path = dir.keys().join("k");
        fs::create_dir_all(path.join("not empty")).unwrap();
        write_private(&path, b"new").unwrap_err();
        assert_eq!(list(&dir.keys()).unwrap(), ["k"]);
    }
}
