//! Identifiers and secrets, from the system's randomness.

use crate::domain::time::Timestamp;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

const ALPHANUMERIC: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// So many random bytes.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives randomness");
    bytes
}

/// A number from randomness.
pub fn number() -> u64 {
    u64::from_le_bytes(bytes())
}

fn from_alphabet(alphabet: &[u8], len: usize) -> String {
    let mut text = String::with_capacity(len);
    // Bytes beyond the largest multiple of the alphabet's size are drawn again, so no letter is likelier.
    let fair = 256 - 256 % alphabet.len();
    while text.len() < len {
        for byte in bytes::<64>().map(usize::from) {
            if byte < fair
                && text.len() < len
                && let Some(letter) = alphabet.get(byte % alphabet.len())
            {
                text.push(char::from(*letter));
            }
        }
    }
    text
}

/// Letters and digits, as in client ids.
pub fn alphanumeric(len: usize) -> String {
    from_alphabet(ALPHANUMERIC, len)
}

/// Letters, digits, `-` and `_`, as in client secrets.
pub fn secret(len: usize) -> String {
    from_alphabet(URL_SAFE, len)
}

/// 24 hex digits: seconds since the epoch, then randomness, as account ids are.
pub fn account_id(now: Timestamp) -> String {
    let seconds = u32::try_from(now.seconds().rem_euclid(1 << 32)).unwrap_or_default();
    let tail = u64::from_le_bytes(bytes());
    format!("{seconds:08x}{tail:016x}")
}

/// 20 hex digits, as request ids are: unique in this process, and unlike those of another.
///
/// A count, scrambled with what was drawn at the start: asking the system for each
/// request would cost more than looking the user up.
pub fn request_id() -> String {
    static START: LazyLock<(u64, u64)> = LazyLock::new(|| (number(), number()));
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let (seed, process) = *START;
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let scrambled = splitmix(seed.wrapping_add(count));
    format!("{:04x}{scrambled:016x}", process & 0xffff)
}

/// A bijection of 64-bit numbers: different counts stay different.
fn splitmix(number: u64) -> u64 {
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_their_length_and_alphabet() {
        assert_eq!(alphanumeric(32).len(), 32);
        assert!(alphanumeric(200).bytes().all(|byte| byte.is_ascii_alphanumeric()));
        assert_eq!(secret(64).len(), 64);
        let id = account_id(Timestamp::from_millis(1_700_000_000_000));
        assert_eq!(id.len(), 24);
        assert!(id.starts_with("6553f100"), "{id}");
        assert_ne!(request_id(), request_id());
    }
}
