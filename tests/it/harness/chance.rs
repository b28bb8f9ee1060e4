//! Chance that can be had again: the seed is printed, and taken from the environment.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Numbers that follow from a seed.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// With the seed of `DOSSIER_TEST_SEED`, or a new one; it is told beside a failure.
    #[expect(clippy::print_stdout, reason = "a failed test is repeated with its seed")]
    pub(crate) fn new() -> Self {
        let given = std::env::var("DOSSIER_TEST_SEED").ok().and_then(|text| text.parse().ok());
        let seed = given.unwrap_or_else(|| RandomState::new().build_hasher().finish());
        println!("DOSSIER_TEST_SEED={seed}");
        Self(seed)
    }

    /// Chance for another thread, that follows from this one's.
    pub(crate) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    /// A number from `least` to `most`.
    pub(crate) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    fn next(&mut self) -> u64 {
        // splitmix64
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
