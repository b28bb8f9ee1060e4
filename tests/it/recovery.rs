//! A journal cut at every byte of its last records: every earlier record is there, or the
//! start is refused with the name of a file and a byte. Never a panic, never a silent loss.

use crate::harness::{Server, Setup};
use dossier::journal::testing::SimDisk;
use dossier::journal::{Embedded, Journal, Lsn, Options};
use dossier::store::data_dir::DataDir;
use dossier::store::format::TenantUid;
use dossier::tenant::restore;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

/// How many of the last records are cut at each of their bytes.
const LAST: usize = 3;

/// Where the first record of a segment begins (`journal::segment`).
const FIRST: usize = 40;

const SEGMENT: &str = "00000000000000000001.seg";

/// The text of every user, by id.
type Users = BTreeMap<String, String>;

/// What a server left behind, and what it had acknowledged.
struct Left {
    folder: TempDir,
    /// The files of the journal.
    journal: BTreeMap<String, Vec<u8>>,
    /// All users after each record; the first is before any.
    states: Vec<Users>,
    /// Where each record ends.
    ends: Vec<usize>,
}

impl Left {
    /// Lets a server make and change users and ends it with `end`.
    fn by(end: impl FnOnce(&mut Server)) -> Self {
        let mut server = Setup::default()
            .set("journal.segment=1MiB")
            .set("snapshot.interval=0s")
            .set("snapshot.on_shutdown=false")
            .start();
        let mut users = Users::new();
        let mut states = Vec::new();
        for number in 0..3 {
            let body = format!(
                r#"{{"email":"user{number}@example.com","app_metadata":{{"n":{number}}}}}"#
            );
            let made = server.json("POST", "/api/v2/users", &body).expect(201);
            let id = made.json()["user_id"].as_str().unwrap().to_owned();
            users.insert(id, made.text().to_owned());
            states.push(users.clone());
        }
        for number in 0..9 {
            let id = users.keys().nth(number % users.len()).unwrap().clone();
            let body =
                format!(r#"{{"user_metadata":{{"k{number}":"{}"}}}}"#, "x".repeat(number * 7));
            let changed = server.json("PATCH", &format!("/api/v2/users/{id}"), &body).expect(200);
            users.insert(id, changed.text().to_owned());
            states.push(users.clone());
        }
        let gone = users.keys().next().unwrap().clone();
        server
            .request(
                "DELETE",
                &format!("/api/v2/users/{gone}"),
                &[("Authorization", server.admin())],
                None,
            )
            .expect(204);
        users.remove(&gone);
        states.push(users);
        end(&mut server);
        let folder = server.into_folder();
        let journal: BTreeMap<String, Vec<u8>> = fs::read_dir(folder.path().join("data/journal"))
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
            })
            .collect();
        let ends = ends(&journal[SEGMENT]);
        // What the first start writes comes before all of these: one record for each change.
        let first = ends.len() + 1 - states.len();
        states.splice(0..0, std::iter::repeat_n(Users::new(), first));
        Self { folder, journal, states, ends }
    }

    fn killed() -> Self {
        Self::by(Server::kill9)
    }

    fn stopped() -> Self {
        Self::by(|server| assert_eq!(server.end_with(Signal::TERM).code(), Some(0)))
    }

    /// The first byte of the last records, and the last.
    fn cuts(&self) -> std::ops::Range<usize> {
        self.ends[self.ends.len() - 1 - LAST]..self.ends[self.ends.len() - 1]
    }

    /// How many records are whole when the segment is cut at a byte.
    fn whole(&self, cut: usize) -> usize {
        self.ends.iter().filter(|&&end| end <= cut).count()
    }

    /// The segment with everything from `cut` on gone, or zero.
    fn segment(&self, cut: usize, is_shortened: bool) -> Vec<u8> {
        let mut bytes = self.journal[SEGMENT].clone();
        bytes[cut..].fill(0);
        // The rest of what is allocated ahead is not worth its time here.
        bytes.truncate(self.ends[self.ends.len() - 1] + 4096);
        if is_shortened {
            bytes.truncate(cut);
        }
        bytes
    }

    fn disk(&self, segment: &[u8]) -> SimDisk {
        let disk = SimDisk::new();
        for (name, bytes) in &self.journal {
            disk.put(name, if name == SEGMENT { segment } else { bytes });
        }
        disk
    }
}

/// Where each record of a segment ends: `len u32 | crc u32 | len bytes`, up to a `len` of zero.
fn ends(segment: &[u8]) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = FIRST;
    while let Some(length) = segment.get(at..at + 4) {
        let length = u32::from_le_bytes(length.try_into().unwrap());
        if length == 0 {
            break;
        }
        at += 8 + usize::try_from(length).unwrap();
        ends.push(at);
    }
    ends
}

