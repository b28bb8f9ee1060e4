//! Reading a snapshot: every length is checked against the file, every byte against a checksum.

use super::layout::{
    self, BLOCK_HEAD_BYTES, FIXED_BYTES, FOOTER_BYTES, FORMAT, Flaw, Footer, HEADER_BYTES, Header,
    MIN_BLOCK_BYTES,
};
use crate::domain::client::Client;
use crate::domain::document::Document;
use crate::domain::resource::Resource;
use crate::store::StoreError;
use crate::store::format::{self, Block, FormatError};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Everything a snapshot held.
#[derive(Debug)]
pub struct Loaded {
    /// What it says of itself.
    pub header: Header,
    /// The users, in the order they were written.
    pub documents: Vec<Document>,
    /// The clients.
    pub clients: Vec<Client>,
    /// The resources.
    pub resources: Vec<Resource>,
}

/// What a good snapshot holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it says of itself.
    pub header: Header,
    /// How many users it holds.
    pub users: u64,
    /// How many clients it holds.
    pub clients: u64,
    /// How many resources it holds.
    pub resources: u64,
    /// How many blocks it has.
    pub blocks: u64,
    /// Its length.
    pub bytes: u64,
    /// The number of its format.
    pub format: u16,
}

/// Loads a snapshot, decoding its blocks on `threads` threads.
///
/// # Errors
/// [`StoreError::Damaged`] with the place when a single bit is not what was written,
/// [`StoreError::Newer`] when a newer build wrote it.
pub fn read(path: &Path, threads: usize) -> Result<Loaded, StoreError> {
    let dump = Dump::open(path)?;
    let blocks = decode_all(&dump, threads.max(1))?;
    let (mut documents, mut clients, mut resources) = (Vec::new(), Vec::new(), Vec::new());
    documents.reserve_exact(blocks.iter().map(|block| block.documents.len()).sum());
    for mut block in blocks {
        documents.append(&mut block.documents);
        clients.append(&mut block.clients);
        resources.append(&mut block.resources);
    }
    dump.check_counts([documents.len(), clients.len(), resources.len()])?;
    Ok(Loaded { header: dump.header, documents, clients, resources })
}

/// Looks at every byte of a snapshot, decodes it, and keeps nothing.
///
/// # Errors
/// As [`read`].
pub fn verify(path: &Path) -> Result<Summary, StoreError> {
    let dump = Dump::open(path)?;
    let mut found = [0; 3];
    dump.each(|piece, bytes| {
        let block = dump.decode(piece, bytes)?;
        found = [
            found[0] + block.documents.len(),
            found[1] + block.clients.len(),
            found[2] + block.resources.len(),
        ];
        Ok(())
    })?;
    dump.check_counts(found)?;
    Ok(dump.summary())
}

/// What a snapshot says of itself at its two ends; what lies between them is not looked at.
///
/// # Errors
/// As [`read`], as far as the ends tell.
pub fn summary(path: &Path) -> Result<Summary, StoreError> {
    Ok(Dump::open(path)?.summary())
}

/// Shows what a snapshot holds block by block, and keeps nothing.
///
/// # Errors
/// As [`read`]; what was shown before is good.
pub fn each_block(path: &Path, visit: &mut dyn FnMut(Block)) -> Result<(), StoreError> {
    let dump = Dump::open(path)?;
    dump.each(|piece, bytes| {
        visit(dump.decode(piece, bytes)?);
        Ok(())
    })
}

