//! The values at one path, and who has them.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher, Hash, Hasher};
use std::ops::Bound::{Included, Unbounded};

use crate::domain::search::index::merge::merge_maps;
use crate::domain::search::index::posting::{Posting, Sets};
use crate::domain::search::index::times::Times;
use crate::domain::search::moment::{canonical_instant, canonical_text, instant};
use crate::domain::search::number::Number;
use crate::domain::search::record::Scalar;

/// A dictionary with more bytes of text than this is given up, whatever the count of its values.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// A value as the index holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Key<'a> {
    Bool(bool),
    Number(Number),
    /// A time in the form the server writes; its text can be told from it.
    Time(i64),
    Text(Cow<'a, str>),
}

impl<'a> Key<'a> {
    /// The key of a value.
    pub(crate) fn of(scalar: Scalar<'a>) -> Option<Self> {
        match scalar {
            Scalar::Bool(value) => Some(Self::Bool(value)),
            Scalar::Number(text) => Number::parse(text).map(Self::Number),
            // Folded text stays text: its `t` and `z` are not in the form the server writes.
            Scalar::Text(text) => {
                Some(canonical_instant(&text).map_or(Self::Text(text), Self::Time))
            }
        }
    }
}

/// The values at one path.
#[derive(Debug)]
pub(crate) struct Values {
    form: Form,
    /// How many pairs of value and document there are of each kind.
    counts: Counts,
}

/// Who has a value with which hash. The hasher has no secret: values that share a hash only share a
/// set, of which every document is asked.
pub(crate) type Table = HashMap<u32, Posting, BuildHasherDefault<DefaultHasher>>;

#[derive(Debug)]
pub(crate) enum Form {
    /// Every value, in order.
    Dictionary(Dictionary),
    /// Only hashes of the values: a find may be another value with the same hash.
    Hashed(Table),
}

/// Every value, apart by kind and in order.
#[derive(Debug, Default)]
pub(crate) struct Dictionary {
    /// Who has `false`, and who `true`.
    pub(crate) bools: [Option<Posting>; 2],
    pub(crate) numbers: BTreeMap<Number, Posting>,
    pub(crate) times: Times,
    pub(crate) texts: BTreeMap<Box<str>, Posting>,
    text_bytes: usize,
}

/// How many pairs of value and document there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) bools: u64,
    pub(crate) numbers: u64,
    pub(crate) times: u64,
    pub(crate) texts: u64,
    /// Those of the texts that stand for an instant all the same.
    pub(crate) odd_times: u64,
}

impl Default for Values {
    fn default() -> Self {
        Self { form: Form::Dictionary(Dictionary::default()), counts: Counts::default() }
    }
}

impl Values {
    /// Values that stay in order however many there are, and of whose times whole days are asked for.
    pub(crate) fn ordered() -> Self {
        let dictionary = Dictionary { times: Times::with_days(), ..Dictionary::default() };
        Self { form: Form::Dictionary(dictionary), counts: Counts::default() }
    }

    pub(crate) fn form(&self) -> &Form {
        &self.form
    }

    pub(crate) fn counts(&self) -> Counts {
        self.counts
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts == Counts::default()
    }

    /// How many different values there are, where they are known.
    pub(crate) fn distinct(&self) -> Option<usize> {
        match &self.form {
            Form::Dictionary(dictionary) => Some(dictionary.len()),
            Form::Hashed(_) => None,
        }
    }

    pub(crate) fn add(&mut self, key: Key<'_>, slot: u32, sets: &mut Sets) {
        let (count, odd_times) = self.counts.of(&key);
        *count += 1;
        *odd_times += u64::from(is_odd_time(&key));
        match &mut self.form {
            Form::Dictionary(dictionary) => dictionary.add(key, slot, sets),
            Form::Hashed(table) => {
                let hash = hash(&key);
                match table.get_mut(&hash) {
                    Some(posting) => *posting = sets.add(*posting, slot),
                    None => {
                        table.insert(hash, sets.single(slot));
                    }
                }
            }
        }
    }