/// Restores in this process: the users of the default tenant and whether a torn tail was
/// reported, or why not.
fn restored(dir: &DataDir, disk: SimDisk) -> Result<(Users, bool), String> {
    let (journal, opened) =
        Embedded::open(Arc::new(disk), &Options::new(1)).map_err(|error| error.to_string())?;
    let restored = restore(dir, &journal, 1).map_err(|error| error.to_string())?;
    let state = restored.states.get(&TenantUid::DEFAULT);
    let users = state.map(|state| {
        let view = state.view();
        view.users().map(|user| (user.id().to_owned(), user.json().to_owned())).collect()
    });
    Ok((users.unwrap_or_default(), opened.torn.is_some()))
}

#[track_caller]
fn names_file_and_byte(error: &str) {
    assert!(error.contains(SEGMENT) && error.contains("byte "), "{error}");
}

#[test]
fn after_kill_9_a_cut_at_any_byte_keeps_every_record_before_it() {
    let left = Left::killed();
    let (dir, _) = DataDir::open(&left.folder.path().join("data")).unwrap();
    let mut refused = 0;
    for cut in left.cuts() {
        for is_shortened in [true, false] {
            match restored(&dir, left.disk(&left.segment(cut, is_shortened))) {
                Ok((users, _)) => {
                    assert_eq!(users, left.states[left.whole(cut)], "cut at {cut}");
                }
                Err(error) => {
                    // The high-water mark knows of a record that was cut.
                    names_file_and_byte(&error);
                    refused += 1;
                }
            }
        }
    }
    let all = restored(&dir, left.disk(&left.journal[SEGMENT])).unwrap();
    assert_eq!(all, (left.states.last().unwrap().clone(), false));
    assert!(refused <= 2 * left.cuts().len());
}

#[test]
fn a_tail_cut_in_the_middle_of_a_record_is_reported() {
    let left = Left::killed();
    let (dir, _) = DataDir::open(&left.folder.path().join("data")).unwrap();
    let cuts = left.cuts();
    for cut in cuts.clone().filter(|cut| !left.ends.contains(cut)) {
        match restored(&dir, left.disk(&left.segment(cut, true))) {
            Ok((_, is_torn)) => assert!(is_torn, "the cut at {cut} in {cuts:?} was not reported"),
            Err(error) => names_file_and_byte(&error),
        }
    }
}

#[test]
fn after_a_clean_stop_no_byte_of_the_journal_can_be_missing_unseen() {
    let left = Left::stopped();
    let (dir, _) = DataDir::open(&left.folder.path().join("data")).unwrap();
    for cut in left.cuts() {
        for is_shortened in [true, false] {
            match restored(&dir, left.disk(&left.segment(cut, is_shortened))) {
                Err(error) => names_file_and_byte(&error),
                // Zeros at the end of the last record may be the record's own.
                Ok((users, _)) => assert_eq!(users, *left.states.last().unwrap(), "cut at {cut}"),
            }
        }
    }
}

#[test]
fn a_changed_byte_among_acknowledged_records_is_refused_and_named() {
    let left = Left::stopped();
    let (dir, _) = DataDir::open(&left.folder.path().join("data")).unwrap();
    let whole = left.segment(left.cuts().end, false);
    for at in left.cuts() {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        let error = restored(&dir, left.disk(&bytes)).unwrap_err();
        names_file_and_byte(&error);
    }
}

#[test]
fn what_follows_a_dropped_tail_is_kept_through_the_next_crash() {
    let left = Left::killed();
    let (dir, _) = DataDir::open(&left.folder.path().join("data")).unwrap();
    let cut = left.cuts().end - 5;
    let disk = left.disk(&left.segment(cut, true));
    let Ok((_, true)) = restored(&dir, disk.clone()) else { return };
    let whole = Lsn::new(u64::try_from(left.whole(cut)).unwrap());
    let (journal, _) = Embedded::open(Arc::new(disk.clone()), &Options::new(2)).unwrap();
    assert_eq!(journal.stats().last, whole);
    journal.append(0, b"next".to_vec()).unwrap();
    assert_eq!(journal.flush().unwrap(), whole.next());
    let crashed = disk.fork();
    crashed.cut_power(&mut || false);
    let (journal, opened) = Embedded::open(Arc::new(crashed), &Options::new(3)).unwrap();
    assert_eq!((journal.stats().last, opened.torn), (whole.next(), None));
}

/// A copy of a data directory with another segment.
fn copy(from: &Path, segment: &[u8]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    copy_tree(&from.join("data"), &folder.path().join("data"));
    fs::write(folder.path().join("data/journal").join(SEGMENT), segment).unwrap();
    folder
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).unwrap();
        }
    }
}

