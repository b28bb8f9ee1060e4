//! The list of the snapshots that count.
//!
//! It is text: a line for the format, one for each snapshot, and one with the checksum of
//! all lines before it. What it names must be there; what lies beside it unnamed is what a
//! crash left. It makes a missing snapshot visible, which otherwise would look like an
//! older state, or like none. Of each tenant it names at most two snapshots: the newest,
//! and the one before it to fall back to.

use super::data_dir::{self, DataDir, UNFINISHED, write_private};
use super::format::TenantUid;
use super::{StoreError, snapshot};
use crate::domain::time::{Timestamp, Version};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::io;

/// The format of the list this build writes, and the newest it reads.
pub const FORMAT: u16 = 1;

/// How many snapshots of a tenant are kept.
pub const KEPT: usize = 2;

const TITLE: &str = "dossier-snapshots";

/// The snapshots that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The format of the list.
    pub format: u16,
    /// The snapshots of each tenant, newest first, one or two.
    pub tenants: BTreeMap<TenantUid, Vec<Entry>>,
}

/// One snapshot that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the folder of snapshots.
    pub file: String,
    /// The tenant's version at which collecting began.
    pub version: Version,
    /// The place in the journal behind which replay continues. It may be ahead of what the
    /// snapshot itself says, if the tenant has not changed since.
    pub lsn: u64,
    /// When collecting began.
    pub created: Timestamp,
    /// How many users it holds.
    pub users: u64,
    /// Its length.
    pub bytes: u64,
}

impl Default for Manifest {
    /// The list of a data directory in which nothing happened yet.
    fn default() -> Self {
        Self { format: FORMAT, tenants: BTreeMap::new() }
    }
}

impl Manifest {
    /// Reads the list; `None` in a data directory in which nothing happened yet.
    ///
    /// Whoever gets `None` stores an empty list *before* the journal begins.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it is not what was written, or missing beside a journal or
    /// snapshots; [`StoreError::Newer`] when a newer build wrote it.
    pub fn load(dir: &DataDir) -> Result<Option<Self>, StoreError> {
        let path = dir.manifest();
        let damaged =
            |reason: String| StoreError::Damaged { path: path.clone(), offset: 0, reason };
        match fs::read(&path) {
            Ok(bytes) => match decode(&bytes) {
                Ok(manifest) => Ok(Some(manifest)),
                Err(Flaw::Damaged(reason)) => Err(damaged(reason.to_owned())),
                Err(Flaw::Newer(found)) => Err(StoreError::Newer { path, found, known: FORMAT }),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                for folder in [dir.snapshots(), dir.journal()] {
                    if data_dir::has_files(&folder)? {
                        let there = folder.display();
                        return Err(damaged(format!(
                            "it is missing, although {there} is not empty; put it back"
                        )));
                    }
                }
                Ok(None)
            }
            Err(error) if error.kind() == io::ErrorKind::IsADirectory => {
                Err(damaged("it is a folder".to_owned()))
            }
            Err(error) => Err(StoreError::io(&path, "read", error)),
        }
    }

    /// Puts this list in the place of the one that is there, durably.
    ///
    /// # Errors
    /// What the system refused; the old list is then still there.
    pub fn store(&self, dir: &DataDir) -> Result<(), StoreError> {
        write_private(&dir.manifest(), self.encode().as_bytes())
    }

    /// The list with one more snapshot, and the files that then no longer count.
    ///
    /// Remove those only once the list is stored.
    #[must_use]
    pub fn with_snapshot(&self, uid: TenantUid, entry: Entry) -> (Self, Vec<String>) {
        let mut fresh = self.clone();
        let entries = fresh.tenants.entry(uid).or_default();
        entries.retain(|old| old.file != entry.file);
        entries.insert(0, entry);
        entries.sort_by_key(|entry| Reverse((entry.version, entry.lsn)));
        let dropped = entries.split_off(KEPT.min(entries.len()));
        (fresh, dropped.into_iter().map(|entry| entry.file).collect())
    }

