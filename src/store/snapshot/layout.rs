//! The fixed parts of a snapshot file, and the checksums that tie them together.

use crate::domain::time::{Timestamp, Version};
use crate::store::format::TenantUid;

/// The format of the files this build writes, and the newest it reads.
pub(super) const FORMAT: u16 = 1;

/// Bytes of a header, and of a footer.
pub(super) const FIXED_BYTES: usize = 48;

/// [`FIXED_BYTES`] as a distance in a file.
pub(super) const HEADER_BYTES: u64 = 48;

/// [`FIXED_BYTES`] as a distance in a file.
pub(super) const FOOTER_BYTES: u64 = 48;

/// Bytes before a block that tell its length and its checksum.
pub(super) const BLOCK_HEAD_BYTES: u64 = 8;

/// No block is shorter: it holds the number of its format and three counts.
pub(super) const MIN_BLOCK_BYTES: u32 = 25;

const MAGIC: [u8; 8] = *b"DOSSNAP\n";
const END_MAGIC: [u8; 8] = *b"DOSSEND\n";

/// Why header or footer are not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// The bytes are damaged.
    Damaged(&'static str),
    /// The bytes are good, but of this newer format.
    Newer(u16),
}

/// What a snapshot says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whose it is.
    pub uid: TenantUid,
    /// The tenant's version at which collecting began: every change up to it is inside.
    pub version: Version,
    /// The journal's place at which collecting began: replay continues behind it.
    pub lsn: u64,
    /// When collecting began.
    pub created: Timestamp,
}

impl Header {
    /// The header's bytes and its checksum.
    pub(super) fn encode(&self) -> (Vec<u8>, u32) {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&FORMAT.to_le_bytes());
        out.extend_from_slice(&FORMAT.to_le_bytes());
        for number in [self.uid.0, self.version.get(), self.lsn] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.created.millis().to_le_bytes());
        let crc = seal(&mut out, 0);
        (out, crc)
    }

    /// The header in these bytes and its checksum.
    pub(super) fn decode(bytes: &[u8]) -> Result<(Self, u32), Flaw> {
        if !bytes.starts_with(&MAGIC) {
            return Err(Flaw::Damaged("it does not begin as a snapshot does"));
        }
        let (body, crc) = open(bytes, 0).ok_or(Flaw::Damaged("the header's checksum is wrong"))?;
        let mut fields = Fields(body);
        let decoded = (|| {
            fields.array::<8>()?;
            fields.array().map(u16::from_le_bytes)?;
            let min_reader = fields.array().map(u16::from_le_bytes)?;
            let uid = TenantUid(fields.long()?);
            let version = Version::new(fields.long()?);
            let lsn = fields.long()?;
            let created = Timestamp::from_millis(fields.array().map(i64::from_le_bytes)?);
            Some((min_reader, Self { uid, version, lsn, created }))
        })();
        match decoded {
            Some((min_reader, _)) if min_reader > FORMAT => Err(Flaw::Newer(min_reader)),
            Some((_, header)) => Ok((header, crc)),
            None => Err(Flaw::Damaged("the header is cut off")),
        }
    }
}

/// The format that the first bytes of a file name, whoever can read it.
pub(super) fn format_of(start: &[u8]) -> u16 {
    let number = start.get(MAGIC.len()..).and_then(<[u8]>::first_chunk);
    number.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

/// What a snapshot holds, said at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Footer {
    pub(super) users: u64,
    pub(super) clients: u64,
    pub(super) resources: u64,
    pub(super) blocks: u64,
    /// Over the checksums of all blocks in order.
    pub(super) total: u32,
}

