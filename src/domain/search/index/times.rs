//! The times at one path, by instant and by day.
//!
//! Nearly every time of a profile is the only one of its instant, and people ask for days, months and
//! years. With a set for every day such a range is the union of some hundred sets, not of a million.

use std::collections::BTreeMap;
use std::ops::Range;

use roaring::RoaringBitmap;

use crate::domain::search::index::merge::merge_maps;
use crate::domain::search::index::posting::{Posting, Sets};
use crate::domain::search::moment::DAY;

/// Who has which time.
#[derive(Debug, Default)]
pub(crate) struct Times {
    by_instant: BTreeMap<i64, Posting>,
    /// The same by the number of the day; only where it was asked for.
    by_day: Option<BTreeMap<i64, RoaringBitmap>>,
}

/// A part of a range of time: a set for a whole day, or the posting of an instant.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    Day(&'a RoaringBitmap),
    Instant(Posting),
}

impl Times {
    /// Times of which whole days are often asked for.
    pub(crate) fn with_days() -> Self {
        Self { by_instant: BTreeMap::new(), by_day: Some(BTreeMap::new()) }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_instant.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (i64, Posting)> {
        self.by_instant.iter().map(|(at, posting)| (*at, *posting))
    }

    pub(crate) fn into_postings(self) -> impl Iterator<Item = (i64, Posting)> {
        self.by_instant.into_iter()
    }

    pub(crate) fn add(&mut self, at: i64, slot: u32, sets: &mut Sets) {
        if let Some(by_day) = &mut self.by_day {
            by_day.entry(at.div_euclid(DAY)).or_default().insert(slot);
        }
        match self.by_instant.get_mut(&at) {
            Some(posting) => *posting = sets.add(*posting, slot),
            None => {
                self.by_instant.insert(at, sets.single(slot));
            }
        }
    }

    /// Removes a time of a document, which `has_several` when other times of it may be here.
    pub(crate) fn remove(&mut self, at: i64, slot: u32, has_several: bool, sets: &mut Sets) {
        match self.by_instant.get(&at).map(|posting| sets.remove(*posting, slot)) {
            Some(Some(left)) => {
                self.by_instant.insert(at, left);
            }
            Some(None) => {
                self.by_instant.remove(&at);
            }
            None => return,
        }
        let day = at.div_euclid(DAY);
        let Some(by_day) = &mut self.by_day else { return };
        let of_day = |posting: &Posting| sets.bitmap(*posting).contains(slot);
        if has_several
            && self.by_instant.range(day * DAY..(day + 1) * DAY).any(|(_, posting)| of_day(posting))
        {
            return;
        }
        if let Some(slots) = by_day.get_mut(&day) {
            slots.remove(slot);
            if slots.is_empty() {
                by_day.remove(&day);
            }
        }
    }

    /// Takes over the times of other documents.
    pub(crate) fn absorb(&mut self, other: Self, sets: &mut Sets, other_sets: &mut Sets) {
        merge_maps(&mut self.by_instant, other.by_instant, sets, other_sets, |_| {});
        if let Some(by_day) = &mut self.by_day {
            for (day, slots) in other.by_day.into_iter().flatten() {
                *by_day.entry(day).or_default() |= slots;
            }
        }
    }

    /// The parts that make up a range, which must not end before it starts.
    pub(crate) fn parts(&self, range: Range<i64>) -> impl Iterator<Item = Part<'_>> {
        let (first, last) = whole_days(&range);
        let days = self.by_day.as_ref().filter(|_| first < last);
        let (head, tail) = match days {
            Some(_) => (range.start..first * DAY, last * DAY..range.end),
            None => (range.clone(), range.end..range.end),
        };
        let instants = |range: Range<i64>| {
            self.by_instant.range(range).map(|(_, posting)| Part::Instant(*posting))
        };
        let days = days.into_iter().flat_map(move |days| days.range(first..last));
        instants(head).chain(days.map(|(_, slots)| Part::Day(slots))).chain(instants(tail))
    }
}

/// The first day that lies in a range as a whole, and the first after it that does not.
fn whole_days(range: &Range<i64>) -> (i64, i64) {
    let first = range.start.div_euclid(DAY) + i64::from(range.start.rem_euclid(DAY) > 0);
    (first, range.end.div_euclid(DAY))
}
