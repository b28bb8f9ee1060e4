//! A record with its length and checksum, as it lies in a segment.
//!
//! ```text
//! len u32 | crc u32 | link u32 | lsn u64 | durable_upto u64 | kind u8 | payload
//! ```
//!
//! Little endian; `len` counts what follows `crc`. `crc` is the CRC-32C of the segment's salt,
//! `len` and everything after `crc`, so that a frame proves itself without its neighbours, and
//! stale bytes of another segment do not. `link` is the `crc` of the frame before (of the header
//! for the first), so that frames follow each other exactly as they were written. A `len` of zero
//! is preallocated space: the end.

use super::Lsn;

/// Bytes before the part that `len` counts.
const HEAD_BYTES: usize = 8;

/// Bytes that `len` counts beside the payload.
const FIXED_BYTES: usize = 21;

/// What a frame takes beside its payload.
pub(super) const OVERHEAD_BYTES: usize = HEAD_BYTES + FIXED_BYTES;

/// What fits into a frame at most, far below what `len` can say.
pub(super) const LARGEST_PAYLOAD_BYTES: usize = 1 << 30;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody's record.
    Record,
    /// A hole in the numbers, up to the LSN of the frame; the payload says where it begins.
    Skip,
}

impl Kind {
    const fn code(self) -> u8 {
        match self {
            Self::Record => 1,
            Self::Skip => 2,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Record),
            2 => Some(Self::Skip),
            _ => None,
        }
    }
}

/// A frame as it lies in a segment that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) lsn: Lsn,
    /// Everything up to here was synced when this frame was written.
    pub(super) durable_upto: Lsn,
    pub(super) kind: Kind,
    pub(super) link: u32,
    pub(super) crc: u32,
    pub(super) payload: &'a [u8],
}

impl Frame<'_> {
    pub(super) fn size_bytes(&self) -> usize {
        OVERHEAD_BYTES + self.payload.len()
    }

    /// The first LSN this frame speaks of; `None` if a skip says nonsense.
    pub(super) fn first(&self) -> Option<Lsn> {
        match self.kind {
            Kind::Record => Some(self.lsn),
            Kind::Skip => {
                let first = Lsn::new(u64::from_le_bytes(self.payload.try_into().ok()?));
                (first <= self.lsn && first > Lsn::ZERO).then_some(first)
            }
        }
    }
}

/// Why there is no frame at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Flaw {
    #[error("there are no more records")]
    Blank,
    #[error("a record says it has {wanted} bytes, the file has {found} more")]
    Short { wanted: usize, found: usize },
    #[error("a record says it has {0} bytes, no record has")]
    Length(u32),
    #[error("the checksum of a record is wrong")]
    Checksum,
    #[error("a record is of kind {0}, this release knows 1 and 2")]
    Kind(u8),
    #[error("a record does not follow the one before it")]
    Link,
    #[error("record {found} stands where record {wanted} is wanted")]
    Order { wanted: Lsn, found: Lsn },
}

/// Appends a frame to `out` and returns its checksum, the link of the next one.
pub(super) fn encode(
    out: &mut Vec<u8>,
    salt: u32,
    link: u32,
    lsn: Lsn,
    durable_upto: Lsn,
    kind: Kind,
    payload: &[u8],
) -> u32 {
    let len = u32::try_from(FIXED_BYTES + payload.len()).expect("append bounds the payload");
    let mut fixed = [0; FIXED_BYTES];
    let fields = link
        .to_le_bytes()
        .into_iter()
        .chain(lsn.get().to_le_bytes())
        .chain(durable_upto.get().to_le_bytes())
        .chain([kind.code()]);
    for (place, byte) in fixed.iter_mut().zip(fields) {
        *place = byte;
    }
    let crc = crc32c::crc32c_append(checksum(salt, len, &fixed), payload);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&crc.to_le_bytes());
    out.extend_from_slice(&fixed);
    out.extend_from_slice(payload);
    crc
}

