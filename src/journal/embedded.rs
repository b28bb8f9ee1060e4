//! The engine that keeps records in files of its own.

use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::active::{Active, Limits, Trouble};
use super::cursor::{Cursor, FileCursor};
use super::disk::Disk;
use super::error::JournalError;
use super::gather::Gather;
use super::highwater::{self, HighWater};
use super::manifest::{self, Manifest};
use super::queue::{Catalog, Gate, Queue};
use super::raise;
use super::recover::{self, Recovered, TornTail};
use super::replay;
use super::segment::{self, Header};
use super::witness::Witness;
use super::writer::{State, Writer, poison};
use super::{AppendError, Durability, Journal, Lsn, Options, Progress, Stats};

/// A journal in a folder, with one thread that writes.
///
/// Dropping it writes and syncs what waits, and ends the thread.
#[derive(Debug)]
pub struct Embedded {
    disk: Arc<dyn Disk>,
    queue: Arc<Queue>,
    catalog: Arc<Catalog>,
    progress: Arc<watch::Sender<Progress>>,
    stats: Arc<Mutex<Stats>>,
    flush_timeout: Duration,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What was found at the opening; for the log, and for comparing with what snapshots know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// True if there was no journal in the folder.
    pub is_new: bool,
    /// The first record held, or the next one if none is.
    pub first: Lsn,
    /// The last record.
    pub last: Lsn,
    /// A last write that was cut short; it was never acknowledged, and is cut off before the
    /// next record is written.
    pub torn: Option<TornTail>,
    /// Files that were removed: what a crash left of a change of segments or of a purge.
    pub leftovers: Vec<String>,
}

/// Everything the writer begins with.
struct Start {
    manifest: Manifest,
    high_water: HighWater,
    marked: Lsn,
    header: Header,
    file: Box<dyn super::DiskFile>,
    end: u64,
    size_bytes: u64,
    link: u32,
    last: Lsn,
    opened: Opened,
}

impl Start {
    /// The last record, and the checksum of its frame, where it is still there.
    fn last_frame(&self) -> (Lsn, u32) {
        let is_empty = self.end == segment::first_frame_offset();
        let before = self.manifest.closed.last().map_or(0, |closed| closed.crc);
        (self.last, if is_empty { before } else { self.link })
    }
}

impl Embedded {
    /// Opens the journal in a folder, or begins one if the folder has none.
    ///
    /// # Errors
    /// When something is missing, damaged, foreign or newer than this release, before anything is
    /// changed; or when the operating system refuses.
    pub fn open(disk: Arc<dyn Disk>, options: &Options) -> Result<(Self, Opened), JournalError> {
        Self::open_witnessed(disk, None, options)
    }

    /// Opens the journal in a folder, and keeps a mark of what is synced in it in the folder
    /// `outside`. Whether a mark that is there speaks of another journal was asked before, of a
    /// [`Reader`](super::Reader).
    ///
    /// # Errors
    /// As [`Self::open`]. A mark that cannot be made is left out, with a word in the log.
    pub fn open_witnessed(
        disk: Arc<dyn Disk>,
        outside: Option<&dyn Disk>,
        options: &Options,
    ) -> Result<(Self, Opened), JournalError> {
        options.validate()?;
        let start = match recover::recover(&*disk)? {
            None => begin(&*disk, options)?,
            Some(recovered) => resume(&*disk, recovered)?,
        };
        let opened = start.opened.clone();
        let witness = outside.and_then(|outside| {
            let begun = Witness::begin(outside, start.manifest.journal, start.last_frame());
            let told = begun.inspect_err(|error| {
                log::warn!(error:% = error; "no mark of the journal can be kept outside of its folder");
            });
            told.ok()
        });
        Self::launch(disk, options, start, witness).map(|journal| (journal, opened))
    }

