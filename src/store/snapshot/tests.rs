//! What a snapshot promises: it comes back whole, or not at all.

use super::layout::{FIXED_BYTES, Footer, Header, block_crc, encode_block_head};
use super::*;
use crate::domain::client::{Client, Secret};
use crate::domain::document::tests::jane;
use crate::domain::document::{Document, Parts, Place};
use crate::domain::json::Object;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::time::Timestamp;
use crate::store::data_dir::tests::{fresh, mode};
use crate::store::data_dir::{self, DataDir};
use crate::store::{StoreError, format};
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn header(uid: u64, version: u64) -> Header {
    let created = Timestamp::from_millis(1_790_000_000_000);
    Header { uid: TenantUid(uid), version: Version::new(version), lsn: 10 * version, created }
}

/// A user with a profile of about `bytes` bytes.
fn user(number: usize, bytes: usize) -> Document {
    let id = format!("auth0|{number:08}");
    let json = format!("{{\"user_id\":\"{id}\",\"x\":\"{}\"}}", "é".repeat(bytes / 2));
    Document::assemble(&Parts {
        version: Version::new(number.try_into().unwrap()),
        created_at: Timestamp::from_millis(1),
        updated_at: Timestamp::from_millis(2),
        id: &id,
        json: &json,
        user_metadata: Place::default(),
        app_metadata: Place::default(),
        private: "",
    })
}