#[test]
fn without_the_mark_the_program_starts_with_every_earlier_record_or_refuses_by_name() {
    let left = Left::killed();
    let cuts = left.cuts();
    for cut in [cuts.start, cuts.start + 1, cuts.start + 9, cuts.end - 1, cuts.end] {
        let folder = copy(left.folder.path(), &left.segment(cut, true));
        fs::remove_file(folder.path().join("data/SYNCED")).unwrap();
        match Server::try_on(folder, Setup::default()) {
            Ok(server) => {
                has_all(&server, &left.states[left.whole(cut)], !left.ends.contains(&cut));
            }
            Err((status, log, _)) => is_a_refusal(status, &log),
        }
    }
}

#[test]
fn the_program_refuses_a_tail_that_lacks_what_was_acknowledged() {
    let left = Left::killed();
    let cuts = left.cuts();
    for cut in [cuts.start, cuts.start + 1, cuts.start + 9, cuts.end - 1] {
        for is_shortened in [true, false] {
            let folder = copy(left.folder.path(), &left.segment(cut, is_shortened));
            let Err((status, log, _)) = Server::try_on(folder, Setup::default()) else {
                panic!("it started without the end of its journal, cut at {cut}")
            };
            is_a_refusal(status, &log);
        }
    }
}

#[test]
fn the_program_drops_a_tail_that_nobody_was_told_of_and_says_so() {
    let left = Left::killed();
    let cuts = left.cuts();
    // What a crash leaves of a record that was being written.
    let mut segment = left.segment(cuts.end, true);
    segment.extend_from_within(cuts.end - 40..cuts.end - 3);
    for rest in [0, 4096] {
        segment.resize(segment.len() + rest, 0);
        let folder = copy(left.folder.path(), &segment);
        let server = Server::try_on(folder, Setup::default()).expect("a start");
        has_all(&server, left.states.last().unwrap(), true);
    }
}

/// Exactly these users are there, and whether the log speaks of the segment.
#[track_caller]
fn has_all(server: &Server, users: &Users, is_reported: bool) {
    for (id, text) in users {
        assert_eq!(server.get(&format!("/api/v2/users/{id}")).expect(200).text(), text);
    }
    let total = server.get("/api/v2/users?include_totals=true").json()["total"].clone();
    assert_eq!(total, users.len());
    assert_eq!(server.log().contains(SEGMENT), is_reported, "{}", server.log());
}

#[track_caller]
fn is_a_refusal(status: std::process::ExitStatus, log: &str) {
    assert_eq!(status.code(), Some(5), "{log}");
    names_file_and_byte(log);
    assert!(log.contains("dossier check") && !log.contains("panicked"), "{log}");
}

#[test]
fn the_program_refuses_damage_and_leaves_every_file_as_it_was() {
    let left = Left::stopped();
    let mut bytes = left.journal[SEGMENT].clone();
    bytes[left.ends[2] - 3] ^= 1;
    let folder = copy(left.folder.path(), &bytes);
    let Err((status, log, folder)) = Server::try_on(folder, Setup::default()) else {
        panic!("it started")
    };
    is_a_refusal(status, &log);
    let journal = folder.path().join("data/journal");
    assert_eq!(fs::read(journal.join(SEGMENT)).unwrap(), bytes);
    for (name, before) in left.journal.iter().filter(|(name, _)| *name != SEGMENT) {
        assert_eq!(&fs::read(journal.join(name)).unwrap(), before, "{name}");
    }
}

#[test]
fn a_damaged_newest_snapshot_costs_nothing() {
    let mut server = Setup::default().set("snapshot.interval=0s").start();
    let mut texts = Users::new();
    // Two snapshots: one after the first user, one after the second, and a change after both.
    for number in 0..2 {
        let body = format!(r#"{{"email":"user{number}@example.com"}}"#);
        let made = server.json("POST", "/api/v2/users", &body).expect(201);
        texts.insert(made.json()["user_id"].as_str().unwrap().to_owned(), made.text().to_owned());
        assert_eq!(server.end_with(Signal::TERM).code(), Some(0));
        server.restart();
    }
    let id = texts.keys().next().unwrap().clone();
    let changed =
        server.json("PATCH", &format!("/api/v2/users/{id}"), r#"{"nickname":"x"}"#).expect(200);
    texts.insert(id, changed.text().to_owned());
    server.kill9();
    let snapshots = server.data_dir().join("snapshots");
    let mut files: Vec<_> =
        fs::read_dir(&snapshots).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort_by_key(|path| {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        name.split('-').next_back().unwrap().parse::<u64>().unwrap()
    });
    assert!(files.len() >= 2, "{files:?}");
    let newest = files.last().unwrap();
    let mut bytes = fs::read(newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(newest, bytes).unwrap();
    server.restart();
    for (id, text) in &texts {
        assert_eq!(server.get(&format!("/api/v2/users/{id}")).expect(200).text(), text);
    }
    let name = newest.file_name().unwrap().to_string_lossy().into_owned();
    assert!(server.log().contains(&name), "{}", server.log());
}
