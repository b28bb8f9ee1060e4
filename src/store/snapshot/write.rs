//! Writing a snapshot, in small steps and at somebody else's pace.

use super::layout::{Footer, Header, MIN_BLOCK_BYTES, block_crc, encode_block_head};
use super::read::Dump;
use crate::domain::client::Client;
use crate::domain::document::Document;
use crate::domain::resource::Resource;
use crate::domain::time::Version;
use crate::store::data_dir::{DataDir, create_private, put_in_place, unfinished};
use crate::store::format::TenantUid;
use crate::store::{StoreError, format};
use std::borrow::Borrow;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Bytes at which a block is full enough.
const BLOCK_BYTES: usize = 256 * 1024;

/// Bytes of which the disk is told at once. More would make other writers wait longer.
const STEP_BYTES: u64 = 1024 * 1024;

/// What a stored user, client or resource takes beside its texts, roughly.
const OVERHEAD_BYTES: usize = 64;

/// How fast a snapshot may use the disk.
pub trait Pace {
    /// Comes after each step: `bytes` went to the disk or came from it in the time `took`. It
    /// may wait as long as it likes.
    fn step(&mut self, bytes: u64, took: Duration);
}

/// As fast as the disk allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unpaced;

impl Pace for Unpaced {
    fn step(&mut self, _bytes: u64, _took: Duration) {}
}

/// A snapshot that is on disk and was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Its name in the folder of snapshots.
    pub file: String,
    /// Its length.
    pub bytes: u64,
    /// How many users it holds.
    pub users: u64,
    /// How many blocks it has.
    pub blocks: u64,
}

/// Writes the snapshot of one tenant, and reads it back from the disk.
///
/// `source` gives the users in pieces of any size. The file is written beside its place, synced
/// at least once in a MiB, renamed, the folder synced, and every checksum verified. It never
/// takes the place of another snapshot. It does not count until the manifest names it.
///
/// # Errors
/// What the system refused, or that the bytes read back are not the ones written; then nothing
/// is left of it.
pub fn write<C: Borrow<Client>, R: Borrow<Resource>>(
    dir: &DataDir,
    header: Header,
    source: &mut dyn Iterator<Item = Vec<Document>>,
    clients: &[C],
    resources: &[R],
    pace: &mut dyn Pace,
) -> Result<Written, StoreError> {
    let file = free_name(dir, header.uid, header.version);
    let path = dir.snapshots().join(&file);
    let beside = unfinished(&path);
    let mut out = Out::begin(&beside, header, &mut *pace)?;
    let written = out.everything(source, clients, resources);
    let (bytes, counts) = (out.bytes, out.counts);
    put_in_place(&beside, &path, written)?;
    if let Err(error) = read_back(&path, counts, pace) {
        // Best effort: the manifest does not name it, so it does not count.
        drop(fs::remove_file(&path));
        return Err(error);
    }
    Ok(Written { path, file, bytes, users: counts.users, blocks: counts.blocks })
}

/// A name no snapshot has: the one the next of a tenant at this version gets.
pub fn free_name(dir: &DataDir, uid: TenantUid, version: Version) -> String {
    let folder = dir.snapshots();
    (1..=u32::MAX)
        .map(|nth| super::file_name(uid, version, nth))
        .find(|name| !folder.join(name).exists())
        .expect("a folder holds fewer than four thousand million files")
}

/// Checks what the disk has, not what the page cache remembers.
fn read_back(path: &Path, counts: Footer, pace: &mut dyn Pace) -> Result<(), StoreError> {
    let dump = Dump::open(path)?;
    dump.forget_cached();
    let (mut bytes, mut since) = (0, Instant::now());
    dump.each(|_, block| {
        bytes += length(block.len());
        if bytes >= STEP_BYTES {
            pace.step(bytes, since.elapsed());
            (bytes, since) = (0, Instant::now());
        }
        Ok(())
    })?;
    // Nobody reads it again before the next start, others need the memory.
    dump.forget_cached();
    if dump.footer == counts {
        Ok(())
    } else {
        Err(dump.damaged(0, "other counts were read back than written"))
    }
}