/// Appends a frame that says: the numbers from `first` to `last` hold nothing.
pub(super) fn encode_skip(
    out: &mut Vec<u8>,
    salt: u32,
    link: u32,
    (first, last): (Lsn, Lsn),
    durable_upto: Lsn,
) -> u32 {
    encode(out, salt, link, last, durable_upto, Kind::Skip, &first.get().to_le_bytes())
}

/// Reads the frame at the beginning of `bytes`. Its link is not checked.
pub(super) fn decode(bytes: &[u8], salt: u32) -> Result<Frame<'_>, Flaw> {
    let Some((&head, rest)) = bytes.split_first_chunk::<4>() else {
        return if bytes.iter().all(|&byte| byte == 0) {
            Err(Flaw::Blank)
        } else {
            Err(Flaw::Short { wanted: OVERHEAD_BYTES, found: bytes.len() })
        };
    };
    let len = u32::from_le_bytes(head);
    if len == 0 {
        return Err(Flaw::Blank);
    }
    let wanted = usize::try_from(len).map_err(|_| Flaw::Length(len))?;
    if !(FIXED_BYTES..=FIXED_BYTES + LARGEST_PAYLOAD_BYTES).contains(&wanted) {
        return Err(Flaw::Length(len));
    }
    let found = rest.len().saturating_sub(4);
    let short = Flaw::Short { wanted, found };
    let (&crc, rest) = rest.split_first_chunk::<4>().ok_or(short)?;
    let body = rest.get(..wanted).ok_or(short)?;
    let crc = u32::from_le_bytes(crc);
    if checksum(salt, len, body) != crc {
        return Err(Flaw::Checksum);
    }
    fields(body, crc).unwrap_or(Err(short))
}

fn fields(body: &[u8], crc: u32) -> Option<Result<Frame<'_>, Flaw>> {
    let (&link, rest) = body.split_first_chunk()?;
    let (&lsn, rest) = rest.split_first_chunk()?;
    let (&durable_upto, rest) = rest.split_first_chunk()?;
    let (&code, payload) = rest.split_first()?;
    let Some(kind) = Kind::from_code(code) else { return Some(Err(Flaw::Kind(code))) };
    Some(Ok(Frame {
        lsn: Lsn::new(u64::from_le_bytes(lsn)),
        durable_upto: Lsn::new(u64::from_le_bytes(durable_upto)),
        kind,
        link: u32::from_le_bytes(link),
        crc,
        payload,
    }))
}

fn checksum(salt: u32, len: u32, body: &[u8]) -> u32 {
    let mut seed = [0; 8];
    for (place, byte) in
        seed.iter_mut().zip(salt.to_le_bytes().into_iter().chain(len.to_le_bytes()))
    {
        *place = byte;
    }
    crc32c::crc32c_append(crc32c::crc32c(&seed), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(&mut bytes, 7, 8, Lsn::new(9), Lsn::new(6), Kind::Record, b"hello");
        bytes
    }

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        let bytes = sample();
        let frame = decode(&bytes, 7).unwrap();
        assert_eq!((frame.lsn, frame.durable_upto, frame.link), (Lsn::new(9), Lsn::new(6), 8));
        assert_eq!((frame.kind, frame.payload), (Kind::Record, b"hello".as_slice()));
        assert_eq!(frame.size_bytes(), bytes.len());
    }

    #[test]
    fn no_flipped_bit_goes_unnoticed() {
        let bytes = sample();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            decode(&flipped, 7).unwrap_err();
        }
    }

    #[test]
    fn a_frame_of_another_salt_is_no_frame() {
        assert_eq!(decode(&sample(), 6), Err(Flaw::Checksum));
    }

    #[test]
    fn the_layout_is_the_released_one() {
        let mut bytes = Vec::new();
        encode(&mut bytes, 7, 8, Lsn::new(9), Lsn::new(6), Kind::Record, b"hi");
        let mut wanted = vec![23, 0, 0, 0];
        wanted.extend(bytes[4..8].to_vec());
        wanted.extend([8, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 1, b'h', b'i']);
        assert_eq!(bytes, wanted);
        assert_eq!(bytes[4..8], 0x0010_2e7f_u32.to_le_bytes());
    }
}
