//! Reading the history.

use super::{HistoryError, Store, entry, keys};
use crate::domain::history::{Image, Subject};
use crate::domain::time::{Timestamp, Version};
use crate::store::format::TenantUid;

/// Images of one object, newest first, with the bytes each takes.
pub struct Images(fjall::Iter);

impl std::fmt::Debug for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Images").finish_non_exhaustive()
    }
}

impl Iterator for Images {
    type Item = Result<(Image, u64), HistoryError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.0.next_back()?;
        Some(found.value().map_err(HistoryError::from).and_then(|value| {
            let size_bytes = u64::try_from(value.len()).unwrap_or(u64::MAX);
            Ok((entry::read_image(&value)?, size_bytes))
        }))
    }
}

/// What is known of an image without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The version of its change.
    pub version: Version,
    /// When it was decided.
    pub at: Timestamp,
    /// Bytes it takes.
    pub size_bytes: u64,
}

/// One change of a tenant: when, and what it touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TouchedAt {
    /// Its version.
    pub version: Version,
    /// When it was decided.
    pub at: Timestamp,
    /// The objects with a history.
    pub touched: Vec<(Subject, String)>,
}

fn touched(key: &[u8], value: &[u8]) -> Result<TouchedAt, HistoryError> {
    let read = keys::version_of(key).zip(entry::read_change(value));
    let (version, (at, touched)) = read.ok_or_else(damaged)?;
    Ok(TouchedAt { version, at, touched })
}

impl Store {
    /// The images of an object up to a version, newest first.
    pub fn images(&self, uid: TenantUid, kind: Subject, id: &str, upto: Version) -> Images {
        let first = keys::object(uid, kind, id);
        Images(self.tree.range(first..=keys::image(uid, kind, id, upto)))
    }

    /// What images there are of an object, newest first.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn heads(
        &self,
        uid: TenantUid,
        kind: Subject,
        id: &str,
    ) -> Result<Vec<Head>, HistoryError> {
        let mut heads = Vec::new();
        for found in self.tree.prefix(keys::object(uid, kind, id)).rev() {
            let (key, value) = found.into_inner()?;
            let read = keys::version_of(&key).zip(entry::time_of_image(&value));
            let (version, at) = read.ok_or_else(damaged)?;
            let size_bytes = u64::try_from(value.len()).unwrap_or(u64::MAX);
            heads.push(Head { version, at, size_bytes });
        }
        Ok(heads)
    }

    /// The image a change left of an object, if it is kept.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn image(
        &self,
        uid: TenantUid,
        kind: Subject,
        id: &str,
        version: Version,
    ) -> Result<Option<Image>, HistoryError> {
        let found = self.tree.get(keys::image(uid, kind, id, version))?;
        Ok(found.map(|value| entry::read_image(&value)).transpose()?)
    }

    /// The changes of a tenant after a version, in order, at most `limit`.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn changes_after(
        &self,
        uid: TenantUid,
        after: Version,
        limit: usize,
    ) -> Result<Vec<TouchedAt>, HistoryError> {
        let range = keys::change(uid, after.next())..keys::behind(&keys::changes(uid));
        let mut changes = Vec::new();
        for found in self.tree.range(range).take(limit) {
            let (key, value) = found.into_inner()?;
            changes.push(touched(&key, &value)?);
        }
        Ok(changes)
    }

    /// The changes of a tenant before a version, newest first, at most `limit`; from the newest
    /// when no version is given.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn changes_before(
        &self,
        uid: TenantUid,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<TouchedAt>, HistoryError> {
        let first = keys::changes(uid);
        let end = before.map_or_else(|| keys::behind(&first), |before| keys::change(uid, before));
        let mut changes = Vec::new();
        for found in self.tree.range(first..end).rev().take(limit) {
            let (key, value) = found.into_inner()?;
            changes.push(touched(&key, &value)?);
        }
        Ok(changes)
    }

    /// The last change of a tenant.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn last_version(&self, uid: TenantUid) -> Result<Option<Version>, HistoryError> {
        let last = self.tree.prefix(keys::changes(uid)).next_back();
        Ok(last.map(fjall::Guard::key).transpose()?.and_then(|key| keys::version_of(&key)))
    }

    /// The version behind which every change of a tenant is whole, images and all.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn floor(&self, uid: TenantUid) -> Result<Version, HistoryError> {
        let let_go = self.tree.get(keys::floor(uid))?;
        let let_go = let_go.and_then(|value| keys::version_of(&value)).unwrap_or_default();
        Ok(let_go.max(self.changes_from(uid)?))
    }

    /// The version behind which it is known of every change of a tenant what it touched.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn changes_from(&self, uid: TenantUid) -> Result<Version, HistoryError> {
        let first = self.tree.prefix(keys::changes(uid)).next();
        let first = first.map(fjall::Guard::key).transpose()?;
        let first = first.and_then(|key| keys::version_of(&key)).unwrap_or(Version::new(1));
        Ok(Version::new(first.get().saturating_sub(1)))
    }

    /// The version of the last change before `at`, found by halving.
    ///
    /// Time may have jumped back; then it is a change near `at`.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn version_before(&self, uid: TenantUid, at: Timestamp) -> Result<Version, HistoryError> {
        let (mut low, mut high) =
            (self.changes_from(uid)?.get(), self.last_version(uid)?.map_or(0, Version::get));
        // After everything is after everything, also where time jumped forward for a while and back.
        let newest = self.changes_after(uid, Version::new(high.saturating_sub(1)), 1)?;
        if newest.first().is_some_and(|change| change.at < at) {
            return Ok(Version::new(high));
        }
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let found = self.changes_after(uid, Version::new(middle - 1), 1)?;
            match found.first() {
                Some(change) if change.at < at => low = middle,
                Some(_) | None => high = middle - 1,
            }
        }
        Ok(Version::new(low))
    }

    /// Every tenant that has changes or images here.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn tenants(&self) -> Result<Vec<TenantUid>, HistoryError> {
        let mut tenants = Vec::new();
        for all in [keys::all_changes(), keys::all_objects()] {
            let end = keys::behind(&all);
            let mut from = all.clone();
            while let Some(found) = self.tree.range(from..end.clone()).next() {
                let uid = keys::tenant_of(&found.key()?).ok_or_else(damaged)?;
                if !tenants.contains(&uid) {
                    tenants.push(uid);
                }
                let own = if all == keys::all_changes() {
                    keys::changes(uid)
                } else {
                    keys::objects(uid)
                };
                from = keys::behind(&own);
            }
        }
        Ok(tenants)
    }

    /// The tenant that goes, or went, under a name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn tenant_named(&self, name: &str) -> Result<Option<TenantUid>, HistoryError> {
        let found = self.tree.get(keys::tenant_name(name))?;
        Ok(found
            .and_then(|value| value.first_chunk().map(|uid| TenantUid(u64::from_be_bytes(*uid)))))
    }
}

pub(super) fn damaged() -> HistoryError {
    HistoryError::Value(crate::store::format::FormatError::Damaged(
        "a key or change of the history",
    ))
}
