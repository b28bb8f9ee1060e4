//! The dump of one tenant: [`write()`] makes it, [`read()`] loads it, [`verify`] looks at it.
//!
//! ```text
//! header  magic 8 | format u16 | min_reader u16 | uid u64 | version u64 | lsn u64 | created i64 | crc u32
//! blocks  (len u32 | crc u32 | len bytes: store::format's, of about 256 KiB) ...
//! footer  magic 8 | users u64 | clients u64 | resources u64 | blocks u64 | total u32 | crc u32
//! ```
//!
//! Numbers are little endian, checksums crc32c. Header and footer keep their length and the
//! place of their checksum in every format, so damage is told from a newer format. The
//! checksum of a block covers the header's, its number and its length: no block is taken
//! from another file or another place. `total` runs over the checksums of all blocks.

mod layout;
mod read;
mod write;

pub use layout::Header;
pub use read::{Loaded, Summary, each_block, read, summary, verify};
pub use write::{Pace, Unpaced, Written, free_name, write};

/// The ending of a snapshot's name.
pub const ENDING: &str = ".snap";

use super::format::TenantUid;
use crate::domain::time::Version;

/// The name of the `nth` snapshot of a tenant at a version, counted from 1.
///
/// A tenant that does not change may be dumped again at the same version, and the dump before
/// must stay until the new one counts.
fn file_name(uid: TenantUid, version: Version, nth: u32) -> String {
    if nth > 1 {
        format!("{uid}-{version}-{nth}{ENDING}")
    } else {
        format!("{uid}-{version}{ENDING}")
    }
}

/// Whether `name` is one that some snapshot can have: numbers, dashes and the ending, so that it
/// leads to no other folder.
pub fn is_name(name: &str) -> bool {
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let parts = name.strip_suffix(ENDING).map(|numbers| numbers.split('-'));
    parts.is_some_and(|mut parts| {
        let count = parts.clone().count();
        (count == 2 || count == 3) && name.len() <= MAX_NAME_BYTES && parts.all(is_number)
    })
}

/// The tenant that a name says a snapshot is of.
pub fn tenant_named_by(name: &str) -> Option<TenantUid> {
    let (uid, _) = name.split_once('-').filter(|_| is_name(name))?;
    uid.parse().ok().map(TenantUid)
}

/// No name is longer: two numbers of 64 bits and one of 32, two dashes and the ending.
const MAX_NAME_BYTES: usize = 20 + 1 + 20 + 1 + 10 + ENDING.len();

/// Whether `name` is one a snapshot of this tenant at this version can have.
pub fn is_file_name(name: &str, uid: TenantUid, version: Version) -> bool {
    let middle =
        name.strip_prefix(&format!("{uid}-{version}")).and_then(|rest| rest.strip_suffix(ENDING));
    match middle.map(|middle| (middle, middle.strip_prefix('-'))) {
        Some(("", _)) => true,
        Some((_, Some(nth))) => !nth.is_empty() && nth.bytes().all(|byte| byte.is_ascii_digit()),
        Some((_, None)) | None => false,
    }
}

#[cfg(test)]
mod tests;
