//! Looking at a tenant's past. Every method reads the disk: not for the workers.

use crate::domain::diff::Difference;
use crate::domain::history::{self, Image, Keep, Subject};
use crate::domain::time::{Timestamp, Version};
use crate::store::format::TenantUid;
use crate::store::history::{Head, HistoryError, Store, TouchedAt};

/// A look at what is kept of a tenant's past, within the limits of the moment.
#[derive(Clone, Debug)]
pub struct Look {
    pub(super) store: Store,
    pub(super) uid: TenantUid,
    pub(super) keep: Keep,
    pub(super) now: Timestamp,
}

/// A point in the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// After this change.
    Version(Version),
    /// At this time.
    Time(Timestamp),
}

/// An object at a point in the past.
#[derive(Clone, Debug)]
pub enum AsOf {
    /// It was so.
    Was(Box<Image>),
    /// It did not exist, not yet or no more.
    Absent,
    /// That is before everything that is kept of it.
    Forgotten,
}

impl AsOf {
    fn image(&self) -> Option<&Image> {
        match self {
            Self::Was(image) => Some(image),
            Self::Absent | Self::Forgotten => None,
        }
    }
}

/// Which part of the entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    /// The newest.
    Newest,
    /// Those older than this version.
    OlderThan(Version),
    /// Those newer than this version, the ones next to it.
    NewerThan(Version),
}

/// One change of an object.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The object after it, and who made it.
    pub image: Image,
    /// What it changed.
    pub changes: Vec<Difference>,
}

/// What a change made of one object.
#[derive(Clone, Debug)]
pub struct Touch {
    /// A user or a client.
    pub kind: Subject,
    /// Its id.
    pub id: String,
    /// What became of it.
    pub entry: Entry,
}

/// Some entries, newest first.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// The entries.
    pub entries: Vec<Entry>,
    /// Whether there are older ones.
    pub has_older: bool,
    /// Whether there are newer ones.
    pub has_newer: bool,
    /// Whether anything at all is known of the object.
    pub is_known: bool,
}

impl Look {
    /// How many of the images are within the limits.
    fn kept(&self, heads: &[Head]) -> usize {
        self.keep.count(heads.iter().map(|head| (head.at, head.size_bytes)), self.now)
    }

    fn image(&self, kind: Subject, id: &str, head: &Head) -> Result<Option<Image>, HistoryError> {
        // Between the look at the heads and this one it may have been let go of.
        self.store.image(self.uid, kind, id, head.version)
    }

