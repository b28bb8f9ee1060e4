//! A data directory that was damaged while nobody looked: recovered in full, or a refusal that
//! names the file. Never a panic, never silently less than was acknowledged.

use crate::harness::{Server, Setup};
use dossier::app::check::{Findings, check, repair};
use dossier::app::open::{Opened, open};
use dossier::config::Settings;
use dossier::domain::resource::ResourceKind;
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use tempfile::TempDir;

mod after_repair;
mod certificates;
mod misplaced;
mod verdicts;

const KIB: usize = 1 << 10;

/// Every file of a folder, by its place.
type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Every tenant with its version and everything it holds.
type State = BTreeMap<u64, (u64, BTreeMap<String, String>)>;

/// A folder as a server left it, and what it holds.
struct Original {
    files: Files,
    state: State,
}

static ORIGINAL: OnceLock<Original> = OnceLock::new();

fn original() -> &'static Original {
    ORIGINAL.get_or_init(make)
}

/// Two tenants, two snapshots of each, journal of more than one file, a tail behind all of it.
fn make() -> Original {
    let config = "[[tenant]]\nid = \"alpha\"\n";
    let mut server = Setup::default()
        .config(config)
        .set("journal.segment=1MiB")
        .set("snapshot.interval=0s")
        .set("snapshot.on_shutdown=false")
        .start();
    let user = |number: usize, size: usize| {
        let fill = "f".repeat(size);
        let body = format!(
            r#"{{"email":"user{number}@example.com","user_metadata":{{"n":{number},"fill":"{fill}"}}}}"#
        );
        server.json("POST", "/api/v2/users", &body).expect(201);
    };
    (0..20).for_each(|number| user(number, 300));
    server.json("POST", "/dossier/v1/snapshots", "{}").expect(200);
    (20..44).for_each(|number| user(number, 60 * KIB));
    server.json("POST", "/dossier/v1/snapshots", "{}").expect(200);
    (44..70).for_each(|number| user(number, 700));
    assert_eq!(server.end_with(Signal::TERM).code(), Some(0), "{}", server.log());
    let files = read(&server.data_dir());
    let count = |folder: &str| files.keys().filter(|path| path.starts_with(folder)).count();
    assert!(count("journal") >= 4 && count("snapshots") >= 2, "{:?}", files.keys());
    let (_folder, root) = copy(&files);
    let state = state(&open(&settings(&root)).unwrap());
    assert_eq!(state[&0].1.keys().filter(|key| key.starts_with("auth0|")).count(), 70);
    Original { files, state }
}

