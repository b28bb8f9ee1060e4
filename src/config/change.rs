//! What a reload changes: at once, or only after a restart.

use std::collections::BTreeSet;

use super::table::settings;
use super::tenant::TenantSettings;
use super::{Loaded, Settings};

/// The names of what differs between two configurations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What takes effect at once.
    pub applied: Vec<String>,
    /// What waits for a restart.
    pub restart_required: Vec<String>,
}

impl Changes {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.applied.is_empty() && self.restart_required.is_empty()
    }
}

/// Compares two configurations, by value and not by origin.
///
/// A tenant is named as `tenant.ID`, what stands below it as `tenant.ID.client.CLIENT_ID`,
/// `tenant.ID.connection.NAME`, `tenant.ID.override.section.key` or `tenant.ID.key`.
/// Everything about a tenant takes effect at once.
pub fn diff(old: &Loaded, new: &Loaded) -> Changes {
    let (before, after) = (old.settings.values(), new.settings.values());
    let mut changes = Changes::default();
    for setting in settings().filter(|setting| before.get(setting.path) != after.get(setting.path))
    {
        let list = if setting.live { &mut changes.applied } else { &mut changes.restart_required };
        list.push(setting.path.to_owned());
    }
    let (before, after) = (&old.settings.tenants, &new.settings.tenants);
    for id in names(before, after, |tenant| tenant.id.as_str()) {
        let find =
            |tenants: &'_ [TenantSettings]| tenants.iter().position(|tenant| tenant.id == id);
        match (find(before).and_then(|at| before.get(at)), find(after).and_then(|at| after.get(at)))
        {
            (Some(before), Some(after)) => changes.applied.extend(tenant_diff(before, after)),
            (Some(_), None) | (None, Some(_)) => changes.applied.push(format!("tenant.{id}")),
            (None, None) => {}
        }
    }
    changes
}

/// The configuration a running server has after a reload: live settings and tenants of `wanted`,
/// everything that needs a restart as in `running`.
pub fn merge_live(running: &Loaded, wanted: &Loaded) -> Loaded {
    let before = running.settings.values();
    let mut values = wanted.settings.values();
    let mut merged = wanted.clone();
    for setting in settings().filter(|setting| !setting.live) {
        values.set(setting.path, before.get(setting.path).clone());
        merged.origins.set(setting.path, running.origins.of(setting.path).clone());
    }
    merged.settings = Settings::from_values(&values, wanted.settings.tenants.clone());
    merged
}

fn tenant_diff(before: &TenantSettings, after: &TenantSettings) -> Vec<String> {
    let mut changed = Vec::new();
    let own = [
        ("domains", before.domains != after.domains),
        ("compat", before.compat != after.compat),
        ("client_secrets", before.client_secrets != after.client_secrets),
    ];
    changed.extend(own.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key.to_owned()));
    let clients = differing(&before.clients, &after.clients, |client| client.client_id.as_str());
    changed.extend(clients.map(|id| format!("client.{id}")));
    let connections =
        differing(&before.connections, &after.connections, |connection| connection.name.as_str());
    changed.extend(connections.map(|name| format!("connection.{name}")));
    let overrides = differing(&before.overrides, &after.overrides, |(setting, _)| setting.path);
    changed.extend(overrides.map(|path| format!("override.{path}")));
    changed.into_iter().map(|key| format!("tenant.{}.{key}", before.id)).collect()
}

/// The names, each once and in order, of everything in either list.
fn names<'t, T>(
    before: &'t [T],
    after: &'t [T],
    name: impl Fn(&'t T) -> &'t str,
) -> BTreeSet<&'t str> {
    before.iter().chain(after).map(name).collect()
}

/// The names of what is in one list only, or differs.
fn differing<'t, T: PartialEq>(
    before: &'t [T],
    after: &'t [T],
    name: impl Fn(&'t T) -> &'t str + Copy,
) -> impl Iterator<Item = &'t str> {
    let find = move |list: &'t [T], wanted: &str| list.iter().find(|item| name(item) == wanted);
    names(before, after, name)
        .into_iter()
        .filter(move |wanted| find(before, wanted) != find(after, wanted))
}
