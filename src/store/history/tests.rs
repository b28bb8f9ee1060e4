//! What the history keeps, and lets go of.

use super::*;
use crate::domain::change::Provenance;
use crate::domain::document::tests::jane;
use crate::domain::history::{Image, Keep, Lasting, Was};
use crate::domain::json::Object;
use crate::domain::resource::Resource;
use crate::domain::time::Timestamp;
use crate::domain::user::{User, UserId};
use std::sync::Arc;

const UID: TenantUid = TenantUid(3);
const ALL: Keep = Keep { versions: 0, age_ms: 0, bytes: 0 };
const LAST: Version = Version::new(u64::MAX);

fn at(hours: i64) -> Timestamp {
    Timestamp::from_millis(hours * 3_600_000)
}

fn user(id: &str, version: u64) -> Outcome {
    let user = User { id: UserId::trusted(id), version: Version::new(version), ..jane() };
    Outcome::User(Document::of(&user))
}

fn put(store: &Store, uid: TenantUid, version: u64, outcomes: Vec<Outcome>) {
    put_at(store, uid, (version, i64::try_from(version).unwrap()), outcomes);
}

fn put_at(store: &Store, uid: TenantUid, (version, hours): (u64, i64), outcomes: Vec<Outcome>) {
    let provenance = Provenance { actor: format!("a{version}"), ..Provenance::default() };
    let change = Change { version: Version::new(version), at: at(hours), provenance, outcomes };
    let record = crate::store::format::encode_change(uid, &change);
    let mut batch = store.batch();
    batch.change(uid, &change, &record).unwrap();
    batch.mark(Mark { lsn: version, crc: crc32c::crc32c(&record) });
    batch.commit().unwrap();
}

fn versions(store: &Store, uid: TenantUid, id: &str) -> Vec<u64> {
    let images = store.images(uid, Subject::User, id, LAST);
    images.map(|image| image.unwrap().0.version.get()).collect()
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("history")).unwrap();
    (folder, store)
}

#[test]
fn images_come_newest_first_with_who_made_them() {
    let (_folder, store) = store();
    put(&store, UID, 1, vec![user("auth0|1", 1), user("auth0|2", 1)]);
    put(&store, UID, 2, vec![user("auth0|1", 2)]);
    put(&store, UID, 3, vec![Outcome::UserGone(UserId::trusted("auth0|1"))]);
    assert_eq!(versions(&store, UID, "auth0|1"), [3, 2, 1]);
    assert_eq!(versions(&store, UID, "auth0|2"), [1]);
    assert_eq!(versions(&store, TenantUid(4), "auth0|1"), [0_u64; 0]);
    let (image, _) =
        store.images(UID, Subject::User, "auth0|1", Version::new(2)).next().unwrap().unwrap();
    assert_eq!(image.provenance.unwrap().actor, "a2");
    assert!(matches!(image.was, Was::User(document) if document.version() == Version::new(2)));
    let gone = store.image(UID, Subject::User, "auth0|1", Version::new(3)).unwrap().unwrap();
    assert!(matches!(gone.was, Was::Gone));
}

#[test]
fn it_is_all_there_when_opened_again_and_knows_how_far_it_is() {
    let folder = tempfile::tempdir().unwrap();
    for round in 1..=3 {
        let store = Store::open(folder.path()).unwrap();
        put(&store, UID, round, vec![user("auth0|1", round)]);
        drop(store);
        let store = Store::open(folder.path()).unwrap();
        assert_eq!(store.mark().unwrap().unwrap().lsn, round);
        assert_eq!(versions(&store, UID, "auth0|1").len(), usize::try_from(round).unwrap());
    }
}

#[test]
fn changes_are_told_in_order_and_found_by_time() {
    let (_folder, store) = store();
    for version in 1..=20 {
        put(&store, UID, version, vec![user(&format!("auth0|{}", version % 3), version)]);
        put(&store, TenantUid(4), version, vec![user("auth0|9", version)]);
    }
    let changes = store.changes_after(UID, Version::new(17), 10).unwrap();
    assert_eq!(changes.iter().map(|change| change.version.get()).collect::<Vec<_>>(), [18, 19, 20]);
    assert_eq!(changes[0].touched, [(Subject::User, "auth0|0".to_owned())]);
    for version in 1..=21 {
        let hours = i64::try_from(version).unwrap();
        assert_eq!(store.version_before(UID, at(hours)).unwrap().get(), (version - 1).min(20));
    }
    assert_eq!(store.last_version(UID).unwrap(), Some(Version::new(20)));
    assert_eq!(store.tenants().unwrap(), [UID, TenantUid(4)]);
}

