//! What fuzzing and property tests do with arbitrary bytes: nothing may panic, and what is
//! taken keeps its laws.

use dossier::domain::change::{Change, Channel, Outcome, Provenance};
use dossier::domain::json::Object;
use dossier::domain::resource::{Resource, ResourceKind};
use dossier::domain::search::{self, Record};
use dossier::domain::time::{Timestamp, Version};
use dossier::domain::user::UserId;
use dossier::http::query::Query;
use dossier::http::tokens::{Audience, Claims, Expect, KeyRing, SigningKey, TokenTenant};
use dossier::http::v2::jobs::multipart::parts;
use dossier::journal::testing::SimDisk;
use dossier::journal::{Embedded, Journal, Lsn, Options, check};
use dossier::store::format::{self, TenantUid};
use futures_util::FutureExt;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

/// What is done with arbitrary bytes.
type Body = fn(&[u8]);

/// All bodies, by the names of their targets.
pub const ALL: &[(&str, Body)] = &[
    ("merge", merge),
    ("query_string", query_string),
    ("journal_frames", journal_frames),
    ("snapshot_blocks", snapshot_blocks),
    ("token", token),
    ("search_query", search_query),
    ("multipart", multipart),
];

/// Two JSON texts with a NUL between them: the second is merged into the first.
pub fn merge(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (before, patch) = text.split_once('\0').unwrap_or(("{}", text));
    let (Ok(before), Ok(patch)) = (Object::parse(before, 64), Object::parse(patch, 64)) else {
        return;
    };
    let once = before.merge_root(&patch);
    assert!(Object::parse(once.as_json(), 64).is_ok(), "a merge made {once:?}");
    if !patch.is_empty() {
        assert_eq!(once.merge_root(&patch).as_json(), once.as_json());
    }
}

/// The part of a URL behind the question mark.
pub fn query_string(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(query) = Query::parse(text) {
        assert!(query.pairs().count() <= text.len());
    }
}

/// A content type and, behind a NUL, a body of it: no part is invented, and it never waits.
pub fn multipart(data: &[u8]) {
    let mut halves = data.splitn(2, |&byte| byte == 0);
    let content_type = halves.next().and_then(|text| std::str::from_utf8(text).ok());
    let body = halves.next().unwrap_or_default().to_vec();
    let size_bytes = body.len();
    let read = parts(content_type, body.into()).now_or_never().expect("all of it is there");
    if let Ok(parts) = read {
        let held: usize = parts.iter().map(|(name, bytes)| name.len() + bytes.len()).sum();
        assert!(parts.len() <= 32 && held <= size_bytes, "{} parts, {held} bytes", parts.len());
    }
}

/// Bytes over a part of a good journal: it opens with a beginning of its records, or is refused.
pub fn journal_frames(data: &[u8]) {
    const RECORDS: u64 = 40;
    const SEGMENT: &str = "00000000000000000001.seg";
    static GOOD: OnceLock<SimDisk> = OnceLock::new();
    let good = GOOD.get_or_init(|| {
        let disk = SimDisk::new();
        let options = Options { preallocate_bytes: 0, ..Options::new(1) };
        let (journal, _) = Embedded::open(Arc::new(disk.clone()), &options).expect("it is new");
        for number in 1..=RECORDS {
            journal.append(0, vec![number.to_le_bytes()[0]; 30]).expect("there is room");
        }
        drop(journal);
        disk
    });
    let disk = good.fork();
    let segment = disk.contents(SEGMENT).expect("it was written");
    disk.put(SEGMENT, &changed(&segment, data));
    let report = check(&disk).expect("a disk in memory can be read");
    match Embedded::open(Arc::new(disk), &Options::new(2)) {
        Err(_) => assert!(!report.problems.is_empty(), "refused, though the check finds nothing"),
        Ok((journal, _)) => {
            let mut next = 1_u64;
            let replayed = journal.replay(Lsn::ZERO, &mut |lsn, payload| {
                let wanted = [next.to_le_bytes()[0]; 30];
                assert_eq!((lsn, payload), (Lsn::new(next), &wanted[..]));
                next += 1;
                ControlFlow::Continue(())
            });
            assert!(
                replayed.is_ok() && next > RECORDS,
                "records up to {next} are left, all were durable"
            );
        }
    }
}