    /// Removes a value of a document, which `has_several` when it may have others here.
    pub(crate) fn remove(&mut self, key: &Key<'_>, slot: u32, has_several: bool, sets: &mut Sets) {
        let (count, odd_times) = self.counts.of(key);
        *count = count.saturating_sub(1);
        *odd_times = odd_times.saturating_sub(u64::from(is_odd_time(key)));
        match &mut self.form {
            Form::Dictionary(dictionary) => dictionary.remove(key, slot, has_several, sets),
            Form::Hashed(table) => {
                let hash = hash(key);
                match table.get(&hash).map(|posting| sets.remove(*posting, slot)) {
                    Some(Some(posting)) => {
                        table.insert(hash, posting);
                    }
                    Some(None) => {
                        table.remove(&hash);
                    }
                    None => {}
                }
            }
        }
    }

    /// Keeps only hashes from now on when there are more than `distinct_max` values or too much text.
    pub(crate) fn bound(&mut self, distinct_max: usize, sets: &mut Sets) {
        match &self.form {
            Form::Dictionary(dictionary)
                if dictionary.len() > distinct_max || dictionary.text_bytes > TEXT_BYTES_MAX =>
            {
                self.keep_hashes(sets);
            }
            Form::Dictionary(_) | Form::Hashed(_) => {}
        }
    }

    /// Takes over the values of other documents.
    pub(crate) fn absorb(&mut self, other: Self, sets: &mut Sets, other_sets: &mut Sets) {
        self.counts.absorb(other.counts);
        let mut other = Self { form: other.form, counts: Counts::default() };
        if matches!(other.form, Form::Hashed(_)) {
            self.keep_hashes(sets);
        } else if matches!(self.form, Form::Hashed(_)) {
            other.keep_hashes(other_sets);
        }
        match (&mut self.form, other.form) {
            (Form::Dictionary(into), Form::Dictionary(from)) => into.absorb(from, sets, other_sets),
            (Form::Hashed(into), Form::Hashed(from)) => {
                for (hash, posting) in from {
                    let posting = sets.adopt(other_sets, posting);
                    add_hash(into, hash, posting, sets);
                }
            }
            (Form::Dictionary(_), Form::Hashed(_)) | (Form::Hashed(_), Form::Dictionary(_)) => {}
        }
    }

    /// Every posting, to be released.
    pub(crate) fn into_postings(self) -> Vec<Posting> {
        match self.form {
            Form::Dictionary(dictionary) => dictionary.postings().collect(),
            Form::Hashed(table) => table.into_values().collect(),
        }
    }

    fn keep_hashes(&mut self, sets: &mut Sets) {
        let Form::Dictionary(dictionary) = &mut self.form else { return };
        let mut table = Table::default();
        for (key, posting) in std::mem::take(dictionary).into_postings() {
            add_hash(&mut table, hash(&key), posting, sets);
        }
        self.form = Form::Hashed(table);
    }
}

/// Adds a posting to those with its hash, which two values can have.
fn add_hash(table: &mut Table, hash: u32, posting: Posting, sets: &mut Sets) {
    match table.get_mut(&hash) {
        Some(held) => *held = sets.unite(*held, posting),
        None => {
            table.insert(hash, posting);
        }
    }
}

impl Dictionary {
    pub(crate) fn len(&self) -> usize {
        self.bools.iter().flatten().count()
            + self.numbers.len()
            + self.times.len()
            + self.texts.len()
    }

    fn add(&mut self, key: Key<'_>, slot: u32, sets: &mut Sets) {
        if let Key::Time(at) = key {
            self.times.add(at, slot, sets);
            return;
        }
        if let Some(posting) = self.posting_mut(&key) {
            *posting = sets.add(*posting, slot);
            return;
        }
        let posting = sets.single(slot);
        match key {
            Key::Bool(value) => *self.bool_mut(value) = Some(posting),
            Key::Number(number) => {
                self.numbers.insert(number, posting);
            }
            Key::Time(_) => {}
            Key::Text(text) => {
                self.text_bytes += text.len();
                self.texts.insert(text.into(), posting);
            }
        }
    }

    fn remove(&mut self, key: &Key<'_>, slot: u32, has_several: bool, sets: &mut Sets) {
        if let Key::Time(at) = key {
            self.times.remove(*at, slot, has_several, sets);
            return;
        }
        let Some(posting) = self.posting_mut(key) else { return };
        if let Some(left) = sets.remove(*posting, slot) {
            *posting = left;
            return;
        }
        match key {
            Key::Bool(value) => *self.bool_mut(*value) = None,
            Key::Number(number) => {
                self.numbers.remove(number);
            }
            Key::Time(_) => {}
            Key::Text(text) => {
                self.text_bytes -= text.len();
                self.texts.remove(text.as_ref());
            }
        }
    }

