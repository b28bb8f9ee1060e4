//! A place in the order of a tenant's events.

use crate::domain::time::Version;

/// A place between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// Every event of this version and before it is passed,
    pub(super) version: Version,
    /// and so many of the next one.
    pub(super) passed: usize,
}

impl Position {
    pub(super) const fn behind(version: Version) -> Self {
        Self { version, passed: 0 }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        match text.split_once('.') {
            None => text.parse().ok().map(|number| Self::behind(Version::new(number))),
            Some((version, passed)) => {
                let version: u64 = version.parse().ok()?;
                let passed = passed.parse().ok()?;
                Some(Self { version: Version::new(version.checked_sub(1)?), passed })
            }
        }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.passed {
            0 => self.version.fmt(f),
            passed => write!(f, "{}.{passed}", self.version.next()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_out_of_its_text() {
        for (version, passed, text) in [(0, 0, "0"), (7, 0, "7"), (6, 2, "7.2")] {
            let position = Position { version: Version::new(version), passed };
            assert_eq!(position.to_string(), text);
            assert_eq!(Position::parse(text), Some(position));
        }
        for text in ["", "x", "0.1", "-1", "7.", "7.x", "1.2.3"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
