//! Looking at a data directory that no server has open, and making it open again.

use super::declare::ADMIN_CLIENT_FILE;
use super::keys::KeyStore;
use super::{AppError, open, tls};
use crate::domain::time::Version;
use crate::http::random;
use crate::journal::{self, JournalError, Lsn, OsDisk, Reader};
use crate::store::data_dir::{self, DataDir, write_private};
use crate::store::format::TenantUid;
use crate::store::manifest::{Entry, Manifest};
use crate::store::{StoreError, snapshot};
use crate::tenant::{self, RestoreError, repaired_file};
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
    /// Whether a start would go on in full, in spite of the problems.
    pub opens: bool,
}

/// Verifies every byte that matters, and that everything can be restored from it: in memory, as a
/// start does, so it takes as much of that. Changes nothing.
///
/// # Errors
/// When the folder is in use or cannot be read at all.
pub fn check(data_dir: &Path) -> Result<Findings, AppError> {
    let dir = take(data_dir)?;
    let mut findings = Findings::default();
    look_at_all(&dir, &mut findings)?;
    check_certificates(&dir, &mut findings);
    findings.problems.extend(findings.beyond_repair.iter().cloned());
    findings.opens &= findings.beyond_repair.is_empty();
    Ok(findings)
}

/// Does the least that makes the folder open again. Everything changed is first copied to `*.broken`.
///
/// # Errors
/// When the folder is in use, was written by a newer build, or a file cannot be written.
pub fn repair(data_dir: &Path) -> Result<Findings, AppError> {
    let dir = take(data_dir)?;
    let mut findings = Findings::default();
    look_at_all(&dir, &mut findings)?;
    if !findings.problems.is_empty() {
        mend(&dir, &mut findings)?;
    }
    check_certificates(&dir, &mut findings);
    put_certificates_aside(&dir, &mut findings)?;
    Ok(findings)
}

/// Mends journal, snapshots and their list.
fn mend(dir: &DataDir, findings: &mut Findings) -> Result<(), AppError> {
    dir.make_folders().map_err(AppError::DataDir)?;
    let above = highest_place(dir)?;
    put_other_journal_aside(dir, above, findings)?;
    let repaired = journal::repair(&disk(dir)?, Lsn::new(above), random::number())?;
    for (file, copy) in &repaired.copies {
        findings.repairs.push(format!("journal/{file} was rewritten; as it was: journal/{copy}"));
    }
    for (first, last) in &repaired.lost {
        findings.repairs.push(format!("changes {first} to {last} of the journal are lost"));
    }
    if !repaired.before.problems.is_empty() || repaired.before.journal.is_none() {
        let last = repaired.before.last;
        findings.repairs.push(format!(
            "what the journal held behind change {last} and cannot be read is lost; nothing that is left says how much that was"
        ));
    }
    let manifest = sound_manifest(dir, findings)?;
    manifest.store(dir).map_err(AppError::DataDir)?;
    if manifest.tenants.is_empty() && repaired.before.journal.is_none() {
        findings.repairs.push(format!(
            "every tenant, user and client is lost; remove {ADMIN_CLIENT_FILE} as well, and the next start makes an administrator"
        ));
    }
    if is_complete(dir, &repaired)? {
        findings.repairs.push("everything that was acknowledged is there".to_owned());
        return Ok(());
    }
    let upto = repaired.after.last.get().max(above);
    write_private(&repaired_file(dir), format!("{upto}\n").as_bytes())
        .map_err(AppError::DataDir)?;
    findings
        .repairs
        .push(format!("from now on it is known that changes up to {upto} may be missing"));
    Ok(())
}

/// Whether a repair has left nothing behind: then no later loss is to be taken for its doing.
fn is_complete(dir: &DataDir, repaired: &journal::RepairReport) -> Result<bool, AppError> {
    if !repaired.before.problems.is_empty()
        || repaired.before.journal.is_none()
        || !repaired.lost.is_empty()
    {
        return Ok(false);
    }
    let mut left = Findings::default();
    check_restoring(dir, &mut left)?;
    let is_ours = open::refuse_other_journal(dir, &Reader::open(disk(dir)?)?).is_ok();
    Ok(left.problems.is_empty() && is_ours)
}

fn look_at_all(dir: &DataDir, findings: &mut Findings) -> Result<(), AppError> {
    check_journal(dir, findings)?;
    let is_journal_good = findings.problems.is_empty() && !open::was_in_memory(dir);
    check_snapshots(dir, findings);
    check_keys(dir, findings);
    if is_journal_good {
        check_restoring(dir, findings)?;
    }
    Ok(())
}