#[test]
fn what_was_changed_last_is_found_also_where_time_jumped_forward_and_back() {
    let (_folder, store) = store();
    for version in 1..=12 {
        let hours = if (5..=9).contains(&version) { 100 } else { 1 };
        put_at(&store, UID, (version, hours), vec![user("auth0|1", version)]);
    }
    for hours in [2, 50, 101] {
        assert_eq!(store.version_before(UID, at(hours)).unwrap(), Version::new(12), "{hours}");
    }
    assert_eq!(store.version_before(UID, at(0)).unwrap(), Version::ZERO);
}

#[test]
fn beyond_the_limits_one_image_stays_to_say_how_it_was() {
    let (_folder, store) = store();
    for version in 1..=10 {
        put(&store, UID, version, vec![user("auth0|1", version)]);
    }
    let retain =
        |keep: Keep, now| store.retain(UID, Subject::User, "auth0|1", &keep, at(now)).unwrap();
    retain(ALL, 100);
    assert_eq!(versions(&store, UID, "auth0|1").len(), 10);
    retain(Keep { versions: 6, ..ALL }, 100);
    assert_eq!(versions(&store, UID, "auth0|1"), [10, 9, 8, 7, 6, 5, 4]);
    assert_eq!(store.floor(UID).unwrap(), Version::new(3));
    retain(Keep { age_ms: 3 * 3_600_000, ..ALL }, 10);
    assert_eq!(versions(&store, UID, "auth0|1"), [10, 9, 8, 7, 6]);
    retain(Keep { bytes: 1, ..ALL }, 100);
    assert_eq!(versions(&store, UID, "auth0|1"), [10, 9]);
}

#[test]
fn what_is_young_stays_for_readers_of_events_up_to_a_multiple() {
    let (_folder, store) = store();
    for version in 1..=10 {
        put(&store, UID, version, vec![user("auth0|1", version)]);
    }
    // All of them are of the future: younger than the grace.
    let retain = |versions| {
        let keep = Keep { versions, ..ALL };
        store.retain(UID, Subject::User, "auth0|1", &keep, at(0)).unwrap();
    };
    retain(3);
    assert_eq!(versions(&store, UID, "auth0|1").len(), 10);
    retain(2);
    assert_eq!(versions(&store, UID, "auth0|1").len(), 9);
}

#[test]
fn a_sweep_looks_after_every_object_and_forgets_who_is_long_gone() {
    let (_folder, store) = store();
    for version in 1..=9 {
        put(&store, UID, version, vec![user(&format!("auth0|{}", version % 3), version)]);
    }
    put(&store, UID, 10, vec![Outcome::UserGone(UserId::trusted("auth0|0"))]);
    let keep = Keep { versions: 1, age_ms: 50 * 3_600_000, bytes: 0 };
    let mut place = None;
    loop {
        place = store.retain_some(place, 2, &|_| keep, at(100)).unwrap();
        if place.is_none() {
            break;
        }
    }
    assert_eq!(versions(&store, UID, "auth0|0"), [0_u64; 0]);
    assert_eq!(versions(&store, UID, "auth0|1"), [7, 4]);
    store.retain_changes(UID, 100, &keep, at(55)).unwrap();
    assert_eq!(store.changes_after(UID, Version::ZERO, 1).unwrap()[0].version, Version::new(5));
    store.retain_changes(UID, 100, &keep, at(1000)).unwrap();
    assert_eq!(store.last_version(UID).unwrap(), Some(Version::new(10)), "the last one stays");
}

#[test]
fn a_tenant_an_object_and_what_never_was_can_be_removed() {
    let (_folder, store) = store();
    for version in 1..=6 {
        put(&store, UID, version, vec![user("auth0|1", version), user("auth0|2", version)]);
        put(&store, TenantUid(4), version, vec![user("auth0|1", version)]);
    }
    store.take_back(UID, Version::new(4)).unwrap();
    assert_eq!(versions(&store, UID, "auth0|1"), [4, 3, 2, 1]);
    assert_eq!(store.last_version(UID).unwrap(), Some(Version::new(4)));
    let id = crate::domain::user::UserId::trusted("auth0|1");
    let mark = crate::domain::erasure::mark(&id, &[id.to_string()], Version::new(5));
    let erased = Change {
        version: Version::new(5),
        at: at(5),
        provenance: Provenance { actor: "a5".to_owned(), ..Provenance::default() },
        outcomes: vec![Outcome::UserGone(id), mark],
    };
    let mut batch = store.batch();
    batch.erase(UID, &erased).unwrap();
    batch.change(UID, &erased, &[]).unwrap();
    batch.commit().unwrap();
    let left: Vec<_> =
        store.images(UID, Subject::User, "auth0|1", LAST).map(Result::unwrap).collect();
    assert!(matches!(left.as_slice(), [(Image { was: Was::Erased, provenance: Some(_), .. }, _)]));
    assert_eq!(left[0].0.version, Version::new(5));
    assert_eq!(versions(&store, UID, "auth0|2"), [4, 3, 2, 1]);
    store.erase_tenant(UID).unwrap();
    assert_eq!(versions(&store, UID, "auth0|2"), [0_u64; 0]);
    assert_eq!(store.tenants().unwrap(), [TenantUid(4)]);
    assert_eq!(versions(&store, TenantUid(4), "auth0|1").len(), 6);
}

