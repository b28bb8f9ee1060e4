//! Letting go of the past: by the limits, with a tenant, and by name.

use super::{HistoryError, Store, entry, keys, read};
use crate::domain::history::{Keep, Subject, Was};
use crate::domain::time::{Timestamp, Version};
use crate::store::format::TenantUid;

/// Keys removed in one batch.
const REMOVED_AT_ONCE: usize = 4096;

/// What is beyond the limits by number or size stays this long, so that a reader of events who
/// was away for a moment finds everything; unless it is several times the limit.
const GRACE_MS: i64 = 15 * 60 * 1000;
const GRACE_FACTOR: u64 = 4;

impl Store {
    /// Lets go of the images of an object that are beyond the limits, but for the newest of them:
    /// it says how the object was when what is kept begins.
    ///
    /// # Errors
    /// When the engine fails; what was let go of by then stays so.
    pub fn retain(
        &self,
        uid: TenantUid,
        kind: Subject,
        id: &str,
        keep: &Keep,
        now: Timestamp,
    ) -> Result<(), HistoryError> {
        let images = self.heads(uid, kind, id)?;
        let sizes = || images.iter().map(|head| (head.at, head.size_bytes));
        let by_age = Keep { versions: 0, bytes: 0, ..*keep };
        let generous = Keep {
            versions: keep.versions.saturating_mul(usize::try_from(GRACE_FACTOR).unwrap_or(4)),
            bytes: keep.bytes.saturating_mul(GRACE_FACTOR),
            ..*keep
        };
        let young = images
            .iter()
            .take_while(|head| now.millis().saturating_sub(head.at.millis()) <= GRACE_MS)
            .count();
        let kept = keep.count(sizes(), now).max(young.min(generous.count(sizes(), now)));
        let kept = kept.min(by_age.count(sizes(), now));
        // The first that is not kept is the base of what is.
        let Some(gone) = images.get(kept + 1..).filter(|gone| !gone.is_empty()) else {
            return Ok(());
        };
        let mut batch = self.database.batch();
        for head in gone {
            batch.remove(&self.tree, keys::image(uid, kind, id, head.version));
        }
        let last = gone.first().map(|head| head.version).unwrap_or_default();
        let floor = self.tree.get(keys::floor(uid))?.and_then(|value| keys::version_of(&value));
        // Of a resource it is told one by one where nothing is known.
        let is_resource = matches!(kind, Subject::Resource(_));
        if !is_resource && floor.is_none_or(|floor| floor < last) {
            batch.insert(&self.tree, keys::floor(uid), last.get().to_be_bytes());
        }
        Ok(batch.commit()?)
    }

    /// Looks after the next objects behind `place`, at most `limit`; the place to go on from, none at the end.
    ///
    /// # Errors
    /// As [`Self::retain`].
    pub fn retain_some(
        &self,
        place: Option<Vec<u8>>,
        limit: usize,
        keep: &dyn Fn(TenantUid) -> Keep,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, HistoryError> {
        let end = keys::behind(&keys::all_objects());
        let mut place = place.unwrap_or_else(keys::all_objects);
        for _ in 0..limit {
            let Some(found) = self.tree.range(place.clone()..end.clone()).next() else {
                return Ok(None);
            };
            let (uid, kind, id) = keys::object_of(&found.key()?).ok_or_else(read::damaged)?;
            let keep = keep(uid);
            self.retain(uid, kind, &id, &keep, now)?;
            self.forget_gone(uid, kind, &id, &keep, now)?;
            place = keys::behind(&keys::object(uid, kind, &id));
        }
        Ok(Some(place))
    }

    /// An object that has been no more for longer than anything is kept leaves nothing behind.
    fn forget_gone(
        &self,
        uid: TenantUid,
        kind: Subject,
        id: &str,
        keep: &Keep,
        now: Timestamp,
    ) -> Result<(), HistoryError> {
        let newest = self.images(uid, kind, id, Version::new(u64::MAX)).next().transpose()?;
        let is_over = newest.is_some_and(|(image, _)| {
            matches!(image.was, Was::Gone | Was::Erased) && keep.is_over(image.at, now)
        });
        if is_over { self.remove_all(&keys::object(uid, kind, id)) } else { Ok(()) }
    }

    /// Lets go of changes of a tenant that are older than the limit, at most `limit` of them.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn retain_changes(
        &self,
        uid: TenantUid,
        limit: usize,
        keep: &Keep,
        now: Timestamp,
    ) -> Result<(), HistoryError> {
        let last = self.last_version(uid)?;
        let mut batch = self.database.batch();
        for found in self.tree.prefix(keys::changes(uid)).take(limit) {
            let (key, value) = found.into_inner()?;
            let at = entry::time_of_change(&value).ok_or_else(read::damaged)?;
            if !keep.is_over(at, now) || keys::version_of(&key) == last {
                break;
            }
            batch.remove(&self.tree, key);
        }
        if batch.is_empty() { Ok(()) } else { Ok(batch.commit()?) }
    }

    /// Removes everything of a tenant.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn erase_tenant(&self, uid: TenantUid) -> Result<(), HistoryError> {
        self.remove_all(&keys::objects(uid))?;
        self.remove_all(&keys::changes(uid))?;
        self.tree.remove(keys::resources(uid))?;
        Ok(self.tree.remove(keys::floor(uid))?)
    }

    /// Removes what a tenant changed after a version: the state went back to it.
    ///
    /// # Errors
    /// When the engine fails.
    pub fn take_back(&self, uid: TenantUid, after: Version) -> Result<(), HistoryError> {
        loop {
            let changes = self.changes_after(uid, after, REMOVED_AT_ONCE)?;
            if changes.is_empty() {
                return Ok(());
            }
            let mut batch = self.database.batch();
            for change in changes {
                for (kind, id) in &change.touched {
                    batch.remove(&self.tree, keys::image(uid, *kind, id, change.version));
                }
                batch.remove(&self.tree, keys::change(uid, change.version));
            }
            batch.commit()?;
        }
    }

    fn remove_all(&self, prefix: &[u8]) -> Result<(), HistoryError> {
        loop {
            let mut batch = self.database.batch();
            for found in self.tree.prefix(prefix).take(REMOVED_AT_ONCE) {
                batch.remove(&self.tree, found.key()?);
            }
            if batch.is_empty() {
                return Ok(());
            }
            batch.commit()?;
        }
    }
}
