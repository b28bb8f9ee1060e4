//! Finds what somebody may have meant.

/// The known word closest to what was found, when one is close enough to be worth naming.
pub(super) fn closest<'a>(
    found: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let found = found.to_ascii_lowercase();
    let distance = |word: &str| strsim::damerau_levenshtein(&found, &word.to_ascii_lowercase());
    let (word, distance) =
        known.into_iter().map(|word| (word, distance(word))).min_by_key(|(_, d)| *d)?;
    let is_close = distance <= word.len().max(found.len()) / 3 && distance <= 4;
    (is_close || is_part(&found, word)).then_some(word)
}

/// Whether one is the beginning of the other, such as `metadata_dep` or `wildcards`.
fn is_part(found: &str, word: &str) -> bool {
    found.len() >= 4 && (word.starts_with(found) || word.ends_with(found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(found: &str, expected: Option<&str>) {
        assert_eq!(
            closest(found, ["interval", "max_changes", "on_shutdown", "pause_budget"]),
            expected
        );
    }

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        check("intervall", Some("interval"));
        check("INTERVAL", Some("interval"));
        check("max_chagnes", Some("max_changes"));
        check("on-shutdown", Some("on_shutdown"));
        check("keep_daily", None);
        check("x", None);
        check("", None);
    }
}