fn client(number: usize) -> Client {
    Client {
        id: format!("client{number}"),
        version: Version::new(1),
        settings: Object::parse(r#"{"name":"Shop"}"#, 8).unwrap(),
        client_metadata: None,
        secret: Some(Secret::Plain("s".to_owned())),
        is_global: false,
        made_at: Version::new(1),
        keys: crate::domain::keys::KeyVersions::default(),
    }
}

fn resource(number: usize) -> Resource {
    Resource {
        kind: ResourceKind::Connection,
        id: format!("con_{number}"),
        version: Version::new(2),
        body: Object::parse(r#"{"name":"x"}"#, 8).unwrap(),
    }
}

/// Writes users in pieces of `piece`, with as many clients and resources as asked for.
fn dump(dir: &DataDir, header: Header, users: &[Document], piece: usize, others: usize) -> Written {
    let clients: Vec<Client> = (0..others).map(client).collect();
    let resources: Vec<Resource> = (0..others).map(resource).collect();
    let mut source = users.chunks(piece).map(<[Document]>::to_vec);
    write(dir, header, &mut source, &clients, &resources, &mut Unpaced).unwrap()
}

#[track_caller]
fn check(users: &[Document], piece: usize, others: usize, threads: usize) -> Written {
    let (_place, dir) = fresh();
    let written = dump(&dir, header(3, 9), users, piece, others);
    let loaded = read(&written.path, threads).unwrap();
    assert_eq!(loaded.header, header(3, 9));
    assert_eq!(loaded.documents.len(), users.len());
    for (read, user) in loaded.documents.iter().zip(users) {
        assert_eq!(format::encode_block(std::slice::from_ref(read), &[], &[]), block_of(user));
    }
    assert_eq!(loaded.clients, (0..others).map(client).collect::<Vec<_>>());
    assert_eq!(loaded.resources, (0..others).map(resource).collect::<Vec<_>>());
    let summary = verify(&written.path).unwrap();
    let others = u64::try_from(others).unwrap();
    assert_eq!(
        (summary.users, summary.clients, summary.resources),
        (written.users, others, others)
    );
    assert_eq!((summary.blocks, summary.bytes), (written.blocks, written.bytes));
    assert_eq!(fs::metadata(&written.path).unwrap().len(), written.bytes);
    written
}

fn block_of(user: &Document) -> Vec<u8> {
    format::encode_block(std::slice::from_ref(user), &[], &[])
}

#[test]
fn thousands_of_users_come_back_in_order_on_any_number_of_threads() {
    let users: Vec<Document> = (0..5000).map(|number| user(number, number % 500)).collect();
    for threads in [0, 1, 2, 7] {
        let written = check(&users, 1024, 2000, threads);
        assert!(written.blocks > 5, "{written:?}");
    }
}

#[test]
fn small_pieces_share_a_block_and_big_users_have_their_own() {
    let small: Vec<Document> = (0..1000).map(|number| user(number, 100)).collect();
    assert_eq!(check(&small, 1, 0, 2).blocks, 1);
    let big: Vec<Document> = (0..5).map(|number| user(number, 1024 * 1024)).collect();
    assert_eq!(check(&big, 3, 0, 2).blocks, 5);
}

#[test]
fn a_tenant_without_anything_comes_back_without_anything() {
    assert_eq!(check(&[], 1, 0, 2).blocks, 0);
}

#[test]
fn a_real_user_comes_back_as_it_was() {
    let (_place, dir) = fresh();
    let written = dump(&dir, header(0, 1), &[Document::of(&jane())], 1, 0);
    assert_eq!(read(&written.path, 1).unwrap().documents[0].user(), jane());
}

#[test]
fn a_snapshot_is_private_and_nothing_lies_beside_it() {
    let (_place, dir) = fresh();
    let written = dump(&dir, header(3, 9), &[user(1, 10)], 1, 1);
    assert_eq!(mode(&written.path), 0o600);
    assert_eq!(written.file, "3-9.snap");
    assert_eq!(data_dir::list(&dir.snapshots()).unwrap(), [written.file]);
}

#[test]
fn a_snapshot_never_takes_the_place_of_another() {
    let (_place, dir) = fresh();
    let files = [1, 2, 3].map(|number| dump(&dir, header(3, 9), &[user(number, 10)], 1, 0).file);
    assert_eq!(files, ["3-9.snap", "3-9-2.snap", "3-9-3.snap"]);
    assert!(files.iter().all(|file| is_file_name(file, TenantUid(3), Version::new(9))));
    for other in [
        "3-9",
        "3-99.snap",
        "13-9.snap",
        "3-9-.snap",
        "3-9-x.snap",
        "3-9-/../x.snap",
        "3-9.snap.tmp",
    ] {
        assert!(!is_file_name(other, TenantUid(3), Version::new(9)), "{other}");
    }
}

/// Counts what a pace is told.
#[derive(Default)]
struct Steps(Vec<u64>);

impl Pace for Steps {
    fn step(&mut self, bytes: u64, _took: Duration) {
        self.0.push(bytes);
    }
}

#[test]
fn the_pace_hears_of_every_mib() {
    let (_place, dir) = fresh();
    let users: Vec<Document> = (0..5000).map(|number| user(number, 1000)).collect();
    let mut steps = Steps::default();
    let mut source = users.chunks(1024).map(<[Document]>::to_vec);
    let written =
        write::<Client, Resource>(&dir, header(3, 9), &mut source, &[], &[], &mut steps).unwrap();
    assert!(steps.0.len() > 8, "once for writing and once for reading back: {:?}", steps.0);
    assert!(steps.0.iter().all(|&bytes| bytes < 2 * 1024 * 1024), "{:?}", steps.0);
    assert!(steps.0.iter().sum::<u64>() > written.bytes * 3 / 2);
}

#[test]
fn a_snapshot_that_cannot_be_written_leaves_nothing() {
    let (_place, dir) = fresh();
    fs::remove_dir(dir.snapshots()).unwrap();
    fs::write(dir.snapshots(), "a file").unwrap();
    let mut none = std::iter::empty();
    let result = write::<Client, Resource>(&dir, header(3, 9), &mut none, &[], &[], &mut Unpaced);
    assert!(matches!(result, Err(StoreError::Io { .. })), "{result:?}");
    assert_eq!(fs::read(dir.snapshots()).unwrap(), b"a file");
}

/// A small snapshot with a few blocks, and its bytes.
fn small() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let (place, dir) = fresh();
    let written = dump(&dir, header(3, 9), &[user(1, 60), user(2, 0)], 1, 1);
    assert_eq!(written.blocks, 3);
    let bytes = fs::read(&written.path).unwrap();
    (place, written.path, bytes)
}

#[test]
fn the_bytes_of_format_1_stay_as_they_are() {
    let (_place, _path, bytes) = small();
    let header = [
        "444f53534e41500a",
        "0100",
        "0100",
        "0300000000000000",
        "0900000000000000",
        "5a00000000000000",
        "006c50c4a0010000",
        "6de53199",
    ];
    let hex = |hex, byte| format!("{hex}{byte:02x}");
    assert_eq!(bytes[..FIXED_BYTES].iter().fold(String::new(), hex), header.concat());
    assert_eq!((bytes.len(), crc32c::crc32c(&bytes)), (599, 4_187_482_089));
}

/// What both readers say to these bytes; they must agree.
#[track_caller]
fn refusal(path: &Path, bytes: &[u8], what: &str) -> StoreError {
    fs::write(path, bytes).unwrap();
    let read = read(path, 2).expect_err(what);
    let verified = verify(path).expect_err(what);
    assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(&verified), "{what}");
    read
}

