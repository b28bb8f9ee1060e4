//! Looking at a data directory that no server has open, and making it open again.

use super::keys::KeyStore;
use super::{AppError, open};
use crate::domain::time::Version;
use crate::journal::{self, OsDisk};
use crate::store::data_dir::{DataDir, write_private};
use crate::store::format::TenantUid;
use crate::store::manifest::{Entry, Manifest};
use crate::store::{StoreError, snapshot};
use crate::tenant::repaired_file;
use std::path::{Path, PathBuf};

/// What was found.
#[derive(Debug, Default)]
pub struct Findings {
    /// What is there, line by line.
    pub facts: Vec<String>,
    /// What is wrong, with file, byte and remedy.
    pub problems: Vec<String>,
    /// What a repair did, and what is lost.
    pub repairs: Vec<String>,
    /// What no repair can mend.
    pub beyond_repair: Vec<String>,
}

/// Verifies every byte that matters; changes nothing.
///
/// # Errors
/// When the folder is in use or cannot be read at all.
pub fn check(data_dir: &Path) -> Result<Findings, AppError> {
    let dir = take(data_dir)?;
    let mut findings = Findings::default();
    check_journal(&dir, &mut findings)?;
    check_snapshots(&dir, &mut findings);
    check_keys(&dir, &mut findings);
    findings.problems.extend(findings.beyond_repair.iter().cloned());
    Ok(findings)
}

/// Does the least that makes the folder open again. Everything changed is first copied to `*.broken`.
///
/// # Errors
/// When the folder is in use, was written by a newer build, or a file cannot be written.
pub fn repair(data_dir: &Path) -> Result<Findings, AppError> {
    let dir = take(data_dir)?;
    let mut findings = Findings::default();
    check_journal(&dir, &mut findings)?;
    check_snapshots(&dir, &mut findings);
    check_keys(&dir, &mut findings);
    if findings.problems.is_empty() {
        return Ok(findings);
    }
    let disk = disk(&dir)?;
    let repaired = journal::repair(&disk)?;
    for (file, copy) in &repaired.copies {
        findings.repairs.push(format!("journal/{file} was rewritten; as it was: journal/{copy}"));
    }
    for (first, last) in &repaired.lost {
        findings.repairs.push(format!("changes {first} to {last} of the journal are lost"));
    }
    let manifest = sound_manifest(&dir, &mut findings)?;
    manifest.store(&dir).map_err(AppError::DataDir)?;
    let upto = repaired.after.last.get().max(manifest.newest_lsn());
    write_private(&repaired_file(&dir), format!("{upto}\n").as_bytes())
        .map_err(AppError::DataDir)?;
    findings
        .repairs
        .push(format!("from now on it is known that changes up to {upto} may be missing"));
    Ok(findings)
}

fn take(data_dir: &Path) -> Result<DataDir, AppError> {
    if !data_dir.is_dir() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(AppError::DataDir(StoreError::io(data_dir, "open", source)));
    }
    DataDir::open(data_dir).map(|(dir, _)| dir).map_err(AppError::DataDir)
}

fn disk(dir: &DataDir) -> Result<OsDisk, AppError> {
    let path = dir.journal();
    OsDisk::open(&path).map_err(|source| AppError::File { path, source })
}

/// Keys cannot be made again from anything; a repair leaves them as they are.
fn check_keys(dir: &DataDir, findings: &mut Findings) {
    match KeyStore::verify(dir.root()) {
        Ok(()) => findings.facts.push("keys: good".to_owned()),
        Err(error) => findings.beyond_repair.push(error.to_string()),
    }
}

fn check_journal(dir: &DataDir, findings: &mut Findings) -> Result<(), AppError> {
    let report = journal::check(&disk(dir)?)?;
    let segments = report.segments.len();
    findings
        .facts
        .push(format!("journal: {segments} segments, changes {} to {}", report.first, report.last));
    for problem in &report.problems {
        findings.problems.push(format!(
            "journal/{} at byte {}: {}; {}",
            problem.file, problem.offset, problem.reason, problem.remedy
        ));
    }
    Ok(())
}

fn check_snapshots(dir: &DataDir, findings: &mut Findings) {
    match Manifest::load(dir) {
        Ok(manifest) => {
            let manifest = manifest.unwrap_or_default();
            if let Err(error) = open::refuse_missing_journal(dir, &manifest) {
                findings.problems.push(error.to_string());
            }
            for (uid, entry) in
                manifest.tenants.iter().flat_map(|(uid, all)| all.iter().map(move |one| (uid, one)))
            {
                match snapshot::verify(&dir.snapshots().join(&entry.file)) {
                    Ok(found) => findings.facts.push(format!(
                        "snapshots/{}: tenant {uid}, version {}, {} users, {} bytes, good",
                        entry.file, found.header.version, found.users, found.bytes
                    )),
                    Err(error) => findings.problems.push(error.to_string()),
                }
            }
        }
        Err(error) => findings.problems.push(error.to_string()),
    }
}

/// A manifest of the good snapshots there are: the stored one without its damaged files, or one made anew.
fn sound_manifest(dir: &DataDir, findings: &mut Findings) -> Result<Manifest, AppError> {
    let failed = |path: PathBuf| move |source| AppError::File { path, source };
    if dir.manifest().exists() {
        let copy = dir.root().join("MANIFEST.broken");
        std::fs::copy(dir.manifest(), &copy).map_err(failed(copy))?;
    }
    let folder = dir.snapshots();
    let mut sound = Manifest::default();
    for file in std::fs::read_dir(&folder).map_err(failed(folder.clone()))? {
        let path = file.map_err(failed(folder.clone()))?.path();
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.ends_with(snapshot::ENDING) {
            continue;
        }
        if let Ok(found) = snapshot::verify(&path) {
            let header = found.header;
            let entry = Entry {
                file: name,
                version: header.version,
                lsn: header.lsn,
                created: header.created,
                users: found.users,
                bytes: found.bytes,
            };
            (sound, _) = sound.with_snapshot(header.uid, entry);
        } else {
            let broken = path.with_extension("snap.broken");
            std::fs::rename(&path, &broken).map_err(failed(path))?;
            findings
                .repairs
                .push(format!("snapshots/{name} is damaged and was renamed to {name}.broken"));
        }
    }
    for (uid, entries) in &sound.tenants {
        let newest = entries.first().map_or(Version::ZERO, |entry| entry.version);
        findings.repairs.push(describe(*uid, newest));
    }
    Ok(sound)
}

fn describe(uid: TenantUid, newest: Version) -> String {
    format!(
        "tenant {uid}: its newest good snapshot is of version {newest}, the journal goes on from there"
    )
}
