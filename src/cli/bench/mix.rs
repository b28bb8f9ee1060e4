//! What a load test asks for, and in which shares.

use std::fmt;
use std::str::FromStr;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A fixed body for the same headers, of which nobody takes notice: what HTTP alone costs.
    Bare,
    /// One user by id.
    Read,
    /// One key of one user's `app_metadata`.
    Patch,
    /// One user by e-mail, through the query language.
    Search,
}

impl Kind {
    /// Every kind, in the order of reports.
    pub(super) const ALL: [Self; 4] = [Self::Bare, Self::Read, Self::Patch, Self::Search];

    /// Its name in `--mix` and in reports.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Read => "read",
            Self::Patch => "patch",
            Self::Search => "search",
        }
    }
}

/// The shares of kinds, such as `read=90,patch=9,search=1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mix(Vec<(Kind, u32)>);

/// A text that is no mix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no mix; write shares of read, patch, search and bare, such as read=90,patch=10"
)]
pub(super) struct NoMix(String);

impl Mix {
    /// Nothing but one kind.
    pub(super) fn only(kind: Kind) -> Self {
        Self(vec![(kind, 1)])
    }

    /// The kind a random number chooses.
    pub(super) fn pick(&self, random: u64) -> Kind {
        let total: u64 = self.0.iter().map(|(_, share)| u64::from(*share)).sum();
        let mut at = random % total.max(1);
        for (kind, share) in &self.0 {
            if at < u64::from(*share) {
                return *kind;
            }
            at -= u64::from(*share);
        }
        Kind::Read
    }
}

impl FromStr for Mix {
    type Err = NoMix;

    fn from_str(text: &str) -> Result<Self, NoMix> {
        let wrong = || NoMix(text.to_owned());
        let mut shares: Vec<(Kind, u32)> = Vec::new();
        for part in text.split(',') {
            let (name, share) = part.split_once('=').ok_or_else(wrong)?;
            let kind = Kind::ALL.into_iter().find(|kind| kind.name() == name.trim());
            let kind = kind.filter(|kind| shares.iter().all(|(known, _)| known != kind));
            shares.push((kind.ok_or_else(wrong)?, share.trim().parse().map_err(|_| wrong())?));
        }
        if shares.iter().all(|(_, share)| *share == 0) {
            return Err(wrong());
        }
        Ok(Self(shares))
    }
}

impl fmt::Display for Mix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shares: Vec<String> =
            self.0.iter().map(|(kind, share)| format!("{}={share}", kind.name())).collect();
        f.write_str(&shares.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_what_is_picked() {
        let mix: Mix = "read=90,patch=9,search=1".parse().unwrap();
        let picked: Vec<Kind> = (0..1000).map(|at| mix.pick(at)).collect();
        let count = |kind| picked.iter().filter(|own| **own == kind).count();
        assert_eq!(
            (count(Kind::Read), count(Kind::Patch), count(Kind::Search), count(Kind::Bare)),
            (900, 90, 10, 0)
        );
        assert_eq!(mix.to_string(), "read=90,patch=9,search=1");
    }

    #[test]
    fn what_is_no_mix_is_refused_by_name() {
        for text in ["", "read", "read=x", "write=1", "read=0", "read=1,read=2", "read=-1"] {
            assert_eq!(text.parse::<Mix>(), Err(NoMix(text.to_owned())), "{text}");
        }
    }
}
