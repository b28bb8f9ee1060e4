//! Sets of slots, as small as what they hold.
//!
//! Most values belong to one document, and many of the others to nearly all. A [`Posting`] is four
//! bytes: the slot itself, or the place of a set in [`Sets`].

use std::borrow::Cow;

use roaring::RoaringBitmap;

/// One slot, or the place of a set with several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posting(u32);

/// From here on a posting is the place of a set. Slots from here on are always held in one.
const PLACES: u32 = 1 << 31;
/// More slots than this go into a bitmap, and fewer than half come out again.
const FEW_MAX: usize = 16;

/// The sets that postings point to.
#[derive(Debug, Default)]
pub(crate) struct Sets {
    sets: Vec<Set>,
    free: Vec<u32>,
}

#[derive(Debug)]
enum Set {
    /// In order.
    Few(Vec<u32>),
    Many(RoaringBitmap),
}

impl Sets {
    /// A posting of nothing but `slot`.
    pub(crate) fn single(&mut self, slot: u32) -> Posting {
        if slot < PLACES { Posting(slot) } else { self.place(Set::Few(vec![slot])) }
    }

    /// The posting with `slot` added to it.
    pub(crate) fn add(&mut self, posting: Posting, slot: u32) -> Posting {
        let Some(set) = self.set_mut(posting) else {
            let Posting(only) = posting;
            if only == slot {
                return posting;
            }
            return self.place(Set::Few(vec![only.min(slot), only.max(slot)]));
        };
        match set {
            Set::Many(bitmap) => {
                bitmap.insert(slot);
            }
            Set::Few(slots) => {
                if let Err(at) = slots.binary_search(&slot) {
                    slots.insert(at, slot);
                }
                if slots.len() > FEW_MAX {
                    *set = Set::Many(slots.iter().copied().collect());
                }
            }
        }
        posting
    }

    /// The posting without `slot`; `None` when nothing is left of it.
    pub(crate) fn remove(&mut self, posting: Posting, slot: u32) -> Option<Posting> {
        let Some(set) = self.set_mut(posting) else {
            return (posting.0 != slot).then_some(posting);
        };
        match set {
            Set::Many(bitmap) => {
                bitmap.remove(slot);
                if bitmap.len() <= few_again() {
                    *set = Set::Few(bitmap.iter().collect());
                }
                Some(posting)
            }
            Set::Few(slots) => {
                slots.retain(|held| *held != slot);
                match *slots.as_slice() {
                    [] => {
                        self.release(posting);
                        None
                    }
                    [only] if only < PLACES => {
                        self.release(posting);
                        Some(Posting(only))
                    }
                    _ => Some(posting),
                }
            }
        }
    }

    /// Takes over a posting of other sets.
    pub(crate) fn adopt(&mut self, other: &mut Self, posting: Posting) -> Posting {
        match other.take(posting) {
            Some(set) => self.place(set),
            None => posting,
        }
    }

    /// The posting with all slots of a posting of other sets added to it.
    pub(crate) fn join(&mut self, posting: Posting, other: &mut Self, added: Posting) -> Posting {
        match other.take(added) {
            None => self.add(posting, added.0),
            Some(Set::Few(slots)) => {
                slots.into_iter().fold(posting, |posting, slot| self.add(posting, slot))
            }
            Some(Set::Many(mut slots)) => match self.set_mut(posting) {
                None => {
                    slots.insert(posting.0);
                    self.place(Set::Many(slots))
                }
                Some(Set::Few(held)) => {
                    slots.extend(held.iter().copied());
                    self.place_again(posting, Set::Many(slots))
                }
                Some(Set::Many(held)) => {
                    *held |= slots;
                    posting
                }
            },
        }
    }

    /// One posting of two.
    pub(crate) fn unite(&mut self, posting: Posting, added: Posting) -> Posting {
        let slots: Vec<u32> = self.bitmap(added).iter().collect();
        self.release(added);
        slots.into_iter().fold(posting, |posting, slot| self.add(posting, slot))
    }

    pub(crate) fn len(&self, posting: Posting) -> u64 {
        match self.set(posting) {
            None => 1,
            Some(Set::Few(slots)) => slots.len().try_into().unwrap_or(u64::MAX),
            Some(Set::Many(bitmap)) => bitmap.len(),
        }
    }

