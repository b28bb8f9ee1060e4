//! Walking through the frames of a segment, and judging how it ends.

use super::Lsn;
use super::frame::{self, Flaw, Frame, Kind};
use super::segment::{HEADER_BYTES, Header};

/// A walk through the frames of one segment, in order, each checked against the one before.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    offset: usize,
    salt: u32,
    link: u32,
    next: Lsn,
}

impl<'a> Walk<'a> {
    /// Begins behind the header, whose checksum is `link`.
    pub(super) fn new(bytes: &'a [u8], header: &Header, link: u32) -> Self {
        Self { bytes, offset: HEADER_BYTES, salt: header.salt, link, next: header.base }
    }

    /// Goes on at the beginning of `bytes`, behind the frame whose checksum is `link`.
    pub(super) fn resumed(bytes: &'a [u8], salt: u32, link: u32, next: Lsn) -> Self {
        Self { bytes, offset: 0, salt, link, next }
    }

    /// The next frame. After a flaw the walk stays where it is.
    pub(super) fn step(&mut self) -> Result<Frame<'a>, Flaw> {
        let rest = self.bytes.get(self.offset..).ok_or(Flaw::Blank)?;
        let frame = frame::decode(rest, self.salt)?;
        let wanted = self.next;
        if frame.first() != Some(wanted) {
            return Err(Flaw::Order { wanted, found: frame.lsn });
        }
        if frame.link != self.link {
            return Err(Flaw::Link);
        }
        self.offset += frame.size_bytes();
        self.link = frame.crc;
        self.next = frame.lsn.next();
        Ok(frame)
    }

    /// Where the next frame begins or would begin.
    pub(super) fn offset(&self) -> usize {
        self.offset
    }

    /// The checksum of the last frame, or of the header before the first.
    pub(super) fn link(&self) -> u32 {
        self.link
    }

    /// The LSN the next frame has or would have.
    pub(super) fn next_lsn(&self) -> Lsn {
        self.next
    }
}

/// How the frames of a segment end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing follows but preallocated space.
    Clean,
    /// A write that was never acknowledged follows, cut short.
    Torn {
        /// From its first byte to the last one that is not zero.
        size_bytes: usize,
    },
    /// Something that was known to be synced stood there.
    Damaged {
        /// How we know.
        evidence: String,
    },
}

/// Judges what lies behind the last good frame, at `offset` of `bytes`, where `wanted` would be.
///
/// A file system may write the pages of an unsynced tail in any order, so a good frame behind a
/// bad one proves nothing by itself. But if that good frame says that `wanted` was synced when it
/// was written, or the high-water mark says so, then `wanted` was here and is lost.
pub(super) fn judge(
    bytes: &[u8],
    offset: usize,
    salt: u32,
    wanted: Lsn,
    high_water: Lsn,
) -> Ending {
    if high_water >= wanted {
        let evidence = format!(
            "record {wanted} is not there, the high-water mark says it was, up to {high_water}"
        );
        return Ending::Damaged { evidence };
    }
    for (at, frame) in later_frames(bytes, offset, salt, wanted) {
        if frame.durable_upto >= wanted {
            let evidence = format!(
                "record {wanted} is not there, record {} at byte {at} says it was synced",
                frame.lsn
            );
            return Ending::Damaged { evidence };
        }
    }
    match bytes.get(offset..).and_then(|rest| rest.iter().rposition(|&byte| byte != 0)) {
        None => Ending::Clean,
        Some(last) => Ending::Torn { size_bytes: last + 1 },
    }
}

/// Frames at or behind `offset` that prove themselves, with LSNs from `from` on.
pub(super) fn later_frames(
    bytes: &[u8],
    offset: usize,
    salt: u32,
    from: Lsn,
) -> impl Iterator<Item = (usize, Frame<'_>)> {
    let mut at = offset;
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            // Preallocated space is long; jump to just before the next byte that says something.
            let Some(skip) = rest.iter().position(|&byte| byte != 0) else {
                at = bytes.len();
                return None;
            };
            // The lowest byte of a length may be zero, and the others small: up to three zeros
            // can belong to the frame.
            let candidate = at + skip.saturating_sub(3);
            let frame = bytes.get(candidate..).and_then(|rest| looks_right(rest, salt, from));
            if let Some(frame) = frame {
                at = candidate + frame.size_bytes();
                return Some((candidate, frame));
            }
            at = candidate + 1;
        }
    })
}