/// Restores everything and lets go of it: only so does a change show that is missing between two
/// good ones.
fn check_restoring(dir: &DataDir, findings: &mut Findings) -> Result<(), AppError> {
    let reader = Reader::open(disk(dir)?)?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let error = match tenant::restore(dir, &reader, threads) {
        Ok(restored) => {
            let report = restored.report;
            findings.facts.push(format!(
                "restored: {} tenants, {} users, {} changes of the journal",
                report.tenants, report.users, report.replayed
            ));
            findings.facts.extend(report.warnings);
            findings.opens = true;
            return Ok(());
        }
        Err(error) => error,
    };
    match &error {
        RestoreError::Hole { lsn, .. } | RestoreError::Record { lsn, .. } => {
            let place = match reader.place_of(*lsn)? {
                Some((file, offset)) => format!("journal/{file} at byte {offset}"),
                None => format!("journal at {lsn}"),
            };
            findings.problems.push(format!("{place}: {error}"));
        }
        RestoreError::Short { .. } | RestoreError::Late { .. } => {
            findings.problems.push(format!("journal: {error}"));
        }
        // What is wrong with single files has been found by looking at them.
        RestoreError::Store(_) | RestoreError::Journal(_) if !findings.problems.is_empty() => {}
        RestoreError::Store(_) | RestoreError::Journal(_) => {
            findings.problems.push(error.to_string());
        }
    }
    Ok(())
}

/// The highest place of the journal that any snapshot, damaged or not, or an earlier repair knows
/// of. The journal must go on above it, or it would let go of what no snapshot holds.
fn highest_place(dir: &DataDir) -> Result<u64, AppError> {
    let listed = Manifest::load(dir).ok().flatten().unwrap_or_default().newest_lsn();
    let files = data_dir::list(&dir.snapshots()).map_err(AppError::DataDir)?;
    let held = files
        .iter()
        .filter(|name| name.ends_with(snapshot::ENDING))
        .filter_map(|name| snapshot::verify(&dir.snapshots().join(name)).ok())
        .map(|found| found.header.lsn);
    let repaired = tenant::accepted(dir).get();
    let synced = open::last_synced(dir)?.map_or(0, |synced| synced.lsn().get());
    Ok(held.chain([listed, repaired, synced]).max().unwrap_or(0))
}

/// What another data directory's journal holds is none of ours.
fn put_other_journal_aside(
    dir: &DataDir,
    above: u64,
    findings: &mut Findings,
) -> Result<(), AppError> {
    let Ok(reader) = Reader::open(disk(dir)?) else { return Ok(()) };
    match open::refuse_other_journal(dir, &reader) {
        Err(AppError::Journal(JournalError::OfAnother { synced, .. })) => {
            let copies = journal::put_aside(&disk(dir)?, Lsn::new(above), random::number())?;
            for (file, copy) in copies {
                findings.repairs.push(format!(
                    "journal/{file} is of another journal and was put aside as journal/{copy}"
                ));
            }
            findings.repairs.push(format!(
                "what the right journal held up to change {synced}, and no snapshot holds, is lost; nothing that is left says how much that was"
            ));
        }
        Err(AppError::Journal(JournalError::Parted { synced, .. })) => {
            findings.repairs.push(format!(
                "what was acknowledged here up to change {synced}, behind the place where this copy of the journal parts from it, is lost; nothing that is left says how much that was"
            ));
        }
        Ok(()) | Err(_) => {}
    }
    Ok(())
}

fn take(data_dir: &Path) -> Result<DataDir, AppError> {
    if !data_dir.is_dir() {
        let source = std::io::Error::from(std::io::ErrorKind::NotFound);
        return Err(AppError::DataDir(StoreError::io(data_dir, "open", source)));
    }
    DataDir::take(data_dir).map_err(AppError::DataDir)
}

fn disk(dir: &DataDir) -> Result<OsDisk, AppError> {
    let path = dir.journal();
    OsDisk::open(&path).map_err(|source| AppError::File { path, source })
}

/// Keys cannot be made again from anything; a repair leaves them as they are.
fn check_keys(dir: &DataDir, findings: &mut Findings) {
    match KeyStore::verify(dir.root()) {
        Ok(true) => findings.facts.push("keys: good".to_owned()),
        Ok(false) => findings.facts.push(
            "keys: none; the next start makes new ones, and every token issued so far stops working"
                .to_owned(),
        ),
        Err(error) => findings.beyond_repair.push(error.to_string()),
    }
}

/// The development CA: a start that makes no use of it does not ask for it.
fn check_certificates(dir: &DataDir, findings: &mut Findings) {
    match tls::verify_development(dir.root()) {
        Ok(true) => findings.facts.push("tls: good".to_owned()),
        Ok(false) => {}
        Err(error) => {
            findings.problems.push(error.to_string());
            findings.opens = false;
        }
    }
}