    /// Whether this very snapshot counts, under whatever name it lies there.
    pub fn knows(&self, found: &snapshot::Summary) -> bool {
        let header = &found.header;
        self.of(header.uid).iter().any(|entry| {
            (entry.version, entry.created, entry.users, entry.bytes)
                == (header.version, header.created, found.users, found.bytes)
                && header.lsn <= entry.lsn
        })
    }

    /// Whether a file of this name counts.
    pub fn names(&self, file: &str) -> bool {
        self.tenants.values().flatten().any(|entry| entry.file == file)
    }

    /// The list without a tenant, and the files that then no longer count.
    #[must_use]
    pub fn without_tenant(&self, uid: TenantUid) -> (Self, Vec<String>) {
        let mut fresh = self.clone();
        let dropped = fresh.tenants.remove(&uid).unwrap_or_default();
        (fresh, dropped.into_iter().map(|entry| entry.file).collect())
    }

    /// The list without the snapshots of a tenant that are newer than the one it was restored
    /// from, and their files. They are damaged: the next snapshot must not push out the good one.
    #[must_use]
    pub fn without_newer(&self, uid: TenantUid, used: &Entry) -> (Self, Vec<String>) {
        let mut fresh = self.clone();
        let mut dropped = Vec::new();
        if let Some(entries) = fresh.tenants.get_mut(&uid)
            && let Some(at) = entries.iter().position(|entry| entry.file == used.file)
        {
            dropped.extend(entries.drain(..at).map(|entry| entry.file));
        }
        (fresh, dropped)
    }

    /// The list once it is known that a tenant was still at `version` when the journal was at
    /// `lsn`: its snapshots of that version are as good as new, and need not be written again.
    #[must_use]
    pub fn with_unchanged(&self, uid: TenantUid, version: Version, lsn: u64) -> Self {
        let mut fresh = self.clone();
        for entry in fresh.tenants.entry(uid).or_default().iter_mut() {
            if entry.version == version {
                entry.lsn = entry.lsn.max(lsn);
            }
        }
        fresh.tenants.retain(|_, entries| !entries.is_empty());
        fresh
    }

    /// The snapshots of a tenant, newest first.
    pub fn of(&self, uid: TenantUid) -> &[Entry] {
        self.tenants.get(&uid).map_or(&[], Vec::as_slice)
    }

    /// The place in the journal behind which every record must be kept.
    ///
    /// | snapshots of a tenant | what must be kept of the journal                        |
    /// |-----------------------|---------------------------------------------------------|
    /// | two                   | what is behind the older one: the newer may be damaged  |
    /// | one                   | everything: if it is damaged there is no other          |
    /// | none                  | everything: the journal is all there is of it           |
    ///
    /// `living` are the tenants there are; the list knows only those with a snapshot.
    pub fn replay_from(&self, living: impl IntoIterator<Item = TenantUid>) -> u64 {
        self.pins(living).into_values().min().unwrap_or(0)
    }

    /// The tenants that hold the journal back the most: a new snapshot of each lets go of some.
    pub fn holding_back(&self, living: impl IntoIterator<Item = TenantUid>) -> Vec<TenantUid> {
        let pins = self.pins(living);
        let least = pins.values().min().copied();
        pins.into_iter().filter(|&(_, pin)| Some(pin) == least).map(|(uid, _)| uid).collect()
    }

    /// The highest place of the journal any snapshot knows of. A journal that ends before it has
    /// lost records.
    pub fn newest_lsn(&self) -> u64 {
        self.tenants.values().flatten().map(|entry| entry.lsn).max().unwrap_or(0)
    }

    /// Files in the folder of snapshots that do not count: unfinished, or not named here.
    ///
    /// Ask only while no snapshot is being written.
    ///
    /// # Errors
    /// What the system refused.
    pub fn leftovers(&self, dir: &DataDir) -> Result<Vec<String>, StoreError> {
        let named: BTreeSet<&str> =
            self.tenants.values().flatten().map(|entry| entry.file.as_str()).collect();
        let mut files = data_dir::list(&dir.snapshots())?;
        files.retain(|file| {
            let finished = file.strip_suffix(UNFINISHED).unwrap_or(file);
            finished.ends_with(snapshot::ENDING) && !named.contains(file.as_str())
        });
        Ok(files)
    }