fn read(root: &Path) -> Files {
    let mut files = Files::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

fn copy(files: &Files) -> (TempDir, PathBuf) {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    for (place, bytes) in files {
        let path = root.join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::set_permissions(path.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    (folder, root)
}

fn settings(root: &Path) -> Settings {
    let mut settings = Settings::default();
    root.clone_into(&mut settings.storage.data_dir);
    settings
}

fn state(opened: &Opened) -> State {
    let of = |(uid, catalog): (&_, &dossier::tenant::Catalog)| {
        let view = catalog.view();
        let mut things: BTreeMap<String, String> = view
            .users()
            .map(|user| (user.id().to_owned(), format!("{:?}", user.parts())))
            .collect();
        for client in catalog.published().clients() {
            things.insert(client.id.clone(), format!("{client:?}"));
        }
        for kind in [ResourceKind::Connection, ResourceKind::Tenant, ResourceKind::ClientGrant] {
            for resource in catalog.published().resources(kind) {
                things.insert(format!("{kind:?} {}", resource.id), format!("{resource:?}"));
            }
        }
        let uid: &dossier::store::format::TenantUid = uid;
        (uid.0, (view.version.get(), things))
    };
    opened.restored.states.iter().map(of).collect()
}

/// A way to hurt a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut(usize),
    Flip(usize),
    Zero { from: usize, size: usize },
    Append(u8),
    Delete,
}

impl Damage {
    fn apply(self, bytes: &[u8]) -> Option<Vec<u8>> {
        let mut bytes = bytes.to_vec();
        match self {
            Self::Cut(size) => bytes.truncate(size),
            Self::Flip(at) => bytes[at] ^= 1 << (at % 8),
            Self::Zero { from, size } => {
                let end = bytes.len().min(from + size);
                bytes[from..end].fill(0);
            }
            Self::Append(byte) => bytes.extend([byte; 100]),
            Self::Delete => return None,
        }
        Some(bytes)
    }

    /// Damage at the ends, and at `places` between them, of a file of which `used` bytes say something.
    fn all(size: usize, used: usize, places: usize) -> Vec<Self> {
        let mut all = vec![Self::Delete, Self::Append(0), Self::Append(0xa5)];
        all.push(Self::Zero { from: 0, size });
        let step = (used / places).max(1);
        // Not always the same place in a record or a block.
        let between = (0..used).step_by(step).enumerate().map(|(turn, at)| (at + turn * 7) % used);
        for at in between.clone() {
            all.extend([Self::Cut(at), Self::Flip(at)]);
        }
        all.extend([Self::Cut(used.saturating_sub(1)), Self::Flip(used.saturating_sub(1))]);
        for page in between.map(|at| at / (4 * KIB)) {
            all.push(Self::Zero { from: page * 4 * KIB, size: 4 * KIB });
        }
        all
    }
}

/// What became of a damaged folder.
enum Outcome {
    Recovered,
    /// What was said; the damaged folder.
    Refused(String, TempDir, PathBuf),
}

/// Opens a copy with one damaged file.
#[track_caller]
fn try_open(place: &Path, damage: Damage) -> Outcome {
    let mut files = original().files.clone();
    let hurt = damage.apply(&files[place]);
    match hurt {
        Some(bytes) => files.insert(place.to_owned(), bytes),
        None => files.remove(place),
    };
    let (folder, root) = copy(&files);
    let label = format!("{} {damage:?}", place.display());
    let opened = catch_unwind(AssertUnwindSafe(|| open(&settings(&root))))
        .unwrap_or_else(|_| panic!("{label}: opening panicked"));
    match opened {
        Ok(opened) => {
            assert!(
                state(&opened) == original().state,
                "{label}: opened with something else in it"
            );
            Outcome::Recovered
        }
        Err(error) => {
            let text = error.to_string();
            assert_eq!(error.exit_code(), 5, "{label}: {text}");
            let name = place.file_name().unwrap().to_string_lossy();
            assert!(text.contains(&*name), "{label}: {name} is not named in {text:?}");
            let after = read(&root);
            let changed: Vec<&PathBuf> = files
                .keys()
                .chain(after.keys())
                .filter(|file| files.get(*file) != after.get(*file))
                .collect();
            assert!(changed.is_empty(), "{label}: a refusal changed {changed:?}: {text}");
            Outcome::Refused(text, folder, root)
        }
    }
}

/// Whatever was refused is found by `dossier check` too, and opens after a repair that says what is lost.
#[track_caller]
fn check_and_repair(label: &str, root: &Path) {
    let found = check(root).unwrap_or_else(|error| panic!("{label}: check: {error}"));
    assert!(!found.problems.is_empty(), "{label}: the check finds nothing");
    let Findings { repairs, .. } =
        repair(root).unwrap_or_else(|error| panic!("{label}: repair: {error}"));
    let opened = open(&settings(root)).unwrap_or_else(|error| panic!("{label}: repaired: {error}"));
    let left = state(&opened);
    drop(opened);
    let whole = &original().state;
    assert!(!repairs.is_empty(), "{label}: the repair says nothing");
    if &left != whole {
        assert!(
            repairs.iter().any(|line| line.contains("lost") || line.contains("may be missing")),
            "{label}: {repairs:?}"
        );
    }
    let again = check(root).unwrap();
    assert!(again.problems.is_empty(), "{label}: after the repair: {:?}", again.problems);
}

/// Tries everything on the files a rule picks; the number recovered and refused.
#[track_caller]
fn sweep(pick: impl Fn(&Path) -> bool, places: usize, is_repairable: bool) -> (usize, usize) {
    let (mut recovered, mut refused) = (0, 0);
    for (place, bytes) in original().files.iter().filter(|(place, _)| pick(place)) {
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(bytes.len(), |last| last + 1);
        for damage in Damage::all(bytes.len(), used.max(1), places) {
            match try_open(place, damage) {
                Outcome::Recovered => recovered += 1,
                Outcome::Refused(text, _folder, root) => {
                    refused += 1;
                    if is_repairable && refused % 5 == 1 {
                        check_and_repair(&format!("{} {damage:?}: {text}", place.display()), &root);
                    }
                }
            }
        }
    }
    (recovered, refused)
}

fn is_in(folder: &'static str) -> impl Fn(&Path) -> bool {
    move |place| place.starts_with(folder)
}

#[test]
fn a_damaged_journal_is_recovered_in_full_or_refused_by_name() {
    let (_, refused) = sweep(is_in("journal"), 9, true);
    assert!(refused > 50, "{refused}");
}

#[test]
fn a_damaged_snapshot_falls_back_to_the_one_before_and_the_journal() {
    let (recovered, refused) = sweep(is_in("snapshots"), 7, false);
    assert!(recovered > 50, "{recovered}");
    assert_eq!(refused, 0);
}

#[test]
fn a_damaged_list_of_snapshots_is_refused_by_name() {
    let (_, refused) = sweep(|place| place == Path::new("MANIFEST"), 12, true);
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_damaged_format_or_key_file_is_refused_by_name() {
    let (_, refused) = sweep(|place| place == Path::new("format"), 4, false);
    assert!(refused > 4, "{refused}");
    let (_, refused) = sweep(is_in("keys"), 4, false);
    assert!(refused > 20, "{refused}");
}

/// Opens a folder made of some of the files; it must be refused with these words.
#[track_caller]
fn is_refused(files: &Files, words: &[&str], is_repairable: bool) {
    let (_folder, root) = copy(files);
    let error = open(&settings(&root)).expect_err("it opens");
    let text = error.to_string();
    assert_eq!(error.exit_code(), 5, "{text}");
    for word in words {
        assert!(text.contains(word), "{word:?} is missing in {text:?}");
    }
    let again = open(&settings(&root)).expect_err("the second try opens");
    assert_eq!(again.to_string(), text, "a refusal must not change what the next start finds");
    if is_repairable {
        check_and_repair(&text, &root);
    }
}

fn without(is_gone: impl Fn(&Path) -> bool) -> Files {
    let kept = original().files.iter().filter(|(place, _)| !is_gone(place));
    kept.map(|(place, bytes)| (place.clone(), bytes.clone())).collect()
}

#[test]
fn whole_folders_that_are_gone_are_refused() {
    is_refused(&without(is_in("journal")), &["journal", "is empty", "put it back"], true);
    is_refused(&without(is_in("snapshots")), &[".snap", "missing"], true);
    is_refused(
        &without(|place| place.starts_with("journal") || place == Path::new("MANIFEST")),
        &["MANIFEST", "missing"],
        true,
    );
}

#[test]
fn a_journal_that_is_gone_before_the_first_snapshot_is_refused() {
    let mut server = Setup::default().set("snapshot.on_shutdown=false").start();
    server.json("POST", "/api/v2/users", r#"{"email":"jane@example.com"}"#).expect(201);
    server.kill9();
    let mut files = read(&server.data_dir());
    files.retain(|place, _| !place.starts_with("journal"));
    is_refused(&files, &["journal", "is empty", "put it back"], false);
}

#[test]
fn with_both_snapshots_of_a_tenant_damaged_both_are_named() {
    let mut files = original().files.clone();
    let mut names = Vec::new();
    for (place, bytes) in files.iter_mut().filter(|(place, _)| place.starts_with("snapshots")) {
        let name = place.file_name().unwrap().to_string_lossy().into_owned();
        if name.starts_with("0-") {
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            names.push(name);
        }
    }
    assert_eq!(names.len(), 2, "{names:?}");
    is_refused(&files, &[&names[0], &names[1], "dossier check"], true);
}

#[test]
fn a_format_newer_than_known_is_refused_by_name_and_not_repaired() {
    for (place, from, to) in
        [("format", "format=1", "format=2"), ("keys/keyring.toml", "format = 1", "format = 2")]
    {
        let mut files = original().files.clone();
        let text = String::from_utf8(files[Path::new(place)].clone()).unwrap();
        assert!(text.contains(from), "{text}");
        files.insert(place.into(), text.replace(from, to).into_bytes());
        is_refused(&files, &[place.rsplit('/').next().unwrap(), "newer"], false);
    }
    // Both marks of the journal, with checksums that are right.
    let mut files = original().files.clone();
    let mark = files.get_mut(Path::new("journal/HIGHWATER")).unwrap();
    let size = mark.len() / 2;
    for slot in mark.chunks_mut(size) {
        slot[8..12].copy_from_slice(&[2, 0, 2, 0]);
        let crc = crc32c::crc32c(&slot[..28]).to_le_bytes();
        slot[28..32].copy_from_slice(&crc);
    }
    is_refused(&files, &["HIGHWATER", "format 2", "newer"], false);
    let (_folder, root) = copy(&files);
    let error = repair(&root).expect_err("a repair touches what a newer release wrote");
    assert!(error.to_string().contains("newer"), "{error}");
    assert!(read(&root) == files);
}

/// Runs `dossier check`; the exit code and everything said.
fn dossier_check(folder: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(crate::harness::program())
        .arg("check")
        .args(arguments)
        .arg("--data-dir")
        .arg(folder.join("data"))
        .current_dir(folder)
        .env_clear()
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[test]
fn the_program_refuses_with_5_checks_with_5_and_starts_after_a_repair() {
    let segment =
        original().files.keys().find(|place| place.extension().is_some_and(|end| end == "seg"));
    let mut files = original().files.clone();
    let bytes = files.get_mut(segment.unwrap()).unwrap();
    // A page in the middle.
    bytes[64 * KIB..68 * KIB].fill(0);
    let (folder, _) = copy(&files);
    let name = segment.unwrap().file_name().unwrap().to_string_lossy();

    let setup = || Setup::default().config("[[tenant]]\nid = \"alpha\"\n");
    let (status, log, folder) = Server::try_on(folder, setup()).expect_err("it starts");
    assert_eq!(status.code(), Some(5), "{log}");
    assert!(log.contains(&*name) && log.contains("byte") && log.contains("dossier check"), "{log}");
    assert!(!log.contains("panicked"), "{log}");

    let (code, said) = dossier_check(folder.path(), &[]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains(&*name), "{said}");
    let (code, said) = dossier_check(folder.path(), &["--repair"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("lost") && said.contains(".broken"), "{said}");
    let (code, said) = dossier_check(folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");

    let server = Server::on(folder, setup());
    let answer = server.get("/api/v2/users?per_page=0&include_totals=true").expect(200).json();
    // The snapshots have everything that the damaged page held.
    assert_eq!(answer["total"], 70, "{}", server.log());
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

#[test]
fn the_program_never_panics_over_a_damaged_folder() {
    for (place, damage) in [
        ("MANIFEST", Damage::Cut(0)),
        ("format", Damage::Delete),
        ("keys/keyring.toml", Damage::Cut(10)),
        ("journal/MANIFEST", Damage::Delete),
        ("admin-client.json", Damage::Cut(3)),
        ("tls/ca.pem", Damage::Cut(30)),
    ] {
        let mut files = original().files.clone();
        match damage.apply(&files[Path::new(place)]) {
            Some(bytes) => files.insert(place.into(), bytes),
            None => files.remove(Path::new(place)),
        };
        let (folder, _) = copy(&files);
        let name = place.rsplit('/').next().unwrap();
        match Server::try_on(folder, Setup::default().config("[[tenant]]\nid = \"alpha\"\n")) {
            Ok(mut server) => {
                assert!(matches!(place, "admin-client.json" | "tls/ca.pem"), "{place}");
                assert_eq!(server.end_with(Signal::TERM).code(), Some(0));
                assert!(!server.log().contains("panicked"), "{place}: {}", server.log());
            }
            Err((status, log, _)) => {
                assert!(matches!(status.code(), Some(1 | 5)), "{place}: {status} {log}");
                assert!(log.contains(name) && !log.contains("panicked"), "{place}: {log}");
            }
        }
    }
}