    pub(crate) fn bitmap(&self, posting: Posting) -> Cow<'_, RoaringBitmap> {
        match self.set(posting) {
            None => Cow::Owned(RoaringBitmap::from_iter([posting.0])),
            Some(Set::Few(slots)) => Cow::Owned(slots.iter().copied().collect()),
            Some(Set::Many(bitmap)) => Cow::Borrowed(bitmap),
        }
    }

    /// How many sets are held.
    #[cfg(test)]
    pub(crate) fn in_use(&self) -> usize {
        self.sets.len() - self.free.len()
    }

    fn set(&self, posting: Posting) -> Option<&Set> {
        self.sets.get(place_of(posting)?)
    }

    fn set_mut(&mut self, posting: Posting) -> Option<&mut Set> {
        self.sets.get_mut(place_of(posting)?)
    }

    /// The set of a posting, which is not used again; `None` when it is a slot.
    fn take(&mut self, posting: Posting) -> Option<Set> {
        let set = self.set_mut(posting).map(|set| std::mem::replace(set, Set::Few(Vec::new())));
        if set.is_some() {
            self.release(posting);
        }
        set
    }

    fn place_again(&mut self, posting: Posting, set: Set) -> Posting {
        if let Some(held) = self.set_mut(posting) {
            *held = set;
        }
        posting
    }

    fn place(&mut self, set: Set) -> Posting {
        if let Some(place) = self.free.pop() {
            return self.place_again(Posting(PLACES + place), set);
        }
        let place = u32::try_from(self.sets.len()).expect("there are fewer sets than slots");
        self.sets.push(set);
        Posting(PLACES.checked_add(place).expect("there are fewer sets than slots"))
    }

    /// Forgets a posting that nothing holds any more.
    pub(crate) fn release(&mut self, posting: Posting) {
        if let Some(set) = self.set_mut(posting) {
            *set = Set::Few(Vec::new());
            self.free.push(posting.0 - PLACES);
        }
    }
}

/// Gathers postings into one bitmap.
#[derive(Debug, Default)]
pub(crate) struct Union {
    /// Adding slots to a bitmap one by one, in no order, is slow; they are sorted first.
    loose: Vec<u32>,
    bitmap: RoaringBitmap,
}

impl Union {
    pub(crate) fn add(&mut self, sets: &Sets, posting: Posting) {
        match sets.set(posting) {
            None => self.loose.push(posting.0),
            Some(Set::Few(slots)) => self.loose.extend_from_slice(slots),
            Some(Set::Many(bitmap)) => self.bitmap |= bitmap,
        }
    }

    pub(crate) fn add_all(&mut self, slots: &RoaringBitmap) {
        self.bitmap |= slots;
    }

    pub(crate) fn finish(mut self) -> RoaringBitmap {
        self.loose.sort_unstable();
        self.loose.dedup();
        let loose =
            RoaringBitmap::from_sorted_iter(self.loose).expect("they have just been sorted");
        self.bitmap | loose
    }
}

fn place_of(Posting(value): Posting) -> Option<usize> {
    usize::try_from(value.checked_sub(PLACES)?).ok()
}

fn few_again() -> u64 {
    u64::try_from(FEW_MAX / 2).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Posting, Sets, Union};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_posting_takes_four_bytes() {
        assert_eq!(size_of::<Posting>(), 4);
        assert_eq!(size_of::<Option<Posting>>(), 8);
    }

    proptest! {
        #[test]
        fn a_posting_is_a_set(steps in prop::collection::vec((any::<bool>(), prop_oneof![0..40_u32, u32::MAX - 3..=u32::MAX]), 1..120)) {
            let mut sets = Sets::default();
            let mut posting: Option<Posting> = None;
            let mut model = BTreeSet::new();
            for (is_added, slot) in steps {
                posting = match (posting, is_added) {
                    (None, true) => Some(sets.single(slot)),
                    (Some(posting), true) => Some(sets.add(posting, slot)),
                    (Some(posting), false) => sets.remove(posting, slot),
                    (None, false) => None,
                };
                if is_added { model.insert(slot); } else { model.remove(&slot); }
                let found: Vec<u32> = posting.map(|posting| sets.bitmap(posting).iter().collect()).unwrap_or_default();
                prop_assert_eq!(&found, &model.iter().copied().collect::<Vec<_>>());
                let length = posting.map_or(0, |posting| sets.len(posting));
                prop_assert_eq!(Ok(length), u64::try_from(found.len()));
                let mut union = Union::default();
                if let Some(posting) = posting {
                    union.add(&sets, posting);
                }
                prop_assert_eq!(union.finish().iter().collect::<Vec<_>>(), found);
            }
        }
    }
}
