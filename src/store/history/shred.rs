//! Making what was removed unreadable on disk.
//!
//! An LSM tree keeps what was removed until its files are merged, and the engine's own journal
//! until it begins another file, which it does behind 64 MB and not when asked. So it is filled up
//! with noise, under a keyspace of its own that goes again; then everything is merged.

use super::{HistoryError, MEMTABLE_BYTES, Store, keys};
use fjall::{KeyspaceCreateOptions, PersistMode};
use std::time::{Duration, Instant};

/// How much the engine writes into one file of its journal, and a little more.
const JOURNAL_FILE_BYTES: usize = 65 << 20;

/// Bytes of noise in one write.
const NOISE_BYTES: usize = 1 << 20;

/// How long the engine may take to let go of what it does not need any more.
const PATIENCE: Duration = Duration::from_secs(10);

/// The keyspace of the noise.
const NOISE: &str = "noise";

impl Store {
    /// Rewrites all files, so that nothing that was removed is in them. Takes as long as reading
    /// and writing the whole history, and 64 MB more.
    ///
    /// # Errors
    /// When the engine fails or does not let go in time; what was removed stays so.
    pub fn shred(&self) -> Result<(), HistoryError> {
        self.end_journal_file()?;
        self.tree.rotate_memtable_and_wait()?;
        self.tree.major_compact()?;
        // The files that were merged go with the next flush.
        for round in 0..2_u8 {
            self.tree.insert(keys::meta("shredded"), [round])?;
            self.tree.rotate_memtable_and_wait()?;
        }
        self.persist()
    }

    /// Has the engine begin another file of its journal, and remove those before it.
    fn end_journal_file(&self) -> Result<(), HistoryError> {
        let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
        let noise = self.database.keyspace(NOISE, options)?;
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for index in 0..JOURNAL_FILE_BYTES / NOISE_BYTES {
            noise.insert(index.to_string(), noise_from(&mut state))?;
        }
        self.database.persist(PersistMode::SyncAll)?;
        noise.rotate_memtable_and_wait()?;
        let until = Instant::now() + PATIENCE;
        loop {
            // Each file goes once both keyspaces have what is in it.
            noise.insert("end", [0])?;
            noise.rotate_memtable_and_wait()?;
            self.tree.insert(keys::meta("shredded"), [0])?;
            self.tree.rotate_memtable_and_wait()?;
            if self.database.journal_count() <= 1 || Instant::now() >= until {
                break;
            }
        }
        let is_done = self.database.journal_count() <= 1;
        self.database.delete_keyspace(noise)?;
        if is_done { Ok(()) } else { Err(HistoryError::NotShredded) }
    }
}

/// Bytes that no compression makes fewer (xorshift64).
fn noise_from(state: &mut u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(NOISE_BYTES);
    while bytes.len() < NOISE_BYTES {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        bytes.extend_from_slice(&state.to_be_bytes());
    }
    bytes
}