/// Nothing else leans on the development CA, so it can be made anew.
fn put_certificates_aside(dir: &DataDir, findings: &mut Findings) -> Result<(), AppError> {
    let path = dir.tls();
    if tls::verify_development(dir.root()).is_ok() {
        return Ok(());
    }
    let broken = free_copy(&path);
    let renamed = broken.file_name().unwrap_or_default().display().to_string();
    std::fs::rename(&path, &broken).map_err(|source| AppError::File { path, source })?;
    findings.repairs.push(format!(
        "tls was renamed to {renamed}; the next start makes a new development CA, which clients must then trust"
    ));
    Ok(())
}

fn check_journal(dir: &DataDir, findings: &mut Findings) -> Result<(), AppError> {
    if open::was_in_memory(dir) {
        findings.facts.push("journal: none, everything of this folder was in memory".to_owned());
        return Ok(());
    }
    if !dir.journal().exists() {
        let folder = dir.journal().display().to_string();
        findings.problems.push(format!("{folder} is missing; put it back"));
        return Ok(());
    }
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
    if report.problems.is_empty()
        && let Err(error) = open::refuse_other_journal(dir, &Reader::open(disk(dir)?)?)
    {
        findings.problems.push(error.to_string());
    }
    Ok(())
}

fn check_snapshots(dir: &DataDir, findings: &mut Findings) {
    match Manifest::load(dir) {
        Ok(manifest) => {
            if let Err(error) = open::refuse_missing_journal(dir, manifest.as_ref()) {
                findings.problems.push(error.to_string());
            }
            let manifest = manifest.unwrap_or_default();
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
    let listed = Manifest::load(dir).ok().flatten();
    if dir.manifest().exists() {
        let copy = free_copy(&dir.manifest());
        // What is no file can only be moved.
        let kept = if dir.manifest().is_file() {
            std::fs::copy(dir.manifest(), &copy).map(drop)
        } else {
            std::fs::rename(dir.manifest(), &copy)
        };
        kept.map_err(failed(copy))?;
    }
    let mut sound = Manifest::default();
    for name in data_dir::list(&dir.snapshots()).map_err(AppError::DataDir)? {
        if !name.ends_with(snapshot::ENDING) {
            continue;
        }
        let path = dir.snapshots().join(&name);
        let found = snapshot::verify(&path).ok();
        let is_listed = listed.as_ref().is_none_or(|listed| listed.names(&name));
        match found {
            Some(found) if listed.as_ref().is_none_or(|listed| listed.knows(&found)) => {
                let header = found.header;
                let file = well_named(dir, &name, header.uid, header.version)
                    .map_err(failed(path.clone()))?;
                if file != name {
                    findings
                        .repairs
                        .push(format!("snapshots/{name} was renamed to {file}, which it is"));
                }
                let entry = Entry {
                    file,
                    version: header.version,
                    lsn: header.lsn,
                    created: header.created,
                    users: found.users,
                    bytes: found.bytes,
                };
                (sound, _) = sound.with_snapshot(header.uid, entry);
            }
            // A crash left it, or somebody put it there: nobody leaned on it.
            Some(_) if !is_listed => {}
            found => {
                let broken = free_copy(&path);
                let is =
                    if found.is_some() { "another snapshot than was listed" } else { "damaged" };
                let renamed = broken.file_name().unwrap_or_default().display().to_string();
                std::fs::rename(&path, &broken).map_err(failed(path))?;
                findings
                    .repairs
                    .push(format!("snapshots/{name} is {is} and was renamed to {renamed}"));
            }
        }
    }
    for (uid, entries) in &sound.tenants {
        let newest = entries.first().map_or(Version::ZERO, |entry| entry.version);
        findings.repairs.push(describe(*uid, newest));
    }
    Ok(sound)
}

/// The name of a good snapshot: renamed if it had one that is not its own.
fn well_named(
    dir: &DataDir,
    name: &str,
    uid: TenantUid,
    version: Version,
) -> std::io::Result<String> {
    if snapshot::is_file_name(name, uid, version) {
        return Ok(name.to_owned());
    }
    let file = snapshot::free_name(dir, uid, version);
    std::fs::rename(dir.snapshots().join(name), dir.snapshots().join(&file))?;
    Ok(file)
}

/// A place beside a file for what a repair keeps, which no earlier repair has taken.
fn free_copy(path: &Path) -> PathBuf {
    let named = |ending: String| {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        PathBuf::from(name)
    };
    let others = (2_u32..).map(|number| named(format!(".broken{number}")));
    let mut all = std::iter::once(named(".broken".to_owned())).chain(others);
    all.find(|copy| std::fs::symlink_metadata(copy).is_err()).expect("some number is free")
}

fn describe(uid: TenantUid, newest: Version) -> String {
    format!(
        "tenant {uid}: its newest good snapshot is of version {newest}, the journal goes on from there"
    )
}
