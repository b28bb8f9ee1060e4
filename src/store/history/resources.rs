//! Since when the history tells of a tenant's resources as a whole.
//!
//! A resource does not say which change made it, so whether there was one before its oldest image is
//! known only where everything is: from the first change of a tenant on, or from a snapshot. A
//! history of a build that kept no resources goes on with what comes; of before, nothing is said.

use super::{Batch, HistoryError, Store, entry, keys, read};
use crate::domain::change::{Change, Outcome};
use crate::domain::history::Subject;
use crate::domain::resource::Resource;
use crate::domain::time::Version;
use crate::store::format::TenantUid;

/// From where on resources are told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whole {
    /// Every later change has its resources among what it touched.
    from: Version,
    /// And those there were then have an image.
    has_bases: bool,
}

impl Whole {
    fn to_bytes(self) -> Vec<u8> {
        [self.from.get().to_be_bytes().as_slice(), &[u8::from(self.has_bases)]].concat()
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let (from, rest) = bytes.split_first_chunk()?;
        let from = Version::new(u64::from_be_bytes(*from));
        Some(Self { from, has_bases: *rest.first()? != 0 })
    }
}

impl Store {
    fn whole(&self, uid: TenantUid) -> Result<Option<Whole>, HistoryError> {
        let found = self.tree.get(keys::resources(uid))?;
        found.map(|value| Whole::of_bytes(&value).ok_or_else(read::damaged)).transpose()
    }

    /// The version behind which every change of a resource is told; none where that is not known.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn resources_from(&self, uid: TenantUid) -> Result<Option<Version>, HistoryError> {
        Ok(self.whole(uid)?.map(|whole| whole.from))
    }
}

impl Batch<'_> {
    /// Takes a resource as a snapshot has it, if it is of a kind that has a history.
    pub fn resource(&mut self, uid: TenantUid, resource: &Resource) {
        if let Some(kind) = Subject::of(resource) {
            let key = keys::image(uid, kind, &resource.id, resource.version);
            self.batch.insert(&self.store.tree, key, entry::base_of_resource(uid, resource));
        }
    }

    /// Notes that every resource of a tenant as it was at a version went in, as its base.
    pub fn resources_whole_from(&mut self, uid: TenantUid, from: Version) {
        self.put_whole(uid, Whole { from, has_bases: true });
    }

    /// Notes that the resources of a tenant are told of from here on, unless they were before.
    ///
    /// # Errors
    /// When what is there cannot be read.
    pub fn resources_begin(&mut self, uid: TenantUid) -> Result<(), HistoryError> {
        let last = self.store.last_version(uid)?;
        if let Some(from) = last
            && self.store.whole(uid)?.is_none()
        {
            self.put_whole(uid, Whole { from, has_bases: false });
        }
        Ok(())
    }

    fn put_whole(&mut self, uid: TenantUid, whole: Whole) {
        self.batch.insert(&self.store.tree, keys::resources(uid), whole.to_bytes());
        self.whole.insert(uid, whole);
    }

    /// Whether a change made this one of its resources.
    pub(super) fn is_made(
        &mut self,
        uid: TenantUid,
        change: &Change,
        outcome: &Outcome,
    ) -> Result<bool, HistoryError> {
        let Some((kind @ Subject::Resource(_), id)) = entry::subject_of(outcome) else {
            return Ok(false);
        };
        let object = keys::object(uid, kind, id);
        let is_first_here = self.fresh.insert(object.clone());
        let whole = match self.whole.get(&uid) {
            Some(whole) => Some(*whole),
            None => self.store.whole(uid)?,
        };
        let knows = whole.is_some_and(|whole| whole.has_bases && change.version > whole.from);
        if !knows || !is_first_here {
            return Ok(false);
        }
        let before = object..keys::image(uid, kind, id, change.version);
        Ok(self.store.tree.range(before).next().is_none())
    }
}
