//! Making a sound segment out of what can still be read of a damaged one.

use super::Lsn;
use super::frame::{self, Frame, Kind};
use super::recover::to_u64;
use super::scan::{self, Walk};
use super::segment::Header;

/// A segment put together again.
#[derive(Debug)]
pub(super) struct Salvaged {
    pub(super) bytes: Vec<u8>,
    pub(super) last: Lsn,
    /// The checksum of its last frame.
    pub(super) crc: u32,
    /// Numbers whose records are gone.
    pub(super) lost: Vec<(Lsn, Lsn)>,
}

impl Salvaged {
    pub(super) fn end(&self) -> u64 {
        to_u64(self.bytes.len())
    }
}

/// Keeps every frame of `old` that proves itself, in order, and says of the other numbers that
/// they hold nothing, up to `upto` at least. What lies before the damage stays as it is.
///
/// With `is_complete` nothing behind `upto` belongs to the segment.
pub(super) fn salvage(old: &[u8], header: &Header, upto: Lsn, is_complete: bool) -> Salvaged {
    let (mut bytes, link) = header.encode();
    let mut walk = Walk::new(old, header, link);
    let mut begin = walk.offset();
    while !(is_complete && walk.next_lsn() > upto) && walk.step().is_ok() {
        bytes.extend_from_slice(old.get(begin..walk.offset()).unwrap_or_default());
        begin = walk.offset();
    }
    let mut next = Next {
        salvaged: Salvaged {
            bytes,
            last: walk.next_lsn().previous(),
            crc: walk.link(),
            lost: Vec::new(),
        },
        salt: header.salt,
    };
    for (_, frame) in scan::later_frames(old, begin, header.salt, walk.next_lsn()) {
        next.take(&frame, is_complete.then_some(upto));
    }
    next.lose_until(upto);
    next.salvaged
}

/// A segment being put together.
struct Next {
    salvaged: Salvaged,
    salt: u32,
}

impl Next {
    fn take(&mut self, frame: &Frame<'_>, limit: Option<Lsn>) {
        let Some(first) = frame.first() else { return };
        if first <= self.salvaged.last || limit.is_some_and(|limit| frame.lsn > limit) {
            return;
        }
        self.lose_until(first.previous());
        let Salvaged { bytes, crc, last, .. } = &mut self.salvaged;
        let durable = frame.durable_upto;
        *crc = match frame.kind {
            Kind::Record => {
                frame::encode(bytes, self.salt, *crc, frame.lsn, durable, frame.kind, frame.payload)
            }
            Kind::Skip => frame::encode_skip(bytes, self.salt, *crc, (first, frame.lsn), durable),
        };
        *last = frame.lsn;
    }

    /// Says of everything up to `upto` that is not there that it holds nothing.
    fn lose_until(&mut self, upto: Lsn) {
        let Salvaged { bytes, crc, last, lost } = &mut self.salvaged;
        if *last >= upto {
            return;
        }
        let range = (last.next(), upto);
        *crc = frame::encode_skip(bytes, self.salt, *crc, range, *last);
        lost.push(range);
        *last = upto;
    }
}
