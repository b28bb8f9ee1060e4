//! The header of a segment, and its name.
//!
//! ```text
//! magic 8 | format u16 | min_reader u16 | journal u64 | base u64 | salt u32 | previous u32 | crc u32
//! ```

use super::Lsn;
use super::error::JournalError;

/// The format this release writes, and the newest it reads.
pub(super) const FORMAT: u16 = 1;

/// The oldest reader that understands what this release writes.
const MIN_READER: u16 = 1;

/// Where the first frame of a segment begins.
pub(super) const HEADER_BYTES: usize = 40;

const MAGIC: [u8; 8] = *b"DOSSIERJ";
const SUFFIX: &str = ".seg";

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The journal it belongs to.
    pub(super) journal: u64,
    /// The LSN of its first frame.
    pub(super) base: Lsn,
    /// Goes into the checksum of every frame.
    pub(super) salt: u32,
    /// The checksum of the last frame of the segment before (of its header if it has none).
    pub(super) previous: u32,
}

impl Header {
    /// The header as bytes, and its checksum, the link of the first frame.
    pub(super) fn encode(&self) -> (Vec<u8>, u32) {
        let mut bytes = Vec::with_capacity(HEADER_BYTES);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&FORMAT.to_le_bytes());
        bytes.extend_from_slice(&MIN_READER.to_le_bytes());
        bytes.extend_from_slice(&self.journal.to_le_bytes());
        bytes.extend_from_slice(&self.base.get().to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.previous.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        (bytes, crc)
    }

    /// Reads the header at the beginning of `bytes`, the contents of `file`.
    pub(super) fn decode(file: &str, bytes: &[u8]) -> Result<(Self, u32), JournalError> {
        let damaged = |reason: &str| JournalError::damaged(file, 0, reason);
        let Some((&magic, rest)) = bytes.split_first_chunk::<8>() else {
            return Err(damaged("the file is empty or cut off within its header"));
        };
        if magic != MAGIC {
            return Err(damaged("the file does not begin as a segment of a journal does"));
        }
        let cut = || damaged("the file is cut off within its header");
        let (&format, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&min_reader, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        check_format(file, u16::from_le_bytes(format), u16::from_le_bytes(min_reader))?;
        let (&journal, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&base, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&salt, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&previous, rest) = rest.split_first_chunk().ok_or_else(cut)?;
        let (&crc, _) = rest.split_first_chunk().ok_or_else(cut)?;
        let crc = u32::from_le_bytes(crc);
        if bytes.get(..HEADER_BYTES - 4).map(crc32c::crc32c) != Some(crc) {
            return Err(damaged("the checksum of the header is wrong"));
        }
        let header = Self {
            journal: u64::from_le_bytes(journal),
            base: Lsn::new(u64::from_le_bytes(base)),
            salt: u32::from_le_bytes(salt),
            previous: u32::from_le_bytes(previous),
        };
        Ok((header, crc))
    }
}

/// Refuses formats that are newer than this release.
pub(super) fn check_format(file: &str, format: u16, min_reader: u16) -> Result<(), JournalError> {
    if format == 0 {
        return Err(JournalError::damaged(file, 8, "the format is 0, the first one is 1"));
    }
    if min_reader > FORMAT {
        return Err(JournalError::Newer {
            file: file.to_owned(),
            format,
            min_reader,
            supported: FORMAT,
        });
    }
    Ok(())
}

/// The name of the segment that begins at `base`.
pub(super) fn file_name(base: Lsn) -> String {
    format!("{:020}{SUFFIX}", base.get())
}

/// The first LSN of the segment called `name`, if it is a segment's name.
pub(super) fn base_of(name: &str) -> Option<Lsn> {
    let digits = name.strip_suffix(SUFFIX)?;
    let base = Lsn::new(digits.parse().ok()?);
    (file_name(base) == name).then_some(base)
}

/// The first byte behind the header, for messages.
pub(super) fn first_frame_offset() -> u64 {
    u64::try_from(HEADER_BYTES).expect("40 fits")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header { journal: 5, base: Lsn::new(6), salt: 7, previous: 8 };

    #[test]
    fn a_header_comes_back_as_it_was_written() {
        let (bytes, crc) = HEADER.encode();
        assert_eq!(bytes.len(), HEADER_BYTES);
        assert_eq!(Header::decode("f", &bytes).unwrap(), (HEADER, crc));
    }

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unnoticed() {
        let (bytes, _) = HEADER.encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            Header::decode("f", &flipped).unwrap_err();
        }
        for cut in 0..bytes.len() {
            Header::decode("f", &bytes[..cut]).unwrap_err();
        }
    }

    #[test]
    fn a_newer_format_is_refused_with_both_versions() {
        let (mut bytes, _) = HEADER.encode();
        bytes[8] = 9;
        bytes[10] = 8;
        let error = Header::decode("x.seg", &bytes).unwrap_err().to_string();
        assert!(error.contains("x.seg has format 9"), "{error}");
        assert!(error.contains("format 8; this release reads up to 1"), "{error}");
    }

    #[test]
    fn a_name_says_where_a_segment_begins() {
        assert_eq!(base_of(&file_name(Lsn::new(77))), Some(Lsn::new(77)));
        assert_eq!(base_of("77.seg"), None);
        assert_eq!(base_of("+0000000000000000077.seg"), None);
        assert_eq!(base_of("MANIFEST"), None);
    }
}