/// Decodes all blocks, and returns them in their order.
fn decode_all(dump: &Dump, threads: usize) -> Result<Vec<Block>, StoreError> {
    let cursor = Mutex::new(Cursor::default());
    let shares = thread::scope(|scope| {
        // With fewer threads than wished for it takes longer, and that is all.
        let helpers: Vec<_> = (1..threads)
            .map_while(|_| {
                thread::Builder::new().spawn_scoped(scope, || decode_some(dump, &cursor)).ok()
            })
            .collect();
        let mut shares = vec![decode_some(dump, &cursor)];
        for helper in helpers {
            shares.push(helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        shares
    });
    let mut blocks = Vec::new();
    for share in shares {
        blocks.append(&mut share?);
    }
    blocks.sort_unstable_by_key(|&(number, _)| number);
    Ok(blocks.into_iter().map(|(_, block)| block).collect())
}

/// Decodes the next block and the next, until there are none or one is damaged.
fn decode_some(dump: &Dump, cursor: &Mutex<Cursor>) -> Result<Vec<(u64, Block)>, StoreError> {
    let next = || cursor.lock().unwrap_or_else(PoisonError::into_inner).advance(dump);
    let (mut blocks, mut buffer) = (Vec::new(), Vec::new());
    while let Some(piece) = next()? {
        let block = dump.fetch(&piece, &mut buffer).and_then(|bytes| dump.decode(&piece, bytes));
        if block.is_err() {
            // The others need not go on.
            cursor.lock().unwrap_or_else(PoisonError::into_inner).is_done = true;
        }
        blocks.push((piece.number, block?));
    }
    Ok(blocks)
}

/// A snapshot file whose header and footer are good.
pub(super) struct Dump {
    file: File,
    path: PathBuf,
    bytes: u64,
    header: Header,
    salt: u32,
    format: u16,
    pub(super) footer: Footer,
}

/// Where a block lies.
pub(super) struct Piece {
    number: u64,
    offset: u64,
    len: u32,
    crc: u32,
}

/// How far the heads of the blocks were read.
#[derive(Default)]
struct Cursor {
    /// Bytes of blocks passed.
    passed: u64,
    /// Blocks passed, and their checksums.
    seen: Footer,
    is_done: bool,
}

impl Dump {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|error| StoreError::io(path, "open", error))?;
        let bytes = file.metadata().map_err(|error| StoreError::io(path, "look at", error))?.len();
        let flawed = |flaw, offset| match flaw {
            Flaw::Damaged(reason) => damaged(path, offset, reason),
            Flaw::Newer(found) => StoreError::Newer { path: path.to_owned(), found, known: FORMAT },
        };
        let Some(footer_at) = bytes.checked_sub(FOOTER_BYTES).filter(|&at| at >= HEADER_BYTES)
        else {
            return Err(damaged(path, bytes, "it is too short for a snapshot"));
        };
        let mut ends = [0; FIXED_BYTES];
        read_at(&file, path, 0, &mut ends)?;
        let (header, salt) = Header::decode(&ends).map_err(|flaw| flawed(flaw, 0))?;
        let format = layout::format_of(&ends);
        read_at(&file, path, footer_at, &mut ends)?;
        let footer = Footer::decode(&ends, salt).map_err(|flaw| flawed(flaw, footer_at))?;
        Ok(Self { file, path: path.to_owned(), bytes, header, salt, format, footer })
    }

    fn summary(&self) -> Summary {
        let Footer { users, clients, resources, blocks, total: _ } = self.footer;
        let (header, bytes, format) = (self.header, self.bytes, self.format);
        Summary { header, users, clients, resources, blocks, bytes, format }
    }

    /// Shows every block in order, its checksum good.
    pub(super) fn each(
        &self,
        mut visit: impl FnMut(&Piece, &[u8]) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let (mut cursor, mut buffer) = (Cursor::default(), Vec::new());
        while let Some(piece) = cursor.advance(self)? {
            visit(&piece, self.fetch(&piece, &mut buffer)?)?;
        }
        Ok(())
    }

    /// Lets the page cache go of the file, so that the next reading is one of the disk.
    pub(super) fn forget_cached(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed) {
            // It is advice only: where it is not taken, the bytes come from memory.
            log::debug!(error:% = error; "the page cache keeps a snapshot");
        }
    }

    pub(super) fn damaged(&self, offset: u64, reason: &str) -> StoreError {
        damaged(&self.path, offset, reason)
    }

    /// Where the last block ends.
    fn blocks_end(&self) -> u64 {
        self.bytes - FOOTER_BYTES
    }

    /// Reads a block and checks it.
    fn fetch<'b>(&self, piece: &Piece, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], StoreError> {
        buffer.resize(
            usize::try_from(piece.len).expect("a block that fits in a file fits in memory"),
            0,
        );
        read_at(&self.file, &self.path, piece.offset, buffer)?;
        if layout::block_crc(self.salt, piece.number, buffer) != piece.crc {
            return Err(self.damaged(piece.offset, "the checksum of a block is wrong"));
        }
        Ok(buffer)
    }

    fn decode(&self, piece: &Piece, bytes: &[u8]) -> Result<Block, StoreError> {
        format::decode_block(bytes).map_err(|error| match error {
            FormatError::UnknownFormat(found) => {
                StoreError::Newer { path: self.path.clone(), found: found.into(), known: FORMAT }
            }
            FormatError::Damaged(reason) => self.damaged(piece.offset, reason),
        })
    }

    /// Compares what was decoded with what the footer promises: users, clients, resources.
    fn check_counts(&self, found: [usize; 3]) -> Result<(), StoreError> {
        let promised = [self.footer.users, self.footer.clients, self.footer.resources];
        if found.map(u64::try_from) == promised.map(Ok) {
            return Ok(());
        }
        let reason = format!(
            "its blocks hold {found:?} users, clients and resources, but it says {promised:?}"
        );
        Err(self.damaged(self.blocks_end(), &reason))
    }
}