#[test]
fn what_a_snapshot_has_is_an_image_nobody_is_known_to_have_made() {
    let (_folder, store) = store();
    let mut batch = store.batch();
    let Outcome::User(document) = user("auth0|1", 5) else { unreachable!() };
    batch.user(UID, &document);
    let client = Arc::new(crate::domain::client::Client {
        id: "c".to_owned(),
        version: Version::new(2),
        settings: crate::domain::json::Object::empty(),
        client_metadata: None,
        secret: None,
        is_global: false,
        made_at: Version::new(2),
        keys: crate::domain::keys::KeyVersions::default(),
    });
    batch.client(UID, &client);
    batch.tenant("alpha", UID);
    batch.commit().unwrap();
    let image = store.image(UID, Subject::User, "auth0|1", Version::new(5)).unwrap().unwrap();
    assert!(image.provenance.is_none());
    assert!(store.image(UID, Subject::Client, "c", Version::new(2)).unwrap().is_some());
    assert_eq!(store.tenant_named("alpha").unwrap(), Some(UID));
}

#[test]
fn a_folder_of_another_format_or_of_rubbish_is_refused_and_can_be_put_aside() {
    let folder = tempfile::tempdir().unwrap();
    let own = folder.path().join("history");
    let store = Store::open(&own).unwrap();
    store.tree.insert(keys::meta("format"), b"2").unwrap();
    drop(store);
    assert!(matches!(Store::open(&own), Err(HistoryError::Format)));
    for _ in 0..2 {
        let aside = set_aside(&own).unwrap();
        assert!(aside.exists() && !own.exists());
        std::fs::create_dir(&own).unwrap();
        std::fs::write(own.join("version"), b"rubbish").unwrap();
        Store::open(&own).unwrap_err();
    }
}

#[test]
fn what_was_removed_is_in_no_file_once_it_is_shredded() {
    let (folder, store) = store();
    let id = UserId::trusted("auth0|1");
    let marker = "q7Zp2XvK9mTb4LwY";
    let named = User {
        id: id.clone(),
        profile: crate::domain::user::Profile {
            name: Some(marker.to_owned()),
            ..crate::domain::user::Profile::default()
        },
        ..jane()
    };
    put(&store, UID, 1, vec![Outcome::User(Document::of(&named)), user("auth0|2", 1)]);
    store.persist().unwrap();
    assert!(!holders(folder.path(), marker).is_empty(), "it is there before");
    let mark = crate::domain::erasure::mark(&id, &[id.to_string()], Version::new(2));
    let change = Change {
        version: Version::new(2),
        at: at(2),
        provenance: Provenance::default(),
        outcomes: vec![Outcome::UserGone(id), mark],
    };
    let mut batch = store.batch();
    batch.erase(UID, &change).unwrap();
    batch.commit().unwrap();
    store.persist().unwrap();
    assert!(!holders(folder.path(), marker).is_empty(), "the engine keeps what was removed");
    store.shred().unwrap();
    assert_eq!(holders(folder.path(), marker), Vec::<PathBuf>::new());
    assert_eq!(versions(&store, UID, "auth0|2"), [1]);
    drop(store);
    let store = Store::open(&folder.path().join("history")).unwrap();
    assert_eq!(versions(&store, UID, "auth0|1"), [2]);
    assert_eq!(versions(&store, UID, "auth0|2"), [1]);
}

/// Files that hold a text.
fn holders(folder: &Path, text: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(holders(&path, text));
        } else if let Ok(bytes) = std::fs::read(&path)
            && memchr::memmem::find(&bytes, text.as_bytes()).is_some()
        {
            found.push(path);
        }
    }
    found
}

const SETTINGS: Subject = Subject::Resource(Lasting::Settings);

fn settings(version: u64) -> Outcome {
    Outcome::Resource(Arc::new(setting(version)))
}

fn setting(version: u64) -> Resource {
    let body = Object::empty().with("friendly_name", &format!("\"{version}\""));
    let (kind, id) = (ResourceKind::Settings, "settings".to_owned());
    Resource { kind, id, version: Version::new(version), body }
}

