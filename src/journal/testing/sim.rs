//! The simulated folder.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::node::Node;
use crate::journal::{Disk, DiskFile};

/// What can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Writing into a file.
    Write,
    /// Syncing a file.
    Sync,
    /// Syncing the folder.
    SyncDir,
    /// Cutting a file.
    Truncate,
    /// Creating a file.
    Create,
    /// Giving a file another name.
    Rename,
    /// Removing a file.
    Remove,
    /// Reading a file.
    Read,
}

/// A failure to come.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What fails.
    pub operation: Operation,
    /// How many calls succeed before.
    pub after_calls: usize,
    /// The error number of the operating system.
    pub errno: i32,
    /// How many bytes of a failing write are written all the same.
    pub written_bytes: usize,
}

/// A folder in memory. Clones share it; [`SimDisk::fork`] copies it.
#[derive(Clone, Debug, Default)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    /// Wakes those who wait at a sync, or for a sync.
    changed: Arc<Condvar>,
}

#[derive(Clone, Debug, Default)]
struct State {
    nodes: Vec<Node>,
    names: BTreeMap<String, usize>,
    synced_names: BTreeMap<String, usize>,
    unsynced_names: Vec<NameChange>,
    /// Failures to come, and the one file they concern.
    faults: Vec<(Option<String>, Fault)>,
    capacity_bytes: Option<usize>,
    cannot_preallocate: bool,
    is_holding: bool,
    /// Syncs that may pass although they are held.
    released: usize,
    held: usize,
    synced: usize,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(String, usize),
    Rename(String, String),
    Remove(String),
}

const ENOSPC: i32 = 28;

/// Nothing is held, or waited for, longer than this: a test that fails must also end.
const PATIENCE: Duration = Duration::from_secs(20);

impl SimDisk {
    /// An empty folder.
    pub fn new() -> Self {
        Self::default()
    }

    /// A copy that shares nothing, with no faults, no limits and nothing held back.
    #[must_use]
    pub fn fork(&self) -> Self {
        let mut state = self.lock().clone();
        state.faults.clear();
        state.capacity_bytes = None;
        state.is_holding = false;
        state.held = 0;
        Self { state: Arc::new(Mutex::new(state)), changed: Arc::default() }
    }

    /// Makes an operation fail once.
    pub fn inject(&self, fault: Fault) {
        self.lock().faults.push((None, fault));
    }

    /// Makes an operation on one file fail once; of a rename that is the new name.
    pub fn inject_in(&self, name: &str, fault: Fault) {
        self.lock().faults.push((Some(name.to_owned()), fault));
    }

    /// Whether a failure is still to come.
    pub fn has_faults(&self) -> bool {
        !self.lock().faults.is_empty()
    }

    /// Limits the sum of all file sizes, or lifts the limit.
    pub fn set_capacity(&self, capacity_bytes: Option<usize>) {
        self.lock().capacity_bytes = capacity_bytes;
    }

    /// The sum of all file sizes.
    pub fn used_bytes(&self) -> usize {
        self.lock().used_bytes()
    }

    /// Says from now on that space cannot be taken ahead.
    pub fn refuse_preallocation(&self) {
        self.lock().cannot_preallocate = true;
    }

    /// Lets every sync of a file wait until it is released.
    pub fn hold_syncs(&self) {
        self.lock().is_holding = true;
    }

    /// Lets one held sync pass. False if there is none.
    pub fn release_one_sync(&self) -> bool {
        let mut state = self.lock();
        let is_one_held = state.is_holding && state.held > state.released;
        state.released += usize::from(is_one_held);
        drop(state);
        self.changed.notify_all();
        is_one_held
    }

    /// Lets all syncs pass again.
    pub fn release_syncs(&self) {
        let mut state = self.lock();
        state.is_holding = false;
        state.released = 0;
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until a sync is being held back.
    pub fn wait_for_held_sync(&self) {
        let is_passing = |state: &mut State| state.held <= state.released;
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, is_passing);
        let (_state, time) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(!time.timed_out(), "no sync came that could be held");
    }

    /// How many syncs of files have succeeded.
    pub fn syncs(&self) -> usize {
        self.lock().synced
    }

    /// Cuts the power: what was synced stays, and of the rest what `survives` says, asked once for
    /// each sector written and each name changed.
    pub fn cut_power(&self, survives: &mut dyn FnMut() -> bool) {
        let mut state = self.lock();
        for node in &mut state.nodes {
            node.lose_power(survives);
        }
        // Names change in order: a file system's own journal keeps a beginning of them.
        let mut names = std::mem::take(&mut state.synced_names);
        for change in std::mem::take(&mut state.unsynced_names) {
            if !survives() {
                break;
            }
            change.apply(&mut names);
        }
        state.names.clone_from(&names);
        state.synced_names = names;
    }

    /// The contents of a file, if it is there.
    pub fn contents(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.lock();
        state.names.get(name).and_then(|&id| state.nodes.get(id)).map(|node| node.current.clone())
    }

    /// Puts a file there, synced.
    pub fn put(&self, name: &str, contents: &[u8]) {
        let mut state = self.lock();
        let id = state.create(name);
        if let Some(node) = state.nodes.get_mut(id) {
            node.write(0, contents);
            node.sync();
        }
        state.sync_names();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, id: usize) -> Box<dyn DiskFile> {
        Box::new(SimFile { disk: self.clone(), id })
    }
}