/// A snapshot that is being written.
struct Out<'a> {
    file: File,
    path: &'a Path,
    salt: u32,
    counts: Footer,
    bytes: u64,
    unsynced: u64,
    took: Duration,
    pace: &'a mut dyn Pace,
}

impl<'a> Out<'a> {
    fn begin(path: &'a Path, header: Header, pace: &'a mut dyn Pace) -> Result<Self, StoreError> {
        let file = create_private(path)?;
        let (head, salt) = header.encode();
        let counts = Footer::default();
        let mut out =
            Self { file, path, salt, counts, bytes: 0, unsynced: 0, took: Duration::ZERO, pace };
        let begun = out.put(&head);
        if begun.is_err() {
            drop(fs::remove_file(path));
        }
        begun.map(|()| out)
    }

    fn everything<C: Borrow<Client>, R: Borrow<Resource>>(
        &mut self,
        source: &mut dyn Iterator<Item = Vec<Document>>,
        clients: &[C],
        resources: &[R],
    ) -> Result<(), StoreError> {
        let clients: Vec<&Client> = clients.iter().map(Borrow::borrow).collect();
        self.in_blocks(
            &mut clients.into_iter(),
            |client| client_bytes(client),
            |out, some| out.block(&[], some, &[]),
        )?;
        let resources: Vec<&Resource> = resources.iter().map(Borrow::borrow).collect();
        self.in_blocks(
            &mut resources.into_iter(),
            |resource| resource_bytes(resource),
            |out, some| out.block(&[], &[], some),
        )?;
        self.in_blocks(&mut source.flatten(), Document::size_bytes, |out, some| {
            out.block(some, &[], &[])
        })?;
        let footer = self.counts.encode(self.salt);
        self.put(&footer)?;
        self.sync(File::sync_all)
    }

    /// Gathers items until a block is full enough.
    fn in_blocks<T>(
        &mut self,
        items: &mut dyn Iterator<Item = T>,
        size: fn(&T) -> usize,
        write: fn(&mut Self, &[T]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (mut some, mut bytes) = (Vec::new(), 0);
        for item in items {
            bytes += size(&item) + OVERHEAD_BYTES;
            some.push(item);
            if bytes >= BLOCK_BYTES {
                write(self, &some)?;
                some.clear();
                bytes = 0;
            }
        }
        if some.is_empty() { Ok(()) } else { write(self, &some) }
    }

    fn block(
        &mut self,
        users: &[Document],
        clients: &[&Client],
        resources: &[&Resource],
    ) -> Result<(), StoreError> {
        let bytes = format::encode_block(users, clients, resources);
        let len = u32::try_from(bytes.len())
            .expect("a block holds some 256 KiB and the last body that came");
        debug_assert!(len >= MIN_BLOCK_BYTES, "the reader takes {len} bytes for damage");
        let crc = block_crc(self.salt, self.counts.blocks, &bytes);
        self.put(&encode_block_head(len, crc))?;
        self.put(&bytes)?;
        self.counts.count_block(crc);
        self.counts.users += length(users.len());
        self.counts.clients += length(clients.len());
        self.counts.resources += length(resources.len());
        if self.unsynced >= STEP_BYTES { self.sync(File::sync_data) } else { Ok(()) }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let since = Instant::now();
        self.file.write_all(bytes).map_err(|error| StoreError::io(self.path, "write", error))?;
        self.took += since.elapsed();
        self.bytes += length(bytes.len());
        self.unsynced += length(bytes.len());
        Ok(())
    }

    fn sync(&mut self, sync: fn(&File) -> std::io::Result<()>) -> Result<(), StoreError> {
        let since = Instant::now();
        sync(&self.file).map_err(|error| StoreError::io(self.path, "sync", error))?;
        self.pace.step(self.unsynced, self.took + since.elapsed());
        self.unsynced = 0;
        self.took = Duration::ZERO;
        Ok(())
    }
}

fn client_bytes(client: &Client) -> usize {
    let metadata = client.client_metadata.as_ref().map_or(0, |bag| bag.as_json().len());
    client.id.len() + client.settings.as_json().len() + metadata
}

fn resource_bytes(resource: &Resource) -> usize {
    resource.id.len() + resource.body.as_json().len()
}

fn length(bytes: usize) -> u64 {
    u64::try_from(bytes).expect("a length fits in 64 bits")
}