    fn launch(
        disk: Arc<dyn Disk>,
        options: &Options,
        start: Start,
        witness: Option<Witness>,
    ) -> Result<Self, JournalError> {
        let last = start.last;
        let queue = Arc::new(Queue::new(options, last));
        let catalog = Arc::new(Catalog::new(start.manifest));
        let progress = Arc::new(watch::Sender::new(Progress::starting_at(last)));
        let size_bytes = start.size_bytes;
        let stats = Arc::new(Mutex::new(Stats { size_bytes, last, ..Stats::default() }));
        let writer = Writer {
            queue: Arc::clone(&queue),
            progress: Arc::clone(&progress),
            stats: Arc::clone(&stats),
            active: Active {
                disk: Arc::clone(&disk),
                catalog: Arc::clone(&catalog),
                file: start.file,
                header: start.header,
                end: start.end,
                size_bytes: start.size_bytes,
                link: start.link,
                last,
                is_torn: start.opened.torn.is_some(),
                limits: Limits {
                    segment_bytes: options.segment_bytes,
                    preallocate_bytes: options.preallocate_bytes,
                    seed: options.seed,
                },
                buffer: Vec::new(),
            },
            high_water: start.high_water,
            witness,
            proof: None,
            durability: options.durability,
            probe_interval: options.probe_interval,
            high_water_interval: options.high_water_interval,
            synced: last,
            marked: start.marked,
            marked_at: Instant::now(),
            unsynced_since: None,
            state: State::Writing,
            gather: Gather::new(options.gather && options.durability == Durability::Always),
            last_sync: Duration::ZERO,
        };
        let thread = thread::Builder::new()
            .name("journal".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| JournalError::io("start the thread of", "the journal", error))?;
        let flush_timeout = options.flush_timeout;
        let thread = Mutex::new(Some(thread));
        Ok(Self { disk, queue, catalog, progress, stats, flush_timeout, thread })
    }

    /// A file that is missing may have been purged since the list was copied.
    fn or_purged(&self, base: Lsn, error: JournalError) -> JournalError {
        let oldest = self.catalog.lock().first();
        if base < oldest { JournalError::Purged { wanted: base, oldest } } else { error }
    }

    /// Takes complete segments up to `upto` off the list, and returns their names.
    fn unlist(&self, upto: Lsn) -> Result<Vec<String>, JournalError> {
        let mut list = self.catalog.lock();
        let mut fresh = list.clone();
        fresh.closed.retain(|closed| closed.last > upto);
        if fresh.closed.len() == list.closed.len() {
            return Ok(Vec::new());
        }
        fresh.write(&*self.disk).map_err(|trouble| {
            if let Trouble::Broken(error) = &trouble {
                poison(&self.queue, &self.progress, &error.to_string());
            }
            JournalError::io("rewrite", manifest::FILE, trouble.into_error())
        })?;
        let gone = list.closed.iter().filter(|closed| closed.last <= upto);
        let names = gone.map(|closed| segment::file_name(closed.base)).collect();
        *list = fresh;
        Ok(names)
    }
}

/// Begins a journal in an empty folder.
fn begin(disk: &dyn Disk, options: &Options) -> Result<Start, JournalError> {
    let base = Lsn::new(1);
    let begun = raise::begin(disk, base, options.seed, options.preallocate_bytes)?;
    Ok(Start {
        manifest: begun.manifest,
        high_water: begun.high_water,
        marked: Lsn::ZERO,
        header: begun.header,
        file: begun.fresh.file,
        end: segment::first_frame_offset(),
        size_bytes: begun.fresh.size_bytes,
        link: begun.link,
        last: Lsn::ZERO,
        opened: Opened {
            is_new: true,
            first: base,
            last: Lsn::ZERO,
            torn: None,
            leftovers: Vec::new(),
        },
    })
}

/// Makes what was found durable beyond doubt, and goes on from there.
fn resume(disk: &dyn Disk, found: Recovered) -> Result<Start, JournalError> {
    let Recovered { manifest, high_water, active, leftovers } = found;
    let name = segment::file_name(manifest.active);
    let file = disk.open(&name).map_err(|error| JournalError::io("open", &name, error))?;
    settle(&*file, &active.uncertain).map_err(|error| JournalError::io("sync", &name, error))?;
    for leftover in &leftovers {
        disk.remove(leftover).map_err(|error| JournalError::io("remove", leftover, error))?;
    }
    disk.sync_dir().map_err(|error| JournalError::io("sync", ".", error))?;
    manifest::reserve(disk, manifest.encode().len());
    let opened = HighWater::open(disk, manifest.journal, &high_water);
    let mark = opened.map_err(|error| JournalError::io("open", highwater::FILE, error))?;
    Ok(Start {
        opened: Opened {
            is_new: false,
            first: manifest.first(),
            last: active.last,
            torn: active.torn,
            leftovers,
        },
        manifest,
        high_water: mark,
        marked: high_water.mark,
        header: active.header,
        file,
        end: active.end,
        size_bytes: active.size_bytes,
        link: active.link,
        last: active.last,
    })
}