/// A cheap look at the LSN before the checksum of what may be megabytes.
fn looks_right(bytes: &[u8], salt: u32, from: Lsn) -> Option<Frame<'_>> {
    let lsn = bytes.get(12..20)?.try_into().ok().map(u64::from_le_bytes)?;
    let room = u64::try_from(1_usize << 40).unwrap_or(u64::MAX);
    if lsn < from.get() || lsn - from.get() > room {
        return None;
    }
    frame::decode(bytes, salt).ok().filter(|frame| match frame.kind {
        Kind::Record | Kind::Skip => frame.first().is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(lsns: &[(u64, u64)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut link = 0;
        for &(lsn, durable) in lsns {
            let (lsn, durable) = (Lsn::new(lsn), Lsn::new(durable));
            link = frame::encode(&mut bytes, 1, link, lsn, durable, Kind::Record, b"xyz");
        }
        bytes
    }

    fn header() -> (Header, u32) {
        (Header { journal: 1, base: Lsn::new(5), salt: 1, previous: 0 }, 0)
    }

    #[track_caller]
    fn check_walk(frames: &[u8], records: usize, wanted: Flaw) {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes.extend_from_slice(frames);
        let (header, link) = header();
        let mut walk = Walk::new(&bytes, &header, link);
        for _ in 0..records {
            walk.step().unwrap();
        }
        assert_eq!(walk.step().unwrap_err(), wanted);
        assert_eq!(walk.next_lsn(), Lsn::new(5 + super::super::recover::to_u64(records)));
    }

    #[test]
    fn a_walk_ends_where_a_frame_does_not_follow_the_one_before() {
        check_walk(&frames(&[(5, 4), (6, 5)]), 2, Flaw::Blank);
        let order =
            |wanted, found| Flaw::Order { wanted: Lsn::new(wanted), found: Lsn::new(found) };
        check_walk(&frames(&[(5, 4), (7, 5)]), 1, order(6, 7));
        check_walk(&frames(&[(6, 4)]), 0, order(5, 6));
        let mut swapped = frames(&[(5, 4)]);
        swapped.extend(frames(&[(6, 5)]));
        check_walk(&swapped, 1, Flaw::Link);
    }

    #[test]
    fn frames_are_found_wherever_they_lie() {
        let frames = frames(&[(5, 4), (6, 4)]);
        for zeros in 0..9 {
            for garbage in 0..9 {
                let mut bytes = vec![0; zeros];
                bytes.extend(vec![0xee; garbage]);
                bytes.extend(&frames);
                let found: Vec<_> = later_frames(&bytes, 0, 1, Lsn::new(5))
                    .map(|(_, frame)| frame.lsn.get())
                    .collect();
                assert_eq!(found, [5, 6], "{zeros} zeros, {garbage} bytes of garbage");
            }
        }
    }

    #[test]
    fn a_later_frame_is_evidence_only_if_it_knew_of_the_sync() {
        let mut bytes = vec![0xee; 30];
        bytes.extend(frames(&[(6, 4)]));
        let torn = Ending::Torn { size_bytes: bytes.len() };
        assert_eq!(judge(&bytes, 0, 1, Lsn::new(5), Lsn::new(4)), torn);

        let mut bytes = vec![0xee; 30];
        bytes.extend(frames(&[(6, 5)]));
        let ending = judge(&bytes, 0, 1, Lsn::new(5), Lsn::new(4));
        assert!(matches!(ending, Ending::Damaged { .. }), "{ending:?}");
    }

    #[test]
    fn the_high_water_mark_is_evidence_even_of_zeros() {
        let ending = judge(&[0; 30], 0, 1, Lsn::new(5), Lsn::new(5));
        assert!(matches!(ending, Ending::Damaged { .. }), "{ending:?}");
        assert_eq!(judge(&[0; 30], 0, 1, Lsn::new(5), Lsn::new(4)), Ending::Clean);
    }
}