impl State {
    fn create(&mut self, name: &str) -> usize {
        let id = self.nodes.len();
        self.nodes.push(Node::default());
        self.change(NameChange::Set(name.to_owned(), id));
        id
    }

    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.unsynced_names.push(change);
    }

    fn sync_names(&mut self) {
        self.synced_names.clone_from(&self.names);
        self.unsynced_names.clear();
    }

    fn find(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn used_bytes(&self) -> usize {
        let files = self.names.values().filter_map(|&id| self.nodes.get(id));
        files.map(|node| node.current.len()).sum()
    }

    /// How many bytes may still be added.
    fn room_bytes(&self) -> usize {
        self.capacity_bytes.map_or(usize::MAX, |limit| limit.saturating_sub(self.used_bytes()))
    }

    /// The fault that is due now in this file, if any.
    fn due(&mut self, operation: Operation, file: &str) -> Option<Fault> {
        let index = self.faults.iter().position(|(name, fault)| {
            fault.operation == operation && name.as_deref().is_none_or(|name| name == file)
        })?;
        let (_, fault) = self.faults.get_mut(index)?;
        if let Some(left) = fault.after_calls.checked_sub(1) {
            fault.after_calls = left;
            return None;
        }
        Some(self.faults.remove(index).1)
    }

    fn check(&mut self, operation: Operation, file: &str) -> io::Result<()> {
        let fault = self.due(operation, file);
        fault.map_or(Ok(()), |fault| Err(io::Error::from_raw_os_error(fault.errno)))
    }

    /// What an open file is called, or nothing if it has been removed.
    fn name_of(&self, id: usize) -> String {
        let found = self.names.iter().find(|(_, own)| **own == id);
        found.map(|(name, _)| name.clone()).unwrap_or_default()
    }

    fn node(&mut self, id: usize) -> io::Result<&mut Node> {
        self.nodes.get_mut(id).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Set(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Rename(from, to) => {
                if let Some(id) = names.remove(from) {
                    names.insert(to.clone(), id);
                }
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl Disk for SimDisk {
    fn create(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        state.check(Operation::Create, name)?;
        let id = state.create(name);
        drop(state);
        Ok(self.handle(id))
    }

    fn open(&self, name: &str) -> io::Result<Box<dyn DiskFile>> {
        let id = self.lock().find(name)?;
        Ok(self.handle(id))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut state = self.lock();
        state.check(Operation::Read, name)?;
        let id = state.find(name)?;
        state.node(id).map(|node| node.current.clone())
    }

    fn read_start(&self, name: &str, limit: usize) -> io::Result<(u64, Vec<u8>)> {
        let mut bytes = self.read(name)?;
        let size_bytes = u64::try_from(bytes.len()).map_err(io::Error::other)?;
        bytes.truncate(limit);
        Ok((size_bytes, bytes))
    }

    fn read_part(&self, name: &str, offset: u64, size_bytes: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(name)?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        Ok(bytes.into_iter().skip(offset).take(size_bytes).collect())
    }

    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.lock().names.keys().cloned().collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.check(Operation::Rename, to)?;
        state.find(from)?;
        state.change(NameChange::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.lock();
        state.check(Operation::Remove, name)?;
        state.find(name)?;
        state.change(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_dir(&self) -> io::Result<()> {
        let mut state = self.lock();
        state.check(Operation::SyncDir, ".")?;
        state.sync_names();
        Ok(())
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    id: usize,
}

impl DiskFile for SimFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let name = state.name_of(self.id);
        let fault = state.due(Operation::Write, &name);
        let room = state.room_bytes();
        let node = state.node(self.id)?;
        let growth = (offset + bytes.len()).saturating_sub(node.current.len());
        let fits = bytes.len() - growth.saturating_sub(room).min(bytes.len());
        let allowed = fault.map_or(fits, |fault| fault.written_bytes.min(fits));
        let errno = fault.map(|fault| fault.errno).or((fits < bytes.len()).then_some(ENOSPC));
        let part = bytes.get(..allowed).unwrap_or(bytes);
        if !part.is_empty() {
            node.write(offset, part);
        }
        errno.map_or(Ok(()), |errno| Err(io::Error::from_raw_os_error(errno)))
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.held += 1;
        self.disk.changed.notify_all();
        let is_held = |state: &mut State| state.is_holding && state.released == 0;
        let waited = self.disk.changed.wait_timeout_while(state, PATIENCE, is_held);
        let (mut state, time) = waited.unwrap_or_else(PoisonError::into_inner);
        if time.timed_out() {
            state.is_holding = false;
        }
        state.held -= 1;
        state.released = state.released.saturating_sub(1);
        let name = state.name_of(self.id);
        if let Err(error) = state.check(Operation::Sync, &name) {
            state.node(self.id)?.fail_sync();
            return Err(error);
        }
        state.synced += 1;
        state.node(self.id)?.sync();
        Ok(())
    }

    fn preallocate(&self, offset: u64, size_bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        if state.cannot_preallocate {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let end = usize::try_from(offset + size_bytes).map_err(io::Error::other)?;
        let room = state.room_bytes();
        let node = state.node(self.id)?;
        let growth = end.saturating_sub(node.current.len());
        if growth > 0 {
            // Like the real thing it may take a part before it finds that it cannot take all.
            let size = node.current.len() + growth.min(room);
            node.resize(size);
        }
        if growth > room { Err(io::Error::from_raw_os_error(ENOSPC)) } else { Ok(()) }
    }

    fn truncate(&self, size_bytes: u64) -> io::Result<()> {
        let mut state = self.disk.lock();
        let name = state.name_of(self.id);
        state.check(Operation::Truncate, &name)?;
        let size = usize::try_from(size_bytes).map_err(io::Error::other)?;
        state.node(self.id)?.resize(size);
        Ok(())
    }
}