    /// The changes of an object, at most `limit`.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn entries(
        &self,
        kind: Subject,
        id: &str,
        span: Span,
        limit: usize,
    ) -> Result<Page, HistoryError> {
        let heads = self.store.heads(self.uid, kind, id)?;
        let mut listed = self.kept(&heads);
        if listed == heads.len() && listed > 0 {
            // Of the oldest nobody knows what it changed, unless it made the object.
            let oldest = heads.last().map(|head| self.image(kind, id, head)).transpose()?.flatten();
            if !oldest.is_some_and(|image| image.is_making() && image.provenance.is_some()) {
                listed -= 1;
            }
        }
        let newest = heads.get(..listed).unwrap_or_default();
        let (start, end) = match span {
            Span::Newest => (0, limit.min(newest.len())),
            Span::OlderThan(version) => {
                let start = newest.partition_point(|head| head.version >= version);
                (start, start.saturating_add(limit).min(newest.len()))
            }
            Span::NewerThan(version) => {
                let end = newest.partition_point(|head| head.version > version);
                (end.saturating_sub(limit), end)
            }
        };
        let mut entries = Vec::new();
        let mut newer: Option<Image> = None;
        for head in heads.get(start..=end.min(heads.len().saturating_sub(1))).unwrap_or_default() {
            let older = self.image(kind, id, head)?;
            if let Some(image) = newer.take() {
                let changes = history::changes(older.as_ref(), Some(&image));
                entries.push(Entry { image, changes });
            }
            newer = older;
        }
        // The last one has nothing before it when it made the object.
        if let Some(image) = newer
            && entries.len() < end - start
        {
            let changes = history::changes(None, Some(&image));
            entries.push(Entry { image, changes });
        }
        Ok(Page {
            entries,
            has_older: end < newest.len(),
            has_newer: start > 0,
            is_known: !heads.is_empty(),
        })
    }

    /// An object at a point in the past.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn as_of(&self, kind: Subject, id: &str, point: Point) -> Result<AsOf, HistoryError> {
        let heads = self.store.heads(self.uid, kind, id)?;
        let is_before = |head: &Head| match point {
            Point::Version(version) => head.version <= version,
            Point::Time(at) => head.at <= at,
        };
        let Some(index) = heads.iter().position(is_before) else {
            let Some(oldest) = heads.last() else { return Ok(AsOf::Absent) };
            let is_making = self.image(kind, id, oldest)?.is_some_and(|image| image.is_making());
            return Ok(if is_making { AsOf::Absent } else { AsOf::Forgotten });
        };
        // The first image that is not within the limits says how what is within them began.
        let head = heads.get(index).filter(|_| index <= self.kept(&heads));
        Ok(match head.map(|head| self.image(kind, id, head)).transpose()?.flatten() {
            None => AsOf::Forgotten,
            Some(image) if image.shown().is_none() => AsOf::Absent,
            Some(image) => AsOf::Was(Box::new(image)),
        })
    }

    /// The oldest version at which it is known how an object was.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub(super) fn oldest(&self, kind: Subject, id: &str) -> Result<Option<Version>, HistoryError> {
        let heads = self.store.heads(self.uid, kind, id)?;
        // As in `as_of`: the first image that is not within the limits counts too.
        let last = self.kept(&heads).min(heads.len().saturating_sub(1));
        Ok(heads.get(last).map(|head| head.version))
    }

    /// What differs between two points; `None` when the past does not reach one of them.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn between(
        &self,
        kind: Subject,
        id: &str,
        from: Point,
        to: Point,
    ) -> Result<Option<Vec<Difference>>, HistoryError> {
        let (from, to) = (self.as_of(kind, id, from)?, self.as_of(kind, id, to)?);
        let is_forgotten = |point: &AsOf| matches!(point, AsOf::Forgotten);
        if is_forgotten(&from) || is_forgotten(&to) {
            return Ok(None);
        }
        Ok(Some(history::changes(from.image(), to.image())))
    }

    /// The image a certain change left of an object, if it is still there.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn at(
        &self,
        kind: Subject,
        id: &str,
        version: Version,
    ) -> Result<Option<Image>, HistoryError> {
        self.store.image(self.uid, kind, id, version)
    }

    /// The image before a certain change.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn before(
        &self,
        kind: Subject,
        id: &str,
        version: Version,
    ) -> Result<Option<Image>, HistoryError> {
        let upto = Version::new(version.get().saturating_sub(1));
        let found = self.store.images(self.uid, kind, id, upto).next().transpose()?;
        Ok(found.map(|(image, _)| image))
    }

    /// Whether anything is known of an object.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn knows(&self, kind: Subject, id: &str) -> Result<bool, HistoryError> {
        Ok(!self.store.heads(self.uid, kind, id)?.is_empty())
    }

    /// The changes of the tenant after a version, in order.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn changes_after(
        &self,
        after: Version,
        limit: usize,
    ) -> Result<Vec<TouchedAt>, HistoryError> {
        self.store.changes_after(self.uid, after, limit)
    }

    /// The changes of the tenant before a version, newest first: what each made of the users and
    /// clients it touched, as far as that is kept, and the version behind which older ones are.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn newest(
        &self,
        before: Option<Version>,
        limit: usize,
    ) -> Result<(Vec<Touch>, Option<Version>), HistoryError> {
        let changes = self.store.changes_before(self.uid, before, limit)?;
        let older = changes.last().map(|change| change.version).filter(|_| changes.len() == limit);
        let mut touches = Vec::new();
        for change in changes {
            let span = Span::OlderThan(change.version.next());
            let listed = change.touched.into_iter();
            for (kind, id) in listed.filter(|(kind, _)| !matches!(kind, Subject::Resource(_))) {
                let page = self.entries(kind, &id, span, 1)?;
                let entry = page.entries.into_iter().next();
                if let Some(entry) = entry.filter(|entry| entry.image.version == change.version) {
                    touches.push(Touch { kind, id, entry });
                }
            }
        }
        Ok((touches, older))
    }

    /// The version behind which every change is whole.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn floor(&self) -> Result<Version, HistoryError> {
        self.store.floor(self.uid)
    }

    /// The version of the last change before `at`.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn version_before(&self, at: Timestamp) -> Result<Version, HistoryError> {
        self.store.version_before(self.uid, at)
    }

    /// The last change of the tenant.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn last_version(&self) -> Result<Version, HistoryError> {
        Ok(self.store.last_version(self.uid)?.unwrap_or_default())
    }
}
