//! Reads `[[tenant]]` and what stands below it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::choice::{ClientSecrets, Compat};
use super::file::{Found, MISSING, Reader};
use super::table::{Setting, Values};
use super::tenant::{
    CLIENT, CONNECTION, ClientSettings, ConnectionSettings, Entity, Overridable, TENANT,
    TenantSettings,
};
use super::value::{MIN_SECRET_CHARS, Secret, Typed, Value, is_host_name};

/// A tenant whose own values still have to be put over the common ones.
#[derive(Debug)]
pub(super) struct TenantDraft {
    id: String,
    domains: Vec<String>,
    compat: Compat,
    client_secrets: ClientSecrets,
    clients: Vec<ClientSettings>,
    connections: Vec<ConnectionSettings>,
    overrides: Vec<(&'static Setting, Value)>,
}

impl TenantDraft {
    /// Puts the tenant's own values over the common ones.
    pub(super) fn finish(self, common: &Values) -> TenantSettings {
        let mut values = common.clone();
        for (setting, value) in &self.overrides {
            values.set(setting.path, value.clone());
        }
        TenantSettings {
            id: self.id,
            domains: self.domains,
            compat: self.compat,
            client_secrets: self.client_secrets,
            clients: self.clients,
            connections: self.connections,
            effective: Overridable::from_values(&values),
            overrides: self.overrides,
        }
    }
}

/// Names that may be given only once, with the place of the first.
#[derive(Default)]
struct Taken(BTreeMap<String, Range<usize>>);

impl Taken {
    fn take(&mut self, reader: &mut Reader<'_>, what: &str, name: &str, span: &Range<usize>) {
        if let Some(first) = self.0.get(name) {
            let first = reader.place(first);
            reader.problem(span, format!("{what} {name:?} is declared twice, first at {first}"));
        } else {
            self.0.insert(name.to_owned(), span.clone());
        }
    }
}

/// Reads every tenant.
pub(super) fn read_tenants(reader: &mut Reader<'_>, array: &DeArray<'_>) -> Vec<TenantDraft> {
    let (mut ids, mut domains) = (Taken::default(), Taken::default());
    let mut drafts = Vec::new();
    for item in array {
        if let Some(table) = table_of(reader, TENANT, item) {
            drafts.push(read_tenant(reader, table, &item.span(), &mut ids, &mut domains));
        }
    }
    drafts
}

fn read_tenant(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    span: &Range<usize>,
    ids: &mut Taken,
    taken_domains: &mut Taken,
) -> TenantDraft {
    let found = read_rows(reader, TENANT, &["client", "connection", "override"], table, span);
    let id: String = take(&found, "tenant.id");
    if let Some(span) = place_of(&found, "tenant.id") {
        if is_tenant_id(&id) {
            ids.take(reader, "tenant", &id, span);
        } else {
            let allowed = "1 to 63 of a-z, 0-9 and -, with no - at either end";
            reader
                .problem(span, format!("{id:?} cannot be the id of a tenant, allowed: {allowed}"));
        }
    }
    let domains = read_domains(reader, &found, taken_domains);
    let mut clients = Vec::new();
    let mut connections = Vec::new();
    let mut overrides = Vec::new();
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "client" => clients = each(reader, CLIENT, value, read_client),
            "connection" => connections = each(reader, CONNECTION, value, read_connection),
            "override" => overrides = reader.overrides(value),
            _ => {}
        }
    }
    let compat = take(&found, "tenant.compat");
    let client_secrets = take(&found, "tenant.client_secrets");
    TenantDraft { id, domains, compat, client_secrets, clients, connections, overrides }
}

fn read_domains(reader: &mut Reader<'_>, found: &Found, taken: &mut Taken) -> Vec<String> {
    let mut domains: Vec<String> = take(found, "tenant.domains");
    let Some(span) = place_of(found, "tenant.domains") else { return domains };
    for domain in &mut domains {
        domain.make_ascii_lowercase();
        if is_host_name(domain) {
            taken.take(reader, "domain", domain, span);
        } else {
            let hint = "write it without scheme, port and path, such as \"alpha.localhost\"";
            reader.problem(span, format!("{domain:?} is not a host name; {hint}"));
        }
    }
    domains
}

/// Reads one client or connection, and notes its name.
type ReadOne<T> = fn(&mut Reader<'_>, &DeTable<'_>, &Range<usize>, &mut Taken) -> T;

fn each<T>(
    reader: &mut Reader<'_>,
    entity: Entity,
    value: &Spanned<DeValue<'_>>,
    read_one: ReadOne<T>,
) -> Vec<T> {
    let mut taken = Taken::default();
    let mut all = Vec::new();
    for item in reader.tables(entity.name, value).into_iter().flat_map(|array| array.iter()) {
        if let Some(table) = table_of(reader, entity, item) {
            all.push(read_one(reader, table, &item.span(), &mut taken));
        }
    }
    all
}

fn read_client(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    span: &Range<usize>,
    ids: &mut Taken,
) -> ClientSettings {
    let found = read_rows(reader, CLIENT, &[], table, span);
    let client_id: String = take(&found, "tenant.client.client_id");
    if let Some(span) = place_of(&found, "tenant.client.client_id") {
        if (1..=255).contains(&client_id.len())
            && client_id.bytes().all(|byte| byte.is_ascii_graphic())
        {
            ids.take(reader, "client", &client_id, span);
        } else {
            reader.problem(span, "a client_id has 1 to 255 visible ASCII characters");
        }
    }
    let (client_secret, client_secret_file) = read_secret(reader, &found, table, span);
    let scopes: Vec<String> = take(&found, "tenant.client.scopes");
    if let Some(span) = place_of(&found, "tenant.client.scopes") {
        check_scopes(reader, &scopes, span);
    }
    ClientSettings { client_id, client_secret, client_secret_file, scopes }
}