    /// What each tenant needs of the journal.
    fn pins(&self, living: impl IntoIterator<Item = TenantUid>) -> BTreeMap<TenantUid, u64> {
        let everyone: BTreeSet<TenantUid> =
            living.into_iter().chain(self.tenants.keys().copied()).collect();
        let pin = |uid| self.of(uid).get(KEPT - 1).map_or(0, |older| older.lsn);
        everyone.into_iter().map(|uid| (uid, pin(uid))).collect()
    }

    fn encode(&self) -> String {
        let mut text = format!("{TITLE} format={FORMAT} min_reader={FORMAT}\n");
        for (uid, entries) in &self.tenants {
            for Entry { file, version, lsn, created, users, bytes } in entries {
                let created = created.millis();
                writeln!(
                    text,
                    "tenant={uid} version={version} lsn={lsn} created={created} users={users} bytes={bytes} file={file}"
                )
                .expect("a string takes everything");
            }
        }
        let crc = crc32c::crc32c(text.as_bytes());
        writeln!(text, "crc={crc:08x}").expect("a string takes everything");
        text
    }

    /// Whether every tenant has one or two snapshots, newest first, under names of its own.
    fn is_consistent(&self) -> bool {
        self.tenants.iter().all(|(&uid, entries)| {
            let files: BTreeSet<&str> = entries.iter().map(|entry| entry.file.as_str()).collect();
            (1..=KEPT).contains(&entries.len())
                && files.len() == entries.len()
                && entries.is_sorted_by_key(|entry| Reverse((entry.version, entry.lsn)))
                && entries
                    .iter()
                    .all(|entry| snapshot::is_file_name(&entry.file, uid, entry.version))
        })
    }
}

/// Why a list cannot be used.
enum Flaw {
    Damaged(&'static str),
    Newer(u16),
}

fn decode(bytes: &[u8]) -> Result<Manifest, Flaw> {
    let text = str::from_utf8(bytes).map_err(|_| Flaw::Damaged("it is not text"))?;
    let (lines, crc) = text
        .strip_suffix('\n')
        .and_then(|text| text.rsplit_once('\n'))
        .ok_or(Flaw::Damaged("it is empty or cut off"))?;
    let body = text.get(..=lines.len()).ok_or(Flaw::Damaged("it is cut off"))?;
    if crc != format!("crc={:08x}", crc32c::crc32c(body.as_bytes())) {
        return Err(Flaw::Damaged("its checksum is wrong"));
    }
    let mut lines = lines.split('\n');
    let title = lines.next().and_then(parse_title);
    let (format, min_reader) =
        title.ok_or(Flaw::Damaged("its first line names no list and no format"))?;
    if min_reader > FORMAT {
        return Err(Flaw::Newer(min_reader));
    }
    let mut manifest = Manifest { format, ..Manifest::default() };
    for line in lines {
        let (uid, entry) = parse_line(line).ok_or(Flaw::Damaged("a line of it cannot be read"))?;
        manifest.tenants.entry(uid).or_default().push(entry);
    }
    if manifest.is_consistent() {
        Ok(manifest)
    } else {
        Err(Flaw::Damaged("its lines do not make sense together"))
    }
}

fn parse_title(line: &str) -> Option<(u16, u16)> {
    let (format, min_reader) =
        line.strip_prefix(TITLE)?.strip_prefix(" format=")?.split_once(" min_reader=")?;
    Some((format.parse().ok()?, min_reader.parse().ok()?))
}

fn parse_line(line: &str) -> Option<(TenantUid, Entry)> {
    let mut words = line.splitn(7, ' ');
    let mut value = |name: &str| words.next()?.strip_prefix(name)?.strip_prefix('=');
    let uid = TenantUid(value("tenant")?.parse().ok()?);
    let entry = Entry {
        version: Version::new(value("version")?.parse().ok()?),
        lsn: value("lsn")?.parse().ok()?,
        created: Timestamp::from_millis(value("created")?.parse().ok()?),
        users: value("users")?.parse().ok()?,
        bytes: value("bytes")?.parse().ok()?,
        file: value("file")?.to_owned(),
    };
    Some((uid, entry))
}

#[cfg(test)]
mod tests;