impl Cursor {
    /// Finds the next block. Says that there are no more only where the footer agrees.
    fn advance(&mut self, dump: &Dump) -> Result<Option<Piece>, StoreError> {
        if self.is_done {
            return Ok(None);
        }
        let found = self.step(dump);
        self.is_done = !matches!(found, Ok(Some(_)));
        found
    }

    fn step(&mut self, dump: &Dump) -> Result<Option<Piece>, StoreError> {
        let at = HEADER_BYTES + self.passed;
        let left = dump.blocks_end() - at;
        if left == 0 {
            let Footer { blocks, total, .. } = dump.footer;
            return if (self.seen.blocks, self.seen.total) == (blocks, total) {
                Ok(None)
            } else {
                Err(dump.damaged(at, "its blocks are not those the footer counts"))
            };
        }
        let Some(room) = left.checked_sub(BLOCK_HEAD_BYTES) else {
            return Err(dump.damaged(at, "the head of a block is cut off"));
        };
        let mut head = [0; 8];
        read_at(&dump.file, &dump.path, at, &mut head)?;
        let (len, crc) = layout::decode_block_head(head);
        if len < MIN_BLOCK_BYTES || u64::from(len) > room {
            let reason = format!(
                "a block claims {len} bytes, {MIN_BLOCK_BYTES} to {room} are possible here"
            );
            return Err(dump.damaged(at, &reason));
        }
        let piece = Piece { number: self.seen.blocks, offset: at + BLOCK_HEAD_BYTES, len, crc };
        self.passed += BLOCK_HEAD_BYTES + u64::from(len);
        self.seen.count_block(crc);
        Ok(Some(piece))
    }
}

/// Fills the buffer from this place of the file.
fn read_at(file: &File, path: &Path, offset: u64, buffer: &mut [u8]) -> Result<(), StoreError> {
    file.read_exact_at(buffer, offset).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            damaged(path, offset, "it became shorter while it was read")
        } else {
            StoreError::io(path, "read", error)
        }
    })
}

fn damaged(path: &Path, offset: u64, reason: &str) -> StoreError {
    StoreError::Damaged { path: path.to_owned(), offset, reason: reason.to_owned() }
}