#[track_caller]
fn damaged(path: &Path, bytes: &[u8], what: &str) -> String {
    match refusal(path, bytes, what) {
        StoreError::Damaged { path: told, offset, reason } => {
            assert_eq!(told, path);
            assert!(offset <= u64::try_from(bytes.len()).unwrap(), "{what}: {offset}");
            reason
        }
        other @ (StoreError::Io { .. } | StoreError::Newer { .. } | StoreError::Locked(_)) => {
            panic!("{what}: {other}")
        }
    }
}

#[test]
fn no_cut_goes_unnoticed() {
    let (_place, path, bytes) = small();
    for end in 0..bytes.len() {
        damaged(&path, &bytes[..end], &format!("cut at {end}"));
    }
}

#[test]
fn no_flipped_bit_goes_unnoticed() {
    let (_place, path, bytes) = small();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        damaged(&path, &flipped, &format!("bit {bit}"));
    }
}

#[test]
fn nothing_stands_behind_a_snapshot() {
    let (_place, path, bytes) = small();
    for behind in [vec![0], bytes.clone(), bytes[bytes.len() - FIXED_BYTES..].to_vec()] {
        damaged(&path, &[bytes.as_slice(), &behind].concat(), "longer");
    }
}

#[test]
fn an_empty_file_and_a_file_of_zeros_are_refused() {
    let (_place, path, bytes) = small();
    assert_eq!(damaged(&path, &[], "empty"), "it is too short for a snapshot");
    damaged(&path, &vec![0; bytes.len()], "zeros");
}

#[test]
fn a_zeroed_page_is_refused_wherever_it_lies() {
    let (_place, dir) = fresh();
    let users: Vec<Document> = (0..600).map(|number| user(number, 1000)).collect();
    let path = dump(&dir, header(3, 9), &users, 100, 1).path;
    let bytes = fs::read(&path).unwrap();
    for page in 0..bytes.len().div_ceil(4096) {
        let mut zeroed = bytes.clone();
        let end = bytes.len().min((page + 1) * 4096);
        zeroed[page * 4096..end].fill(0);
        damaged(&path, &zeroed, &format!("page {page}"));
    }
}

#[test]
fn the_footer_of_another_snapshot_is_refused() {
    let (_place, path, bytes) = small();
    let (_other, dir) = fresh();
    for (uid, version) in [(4, 9), (3, 8)] {
        let other = dump(&dir, header(uid, version), &[user(1, 60), user(2, 0)], 1, 1);
        let other = fs::read(other.path).unwrap();
        assert_eq!(other.len(), bytes.len());
        for at in [FIXED_BYTES, bytes.len() - FIXED_BYTES] {
            damaged(&path, &[&bytes[..at], &other[at..]].concat(), "two halves");
        }
    }
}

/// A file with a good header and a good footer around these blocks.
fn around(blocks: &[u8], footer: Footer) -> Vec<u8> {
    let (head, salt) = header(3, 9).encode();
    [&head, blocks, &footer.encode(salt)].concat()
}

