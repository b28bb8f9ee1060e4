//! A file of the simulated disk: its contents, and what of them a power cut may take back.

/// The unit in which writes survive a power cut or do not.
const SECTOR_BYTES: usize = 512;

/// A file.
#[derive(Clone, Debug, Default)]
pub(super) struct Node {
    pub(super) current: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

impl Node {
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        write(&mut self.current, offset, bytes);
        self.unsynced.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    pub(super) fn resize(&mut self, size: usize) {
        self.current.resize(size, 0);
        self.unsynced.push(Change::Resize(size));
    }

    pub(super) fn sync(&mut self) {
        self.apply_unsynced(&mut || true);
    }

    /// A sync fails as it does on Linux: the pages count as clean although they were not written,
    /// reads still show them, and no later sync writes them.
    pub(super) fn fail_sync(&mut self) {
        self.unsynced.clear();
    }

    /// Goes back to what was synced, with any part of what was not.
    pub(super) fn lose_power(&mut self, survives: &mut dyn FnMut() -> bool) {
        self.apply_unsynced(survives);
        self.current.clone_from(&self.synced);
    }

    fn apply_unsynced(&mut self, survives: &mut dyn FnMut() -> bool) {
        for change in std::mem::take(&mut self.unsynced) {
            match change {
                Change::Write { offset, bytes } => {
                    write_some(&mut self.synced, offset, &bytes, survives);
                }
                Change::Resize(size) if survives() => self.synced.resize(size, 0),
                Change::Resize(_) => {}
            }
        }
    }
}

fn write(target: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if target.len() < end {
        target.resize(end, 0);
    }
    if let Some(place) = target.get_mut(offset..end) {
        place.copy_from_slice(bytes);
    }
}

/// Writes those sectors of a write that survive.
fn write_some(
    target: &mut Vec<u8>,
    offset: usize,
    bytes: &[u8],
    survives: &mut dyn FnMut() -> bool,
) {
    let mut at = offset;
    let mut rest = bytes;
    while !rest.is_empty() {
        let room = SECTOR_BYTES - at % SECTOR_BYTES;
        let (sector, after) = rest.split_at_checked(room).unwrap_or((rest, &[]));
        if survives() {
            write(target, at, sector);
        }
        at += sector.len();
        rest = after;
    }
}