/// Which of the images of the settings, oldest first, say that there were none before.
fn makings(store: &Store) -> Vec<(u64, bool)> {
    let images = store.images(UID, SETTINGS, "settings", LAST);
    let mut all: Vec<_> = images
        .map(|image| image.unwrap().0)
        .map(|image| (image.version.get(), image.is_making()))
        .collect();
    all.reverse();
    all
}

#[test]
fn a_resource_is_made_by_its_first_change_where_everything_is_known() {
    let (_folder, store) = store();
    put(&store, UID, 1, vec![user("auth0|1", 1)]);
    put(&store, UID, 2, vec![settings(2)]);
    put(&store, UID, 3, vec![settings(3)]);
    let gone = Outcome::ResourceGone(ResourceKind::Settings, "settings".to_owned());
    put(&store, UID, 4, vec![gone]);
    put(&store, UID, 5, vec![settings(5)]);
    assert_eq!(makings(&store), [(2, true), (3, false), (4, false), (5, false)]);
    assert_eq!(store.resources_from(UID).unwrap(), Some(Version::ZERO));
    assert_eq!(store.changes_after(UID, Version::new(1), 9).unwrap().len(), 4);
}

#[test]
fn two_changes_of_one_batch_make_a_resource_once() {
    let (_folder, store) = store();
    let mut batch = store.batch();
    for version in 1..=3 {
        let (at, provenance) = (at(1), Provenance::default());
        let (version, outcomes) = (Version::new(version), vec![settings(version)]);
        let change = Change { version, at, provenance, outcomes };
        let record = crate::store::format::encode_change(UID, &change);
        batch.change(UID, &change, &record).unwrap();
    }
    batch.commit().unwrap();
    assert_eq!(makings(&store), [(1, true), (2, false), (3, false)]);
}

#[test]
fn from_a_snapshot_on_what_had_no_base_was_made() {
    let (_folder, store) = store();
    let mut batch = store.batch();
    batch.resource(UID, &setting(7));
    batch.resources_whole_from(UID, Version::new(9));
    batch.commit().unwrap();
    // The journal begins before the snapshot: of what it tells first, nobody knows what was before.
    put(&store, UID, 6, vec![settings(6)]);
    put(&store, UID, 10, vec![settings(10)]);
    assert_eq!(makings(&store), [(6, false), (7, false), (10, false)]);
    let api = Resource { kind: ResourceKind::ResourceServer, ..setting(11) };
    put(&store, UID, 11, vec![Outcome::Resource(Arc::new(api))]);
    let subject = Subject::Resource(Lasting::ResourceServer);
    let image = store.image(UID, subject, "settings", Version::new(11)).unwrap().unwrap();
    assert!(image.is_making());
}

#[test]
fn a_history_that_kept_no_resources_tells_of_them_from_then_on() {
    let (_folder, store) = store();
    put(&store, UID, 5, vec![user("auth0|1", 5)]);
    assert_eq!(store.resources_from(UID).unwrap(), None);
    let mut batch = store.batch();
    batch.resources_begin(UID).unwrap();
    batch.resources_begin(TenantUid(9)).unwrap();
    batch.commit().unwrap();
    assert_eq!(store.resources_from(UID).unwrap(), Some(Version::new(5)));
    assert_eq!(store.resources_from(TenantUid(9)).unwrap(), None, "it has no change yet");
    put(&store, UID, 6, vec![settings(6)]);
    assert_eq!(makings(&store), [(6, false)]);
    let mut batch = store.batch();
    batch.resources_begin(UID).unwrap();
    batch.commit().unwrap();
    assert_eq!(store.resources_from(UID).unwrap(), Some(Version::new(5)), "it began once");
}

#[test]
fn letting_go_of_a_resource_lets_go_of_no_whole_tenant() {
    let (_folder, store) = store();
    for version in 1..=6 {
        put(&store, UID, version, vec![settings(version)]);
    }
    let keep = Keep { versions: 2, ..ALL };
    store.retain(UID, SETTINGS, "settings", &keep, at(1000)).unwrap();
    assert_eq!(makings(&store), [(4, false), (5, false), (6, false)]);
    assert_eq!(store.floor(UID).unwrap(), Version::ZERO);
}

#[test]
fn the_mark_of_an_erasure_is_no_setting() {
    let (_folder, store) = store();
    let mark = Resource { id: "erasure:auth0|1".to_owned(), ..setting(1) };
    put(&store, UID, 1, vec![Outcome::Resource(Arc::new(mark))]);
    assert_eq!(store.images(UID, SETTINGS, "erasure:auth0|1", LAST).count(), 0);
}