    fn absorb(&mut self, other: Self, sets: &mut Sets, other_sets: &mut Sets) {
        for (value, posting) in [false, true].into_iter().zip(other.bools) {
            let Some(posting) = posting else { continue };
            let held = *self.bool_mut(value);
            *self.bool_mut(value) = Some(match held {
                Some(held) => sets.join(held, other_sets, posting),
                None => sets.adopt(other_sets, posting),
            });
        }
        merge_maps(&mut self.numbers, other.numbers, sets, other_sets, |_| {});
        self.times.absorb(other.times, sets, other_sets);
        self.text_bytes += other.text_bytes;
        let text_bytes = &mut self.text_bytes;
        merge_maps(&mut self.texts, other.texts, sets, other_sets, |text| {
            *text_bytes -= text.len();
        });
    }

    pub(crate) fn bool(&self, value: bool) -> Option<Posting> {
        let [no, yes] = self.bools;
        if value { yes } else { no }
    }

    /// The texts that begin with `prefix`.
    pub(crate) fn texts_from<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a Box<str>, &'a Posting)> + 'a {
        self.texts
            .range::<str, _>((Included(prefix), Unbounded))
            .take_while(move |(text, _)| text.starts_with(prefix))
    }

    /// The postings in the order of their values.
    pub(crate) fn postings(&self) -> impl DoubleEndedIterator<Item = Posting> {
        let (bools, numbers) = (self.bools.iter().flatten(), self.numbers.values());
        let times = self.times.iter().map(|(_, posting)| posting);
        bools.chain(numbers).copied().chain(times).chain(self.texts.values().copied())
    }

    fn bool_mut(&mut self, value: bool) -> &mut Option<Posting> {
        let [no, yes] = &mut self.bools;
        if value { yes } else { no }
    }

    fn posting_mut(&mut self, key: &Key<'_>) -> Option<&mut Posting> {
        match key {
            Key::Bool(value) => self.bool_mut(*value).as_mut(),
            Key::Number(number) => self.numbers.get_mut(number),
            Key::Time(_) => None,
            Key::Text(text) => self.texts.get_mut(text.as_ref()),
        }
    }

    fn into_postings(self) -> impl Iterator<Item = (Key<'static>, Posting)> {
        let [no, yes] = self.bools;
        let bools = [(false, no), (true, yes)];
        bools
            .into_iter()
            .filter_map(|(value, posting)| posting.map(|posting| (Key::Bool(value), posting)))
            .chain(self.numbers.into_iter().map(|(number, posting)| (Key::Number(number), posting)))
            .chain(self.times.into_postings().map(|(at, posting)| (Key::Time(at), posting)))
            .chain(
                self.texts
                    .into_iter()
                    .map(|(text, posting)| (Key::Text(Cow::Owned(text.into_string())), posting)),
            )
    }
}

impl Counts {
    fn absorb(&mut self, other: Self) {
        self.bools += other.bools;
        self.numbers += other.numbers;
        self.times += other.times;
        self.texts += other.texts;
        self.odd_times += other.odd_times;
    }

    /// The count of this kind, and that of odd times.
    fn of(&mut self, key: &Key<'_>) -> (&mut u64, &mut u64) {
        let count = match key {
            Key::Bool(_) => &mut self.bools,
            Key::Number(_) => &mut self.numbers,
            Key::Time(_) => &mut self.times,
            Key::Text(_) => &mut self.texts,
        };
        (count, &mut self.odd_times)
    }
}

/// The hash by which a value is held when there are too many.
///
/// A time has the hash of its text, so that a text can be looked up without reading it as a time.
pub(crate) fn hash(key: &Key<'_>) -> u32 {
    let mut hasher = DefaultHasher::new();
    match key {
        Key::Bool(value) => (0_u8, value).hash(&mut hasher),
        Key::Number(number) => (1_u8, number).hash(&mut hasher),
        Key::Time(at) => (2_u8, canonical_text(*at).as_str()).hash(&mut hasher),
        Key::Text(text) => (2_u8, text.as_ref()).hash(&mut hasher),
    }
    u32::try_from(hasher.finish() >> 32).expect("the upper half of a u64 is a u32")
}

fn is_odd_time(key: &Key<'_>) -> bool {
    match key {
        Key::Text(text) => instant(text).is_some(),
        Key::Bool(_) | Key::Number(_) | Key::Time(_) => false,
    }
}