/// A block as it lies in a file.
fn framed(number: u64, bytes: &[u8]) -> (Vec<u8>, u32) {
    let (_, salt) = header(3, 9).encode();
    let crc = block_crc(salt, number, bytes);
    let head = encode_block_head(bytes.len().try_into().unwrap(), crc);
    ([&head, bytes].concat(), crc)
}

#[test]
fn hostile_lengths_cost_no_memory() {
    let (_place, path, _) = small();
    let most = u64::MAX;
    let footer = Footer { users: most, clients: most, resources: most, blocks: most, total: 0 };
    for len in [0, 1, 24, 26, 1 << 20, u32::MAX] {
        let blocks = [encode_block_head(len, 0).as_slice(), &[1; 25]].concat();
        damaged(&path, &around(&blocks, footer), &format!("a block of {len}"));
    }
    damaged(&path, &around(&[], footer), "counts without blocks");
    let mut vector = vec![1];
    vector.extend_from_slice(&[0xff; 24]);
    let (block, crc) = framed(0, &vector);
    let mut footer = Footer { users: most, ..Footer::default() };
    footer.count_block(crc);
    let reason = damaged(&path, &around(&block, footer), "a block with hostile counts");
    assert_eq!(reason, "the record does not decode");
}

#[test]
fn fewer_users_than_the_footer_counts_are_refused() {
    let (_place, path, _) = small();
    let (block, crc) = framed(0, &block_of(&user(1, 5)));
    for users in [0, 2] {
        let mut footer = Footer { users, ..Footer::default() };
        footer.count_block(crc);
        let reason = damaged(&path, &around(&block, footer), "other counts");
        assert!(reason.contains("its blocks hold [1, 0, 0]"), "{reason}");
    }
    let mut footer = Footer { users: 1, ..Footer::default() };
    footer.count_block(crc);
    footer.count_block(crc);
    damaged(&path, &around(&block, footer), "a block is missing");
}

#[test]
fn blocks_in_another_order_are_refused() {
    let (_place, path, _) = small();
    let (first, crc) = framed(0, &block_of(&user(1, 5)));
    let (second, other) = framed(1, &block_of(&user(2, 5)));
    let mut footer = Footer { users: 2, ..Footer::default() };
    footer.count_block(crc);
    footer.count_block(other);
    fs::write(&path, around(&[first.clone(), second.clone()].concat(), footer)).unwrap();
    assert_eq!(read(&path, 2).unwrap().documents.len(), 2);
    damaged(&path, &around(&[second, first].concat(), footer), "swapped");
}

#[test]
fn a_block_of_a_newer_format_is_refused_by_number() {
    let (_place, path, _) = small();
    let mut bytes = block_of(&user(1, 5));
    bytes[0] = 2;
    let (block, crc) = framed(0, &bytes);
    let mut footer = Footer { users: 1, ..Footer::default() };
    footer.count_block(crc);
    let error = refusal(&path, &around(&block, footer), "newer");
    assert!(matches!(error, StoreError::Newer { found: 2, .. }), "{error}");
}

fn is_damaged<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Damaged { .. }))
}

proptest! {
    #[test]
    fn whatever_is_in_a_file_is_refused_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        has_ends in any::<bool>(),
        blocks in 0..4_u64,
    ) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("3-9.snap");
        let footer = Footer { blocks, users: 1, ..Footer::default() };
        fs::write(&path, if has_ends { around(&bytes, footer) } else { bytes }).unwrap();
        prop_assert!(is_damaged(&read(&path, 2)));
        prop_assert!(is_damaged(&verify(&path)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_users_in_any_pieces_come_back(
        sizes in prop::collection::vec(0..3000_usize, 0..300),
        piece in 1..1024_usize,
        threads in 1..4_usize,
    ) {
        let users: Vec<Document> = sizes.iter().enumerate().map(|(number, &size)| user(number, size)).collect();
        check(&users, piece, sizes.len() / 10, threads);
    }
}