/// Writes frames again of which nobody knows that they were synced, and syncs them.
///
/// They were read, but that proves nothing: after a crash of the process alone they may be in the
/// page cache only, and after a failed sync the kernel calls such pages clean and will not write
/// them. The same bytes in the same place cannot make anything worse.
fn settle(file: &dyn super::DiskFile, (offset, bytes): &(u64, Vec<u8>)) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    file.write_at(bytes, *offset)?;
    file.sync_data()
}

impl Journal for Embedded {
    fn append(&self, generation: u32, payload: Vec<u8>) -> Result<Lsn, AppendError> {
        self.queue.append(generation, payload)
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn replay(
        &self,
        after: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        // In this order: what is durable now lies in the segments listed then.
        let durable = self.progress.borrow().durable;
        let manifest = self.catalog.lock().clone();
        let oldest = manifest.first();
        if after.next() < oldest {
            return Err(JournalError::Purged { wanted: after.next(), oldest });
        }
        let mut visit = |lsn: Lsn, payload: &[u8]| {
            if lsn <= after { ControlFlow::Continue(()) } else { visit(lsn, payload) }
        };
        for closed in manifest.closed.iter().filter(|closed| closed.last > after) {
            let shown = replay::closed(&*self.disk, &manifest, closed, &mut visit);
            if shown.map_err(|error| self.or_purged(closed.base, error))?.is_break() {
                return Ok(());
            }
        }
        replay::active(&*self.disk, &manifest, durable, &mut visit)
            .map_err(|error| self.or_purged(manifest.active, error))
    }

    fn cursor(&self, after: Lsn) -> Box<dyn Cursor> {
        let (disk, catalog) = (Arc::clone(&self.disk), Arc::clone(&self.catalog));
        Box::new(FileCursor::new(disk, catalog, self.progress.subscribe(), after))
    }

    fn purge(&self, upto: Lsn) -> Result<(), JournalError> {
        if self.progress.borrow().is_poisoned() {
            return Err(JournalError::Poisoned);
        }
        let names = self.unlist(upto)?;
        // What cannot be removed now is no longer listed, and removed at the next start.
        for name in &names {
            self.disk.remove(name).map_err(|error| JournalError::io("remove", name, error))?;
        }
        Ok(())
    }

    fn seal(&self) -> Result<Lsn, JournalError> {
        self.flush()?;
        let mut waiting = self.queue.lock();
        waiting.seals_wanted += 1;
        let ticket = waiting.seals_wanted;
        drop(waiting);
        let mut result = Ok(());
        let is_done = self.queue.flush_until(Instant::now() + self.flush_timeout, |waiting| {
            result = match waiting.gate {
                Gate::Poisoned => Err(JournalError::Poisoned),
                Gate::Full => Err(JournalError::Full),
                Gate::Open | Gate::Closed => Ok(()),
            };
            result.is_err() || waiting.seals_done >= ticket
        });
        if !is_done {
            return Err(JournalError::TimedOut { limit: self.flush_timeout });
        }
        result?;
        let manifest = self.catalog.lock();
        Ok(manifest.closed.last().map_or(manifest.active.previous(), |closed| closed.last))
    }

    fn flush(&self) -> Result<Lsn, JournalError> {
        let waiting = self.queue.lock();
        let (target, generation) = (waiting.next.previous(), waiting.generation);
        drop(waiting);
        let mut result = Ok(target);
        let is_done = self.queue.flush_until(Instant::now() + self.flush_timeout, |waiting| {
            result = match waiting.gate {
                Gate::Poisoned => Err(JournalError::Poisoned),
                Gate::Full => Err(JournalError::Full),
                Gate::Open | Gate::Closed if waiting.generation != generation => {
                    Err(JournalError::Full)
                }
                Gate::Open | Gate::Closed => Ok(waiting.synced),
            };
            result.is_err() || waiting.synced >= target
        });
        if is_done { result } else { Err(JournalError::TimedOut { limit: self.flush_timeout }) }
    }

    fn close(&self) {
        self.queue.close();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // If it panicked it has told everybody already.
            drop(thread.join());
        }
    }

    fn stats(&self) -> Stats {
        let mut stats = *self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        let manifest = self.catalog.lock();
        stats.oldest = manifest.first();
        stats.segments = recover::to_u64(manifest.closed.len() + 1);
        stats.size_bytes += manifest.closed.iter().map(|closed| closed.end).sum::<u64>();
        drop(manifest);
        stats.waiting = recover::to_u64(self.queue.lock().entries.len());
        stats
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        self.close();
    }
}