/// Good bytes with others over a part of them; the first two say where.
fn changed(good: &[u8], data: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    if let Some((place, over)) = data.split_first_chunk::<2>() {
        let start = usize::from(u16::from_le_bytes(*place)) % bytes.len();
        for (old, new) in bytes.iter_mut().skip(start).zip(over) {
            *old = *new;
        }
    }
    bytes
}

/// The inside of a snapshot block or of a journal record: as it comes, and over a good record.
pub fn snapshot_blocks(data: &[u8]) {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    let good = GOOD.get_or_init(|| {
        let text = |text: &str| text.to_owned();
        let job = |id: &str| {
            Outcome::Resource(Arc::new(Resource {
                kind: ResourceKind::Job,
                id: text(id),
                version: Version::new(7),
                body: Object::parse(r#"{"a":[1,"b"]}"#, 64).expect("it is an object"),
            }))
        };
        let gone = Outcome::UserGone(UserId::parse("auth0|1").expect("it is an id"));
        let change = Change {
            version: Version::new(7),
            at: Timestamp::from_millis(1),
            provenance: Provenance {
                actor: text("a@clients"),
                client_id: text("a"),
                channel: Channel::V2,
                request_id: text("r"),
                reason: Some(text("because")),
            },
            outcomes: vec![job("one"), job("two"), gone],
        };
        format::encode_change(TenantUid(3), &change)
    });
    for bytes in [data, &changed(good, data)] {
        if let Ok(block) = format::decode_block(bytes) {
            let count = block.documents.len() + block.clients.len() + block.resources.len();
            assert!(count <= bytes.len(), "{count} things out of {} bytes", bytes.len());
        }
        // A record that can be read names the same tenant and version at a glance, and is written
        // as it was read.
        if let Ok((uid, change)) = format::decode_change(bytes) {
            assert_eq!(format::peek_change(bytes).ok(), Some((uid, change.version)));
            assert_eq!(format::encode_change(uid, &change), bytes);
        }
    }
}

/// The text behind `Bearer`, as it comes and over a good one. Nobody can make one that is taken.
pub fn token(data: &[u8]) {
    static MADE: OnceLock<(KeyRing, String)> = OnceLock::new();
    let tenant = TokenTenant { uid: 0, id: "default" };
    let (ring, good) = MADE.get_or_init(|| {
        let pem = SigningKey::generate_pem().expect("there is chance");
        let ring = KeyRing::new(SigningKey::from_pem(&pem).expect("it is new"), None, Vec::new());
        let text = |text: &str| text.to_owned();
        let claims = Claims {
            iss: text("i"),
            sub: text("a@clients"),
            aud: Audience::One(text("a")),
            iat: 0,
            exp: 100,
            nbf: None,
            scope: text("read:users"),
            gty: None,
            azp: None,
        };
        let good = ring.sign(tenant, &claims);
        (ring, good)
    });
    let expect = Expect { issuers: &["i"], audiences: &["a"], now: 1, leeway: 0 };
    assert!(ring.verify(tenant, good, &expect).is_ok(), "the good one is not");
    for bytes in [data, &changed(good.as_bytes(), data)] {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text != good);
        let verified = text.map(|text| ring.verify(tenant, text, &expect).is_ok());
        assert_ne!(verified, Some(true), "{text:?}");
    }
}

/// A search in the language of users.
pub fn search_query(data: &[u8]) {
    const USER: &str = r#"{"email":"a@b","user_metadata":{"x":[1,{"y":"z"}]},"created_at":"2020-01-01T00:00:00.000Z"}"#;
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(query) = search::Query::parse(text, search::Rules::default()) {
        let found = query.matches(&Record::new(USER));
        let again = search::Query::parse(&query.to_string(), search::Rules::default());
        let again = again.unwrap_or_else(|error| panic!("{text:?} prints as {query}: {error:?}"));
        assert_eq!(again.matches(&Record::new(USER)), found, "{text:?} prints as {query}");
    }
}