impl Footer {
    /// The footer's bytes; `salt` is the header's checksum.
    pub(super) fn encode(&self, salt: u32) -> Vec<u8> {
        let mut out = END_MAGIC.to_vec();
        for number in [self.users, self.clients, self.resources, self.blocks] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.total.to_le_bytes());
        seal(&mut out, salt);
        out
    }

    /// The footer in these bytes.
    pub(super) fn decode(bytes: &[u8], salt: u32) -> Result<Self, Flaw> {
        if !bytes.starts_with(&END_MAGIC) {
            return Err(Flaw::Damaged(
                "it does not end as a snapshot does: cut off, or something stands behind it",
            ));
        }
        let wrong = "the footer's checksum is wrong, or it belongs to another snapshot";
        let (body, _) = open(bytes, salt).ok_or(Flaw::Damaged(wrong))?;
        let mut fields = Fields(body);
        (|| {
            fields.array::<8>()?;
            Some(Self {
                users: fields.long()?,
                clients: fields.long()?,
                resources: fields.long()?,
                blocks: fields.long()?,
                total: fields.array().map(u32::from_le_bytes)?,
            })
        })()
        .ok_or(Flaw::Damaged("the footer is cut off"))
    }

    /// Counts one more block, with this checksum.
    pub(super) fn count_block(&mut self, crc: u32) {
        self.blocks += 1;
        self.total = crc32c::crc32c_append(self.total, &crc.to_le_bytes());
    }
}

/// The length and the checksum before a block.
pub(super) fn encode_block_head(len: u32, crc: u32) -> [u8; 8] {
    (u64::from(len) | (u64::from(crc) << 32)).to_le_bytes()
}

/// What [`encode_block_head`] wrote: length, then checksum.
pub(super) fn decode_block_head(bytes: [u8; 8]) -> (u32, u32) {
    let mut fields = Fields(&bytes);
    let mut word = || fields.array().map_or(0, u32::from_le_bytes);
    (word(), word())
}

/// The checksum of the block numbered `number`; `salt` is the header's checksum.
pub(super) fn block_crc(salt: u32, number: u64, bytes: &[u8]) -> u32 {
    let len = u64::try_from(bytes.len()).expect("a length fits in 64 bits");
    let place = [u64::from(salt), number, len].map(u64::to_le_bytes);
    crc32c::crc32c_append(crc32c::crc32c(place.as_flattened()), bytes)
}

/// Puts a checksum behind the bytes and returns it.
fn seal(out: &mut Vec<u8>, salt: u32) -> u32 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), out);
    out.extend_from_slice(&crc.to_le_bytes());
    crc
}

/// The bytes before their checksum, and it, if it is right.
fn open(bytes: &[u8], salt: u32) -> Option<(&[u8], u32)> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    let crc = u32::from_le_bytes(*crc);
    let wanted = crc32c::crc32c_append(crc32c::crc32c(&salt.to_le_bytes()), body);
    (crc == wanted).then_some((body, crc))
}

/// Takes numbers off the front of bytes.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn long(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        let created = Timestamp::from_millis(-5);
        Header { uid: TenantUid(3), version: Version::new(7), lsn: 9, created }
    }

    #[test]
    fn header_and_footer_come_back_as_they_were() {
        let (bytes, salt) = header().encode();
        assert_eq!(u64::try_from(bytes.len()).unwrap(), HEADER_BYTES);
        assert_eq!(Header::decode(&bytes), Ok((header(), salt)));
        let mut footer = Footer { users: 1, clients: 2, resources: 3, blocks: 4, total: 5 };
        footer.count_block(77);
        let bytes = footer.encode(salt);
        assert_eq!(u64::try_from(bytes.len()).unwrap(), FOOTER_BYTES);
        assert_eq!(Footer::decode(&bytes, salt), Ok(footer));
        assert!(Footer::decode(&bytes, salt + 1).is_err());
    }

    #[test]
    fn a_newer_format_is_told_from_a_damaged_number() {
        let (mut bytes, _) = header().encode();
        bytes[10] = 2;
        assert!(matches!(Header::decode(&bytes), Err(Flaw::Damaged(_))));
        bytes.truncate(44);
        seal(&mut bytes, 0);
        assert_eq!(Header::decode(&bytes), Err(Flaw::Newer(2)));
    }

    #[test]
    fn a_newer_format_that_old_builds_may_read_is_read() {
        let (mut bytes, _) = header().encode();
        bytes[8] = 2;
        bytes.truncate(44);
        let salt = seal(&mut bytes, 0);
        assert_eq!(Header::decode(&bytes), Ok((header(), salt)));
    }

    #[test]
    fn a_block_is_bound_to_its_file_its_place_and_its_length() {
        let crc = block_crc(1, 2, b"abc");
        for other in [block_crc(2, 2, b"abc"), block_crc(1, 3, b"abc"), block_crc(1, 2, b"abc\0")] {
            assert_ne!(crc, other);
        }
        assert_eq!(decode_block_head(encode_block_head(25, crc)), (25, crc));
    }
}