/// Takes the secret from where it is. No message shows any of it.
fn read_secret(
    reader: &mut Reader<'_>,
    found: &Found,
    table: &DeTable<'_>,
    span: &Range<usize>,
) -> (Secret, Option<PathBuf>) {
    let none = (Secret::new(String::new()), None);
    let inline = place_of(found, "tenant.client.client_secret");
    let in_file = place_of(found, "tenant.client.client_secret_file");
    let (text, file, span) = match (inline, in_file) {
        (Some(_), Some(span)) => {
            reader.problem(span, "client_secret and client_secret_file are both given; keep one");
            return none;
        }
        (Some(span), None) => (take(found, "tenant.client.client_secret"), None, span),
        (None, Some(span)) => {
            let path: PathBuf = take(found, "tenant.client.client_secret_file");
            match (reader.read)(&path) {
                Ok(text) => (text.trim_end_matches(['\r', '\n']).to_owned(), Some(path), span),
                Err(error) => {
                    reader.problem(
                        span,
                        format!("client_secret_file {} cannot be read: {error}", path.display()),
                    );
                    return none;
                }
            }
        }
        (None, None) => {
            // A secret of the wrong kind has been reported already; it is not missing.
            if !table.keys().any(|key| key.get_ref().starts_with("client_secret")) {
                let message = format!(
                    "{MISSING}`client_secret` or `client_secret_file` in [[tenant.client]]"
                );
                reader.problem(span, message);
            }
            return none;
        }
    };
    let secret = Secret::new(text);
    let chars = secret.reveal().chars().count();
    if chars < MIN_SECRET_CHARS {
        reader.problem(
            span,
            format!(
                "the client secret has {chars} characters, at least {MIN_SECRET_CHARS} are needed"
            ),
        );
    }
    (secret, file)
}

fn check_scopes(reader: &mut Reader<'_>, scopes: &[String], span: &Range<usize>) {
    let is_scope_char =
        |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\' && byte != b'*';
    for scope in scopes {
        if scope == "*" {
            if scopes.len() > 1 {
                reader.problem(span, "\"*\" means every scope and stands alone");
            }
        } else if scope.is_empty() || !scope.bytes().all(is_scope_char) {
            reader.problem(
                span,
                format!(
                    "{scope:?} is not a scope; write one such as \"read:users\", or [\"*\"] for all"
                ),
            );
        }
    }
}

fn read_connection(
    reader: &mut Reader<'_>,
    table: &DeTable<'_>,
    span: &Range<usize>,
    names: &mut Taken,
) -> ConnectionSettings {
    let found = read_rows(reader, CONNECTION, &[], table, span);
    let name: String = take(&found, "tenant.connection.name");
    if let Some(span) = place_of(&found, "tenant.connection.name") {
        if is_connection_name(&name) {
            names.take(reader, "connection", &name, span);
        } else {
            let allowed = "1 to 128 letters, digits and single - between them";
            reader.problem(
                span,
                format!("{name:?} cannot be the name of a connection, allowed: {allowed}"),
            );
        }
    }
    let strategy: String = take(&found, "tenant.connection.strategy");
    if let Some(span) = place_of(&found, "tenant.connection.strategy")
        && !is_strategy(&strategy)
    {
        reader.problem(
            span,
            format!("{strategy:?} cannot be a strategy, allowed: 1 to 63 of a-z, 0-9, - and _"),
        );
    }
    ConnectionSettings {
        name,
        strategy,
        set_user_root_attributes: take(&found, "tenant.connection.set_user_root_attributes"),
        requires_username: take(&found, "tenant.connection.requires_username"),
        enabled: take(&found, "tenant.connection.enabled"),
    }
}

fn table_of<'v, 'i>(
    reader: &mut Reader<'_>,
    entity: Entity,
    item: &'v Spanned<DeValue<'i>>,
) -> Option<&'v DeTable<'i>> {
    let DeValue::Table(table) = item.get_ref() else {
        reader.problem(&item.span(), format!("write [[{}]] and its keys below", entity.name));
        return None;
    };
    Some(table)
}

/// Reads the keys of an entity and reports those it cannot do without.
fn read_rows(
    reader: &mut Reader<'_>,
    entity: Entity,
    nested: &[&str],
    table: &DeTable<'_>,
    span: &Range<usize>,
) -> Found {
    let found = reader.rows(entity.name, entity.settings, nested, table);
    for setting in entity.settings.iter().filter(|setting| entity.required.contains(&setting.path))
    {
        if !table.keys().any(|key| key.get_ref() == setting.key()) {
            reader.problem(span, format!("{MISSING}`{}` in [[{}]]", setting.key(), entity.name));
        }
    }
    found
}

/// What was found, else the default.
fn take<T: Typed>(found: &Found, path: &'static str) -> T {
    let row = || super::tenant::entity_setting(path).expect("the path names a row of an entity");
    let value = found.get(path).map_or_else(|| row().default_value(), |(value, _)| value.clone());
    T::from_value(&value).expect("a checked value fits the field it is for")
}

fn place_of<'f>(found: &'f Found, path: &str) -> Option<&'f Range<usize>> {
    found.get(path).map(|(_, span)| span)
}

fn is_tenant_id(text: &str) -> bool {
    (1..=63).contains(&text.len())
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn is_connection_name(text: &str) -> bool {
    text.len() <= 128
        && text
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn is_strategy(text: &str) -> bool {
    let is_allowed = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_'
    };
    (1..=63).contains(&text.len()) && text.bytes().all(is_allowed)
}
