//! Tenants in the file.

use super::{check, good};
use crate::config::{ClientSecrets, Compat, RootAttributes, init};

const ALPHA: &str = r#"
[limits]
per_page = 20

[[tenant]]
id = "alpha"
domains = ["Alpha.localhost", "alpha.example"]
compat = "strict"
client_secrets = "hashed"
  [[tenant.client]]
  client_id = "one"
  client_secret = "0123456789abcdef"
  scopes = ["*"]
  [[tenant.client]]
  client_id = "two"
  client_secret = "0123456789abcdef"
  scopes = ["read:users", "update:users"]
  [[tenant.connection]]
  name = "Username-Password-Authentication"
  strategy = "auth0"
  requires_username = true
  [[tenant.connection]]
  name = "google-oauth2"
  strategy = "google-oauth2"
  set_user_root_attributes = "on_first_login"
  enabled = false
  [tenant.override]
  limits.user_metadata = "2KiB"
  search.metadata_ranges = false
  [tenant.override.rate_limit]
  enabled = true

[[tenant]]
id = "beta"
"#;

#[test]
fn a_tenant_has_domains_clients_and_connections() {
    let settings = good(ALPHA).settings;
    let alpha = settings.tenant("alpha").unwrap();
    assert_eq!(alpha.domains, ["alpha.localhost", "alpha.example"]);
    assert_eq!((alpha.compat, alpha.client_secrets), (Compat::Strict, ClientSecrets::Hashed));
    let [one, two] = alpha.clients.as_slice() else { panic!("{:?}", alpha.clients) };
    assert!(one.has_all_scopes() && !two.has_all_scopes());
    assert_eq!(two.scopes, ["read:users", "update:users"]);
    assert_eq!(one.client_secret.reveal(), "0123456789abcdef");
    let [database, google] = alpha.connections.as_slice() else {
        panic!("{:?}", alpha.connections)
    };
    assert!(database.requires_username && database.enabled && !google.enabled);
    assert_eq!(database.set_user_root_attributes, RootAttributes::OnEachLogin);
    assert_eq!(google.set_user_root_attributes, RootAttributes::OnFirstLogin);
}

#[test]
fn a_tenant_sees_the_common_settings_under_its_own() {
    let settings = good(ALPHA).settings;
    let (alpha, beta, other) =
        (settings.effective("alpha"), settings.effective("beta"), settings.effective("gamma"));
    assert_eq!((alpha.limits.user_metadata_bytes, alpha.limits.per_page), (2048, 20));
    assert!(alpha.rate_limit.enabled && !alpha.search.metadata_ranges);
    assert_eq!((beta.limits.user_metadata_bytes, beta.limits.per_page), (1 << 20, 20));
    assert_eq!(beta, other);
    assert_eq!(beta.limits, settings.limits);
}

#[test]
fn the_example_in_the_written_file_works_when_uncommented() {
    let text = init();
    let example = text
        .lines()
        .skip_while(|line| *line != "# [[tenant]]")
        .filter_map(|line| line.strip_prefix("# "));
    let example: Vec<_> =
        example.filter(|line| line.starts_with('[') || line.contains(" = ")).collect();
    let loaded = good(&example.join("\n"));
    let tenant = &loaded.settings.tenants[0];
    assert_eq!((tenant.clients.len(), tenant.connections.len()), (1, 1));
    assert_eq!(tenant.effective.limits.per_page, 50);
    assert_eq!(loaded.warnings, []);
}

#[test]
fn names_are_unique_where_they_must_be() {
    check(
        "[[tenant]]\nid = \"a\"\n[[tenant]]\nid = \"a\"",
        &["dossier.toml:4:6  tenant \"a\" is declared twice, first at dossier.toml:2:6"],
    );
    check(
        "[[tenant]]\nid = \"a\"\ndomains = [\"x\"]\n[[tenant]]\nid = \"b\"\ndomains = [\"X\"]",
        &["dossier.toml:6:11  domain \"x\" is declared twice, first at dossier.toml:3:11"],
    );
    let client = "[[tenant.client]]\nclient_id = \"c\"\nclient_secret = \"0123456789abcdef\"\n";
    check(
        &format!("[[tenant]]\nid = \"a\"\n{client}{client}"),
        &["dossier.toml:7:13  client \"c\" is declared twice, first at dossier.toml:4:13"],
    );
    // Tenants are worlds of their own: the same client id may exist in each.
    good(&format!("[[tenant]]\nid = \"a\"\n{client}[[tenant]]\nid = \"b\"\n{client}"));
    let connection = "[[tenant.connection]]\nname = \"c\"\nstrategy = \"sms\"\n";
    check(
        &format!("[[tenant]]\nid = \"a\"\n{connection}{connection}"),
        &["dossier.toml:7:8  connection \"c\" is declared twice, first at dossier.toml:4:8"],
    );
}

#[test]
fn a_tenant_id_is_a_short_label() {
    let longest = "x".repeat(63);
    for id in ["a", "0", "a-b", &longest] {
        good(&format!("[[tenant]]\nid = \"{id}\""));
    }
    let too_long = "x".repeat(64);
    for id in ["", "A", "-a", "a-", "a_b", "ä", &too_long] {
        let expected = format!(
            "dossier.toml:2:6  {id:?} cannot be the id of a tenant, allowed: 1 to 63 of a-z, 0-9 and -, with no - at either end"
        );
        check(&format!("[[tenant]]\nid = \"{id}\""), &[&expected]);
    }
}

#[test]
fn what_a_tenant_cannot_do_without_is_named() {
    check("[[tenant]]", &["dossier.toml:1:1  missing `id` in [[tenant]]"]);
    check(
        "[[tenant]]\nid = \"a\"\n[[tenant.client]]\n[[tenant.connection]]\n",
        &[
            "dossier.toml:3:1  missing `client_id` in [[tenant.client]]",
            "dossier.toml:3:1  missing `client_secret` or `client_secret_file` in [[tenant.client]]",
            "dossier.toml:4:1  missing `name` in [[tenant.connection]]",
            "dossier.toml:4:1  missing `strategy` in [[tenant.connection]]",
        ],
    );
}

#[test]
fn a_client_is_checked() {
    let file = |lines: &str| {
        format!("[[tenant]]\nid = \"a\"\n[[tenant.client]]\nclient_id = \"c\"\n{lines}")
    };
    check(
        &file("client_secret = \"0123456789abcde\""),
        &["dossier.toml:5:17  the client secret has 15 characters, at least 16 are needed"],
    );
    check(&file("client_secret = 5"), &["dossier.toml:5:17  wanted text, found a whole number"]);
    check(
        &file("client_secret_file = \"none\""),
        &["dossier.toml:5:22  client_secret_file none cannot be read: entity not found"],
    );
    let scopes =
        |scopes: &str| file(&format!("client_secret = \"0123456789abcdef\"\nscopes = {scopes}"));
    check(
        &scopes("[\"*\", \"a:b\"]"),
        &["dossier.toml:6:10  \"*\" means every scope and stands alone"],
    );
    check(
        &scopes("[\"read users\"]"),
        &[
            "dossier.toml:6:10  \"read users\" is not a scope; write one such as \"read:users\", or [\"*\"] for all",
        ],
    );
}

#[test]
fn only_live_keys_of_some_sections_can_be_overridden() {
    let file = |line: &str| format!("[[tenant]]\nid = \"a\"\n[tenant.override]\n{line}");
    check(
        &file("log.level = \"info\""),
        &[
            "dossier.toml:4:1  unknown key `log` in [tenant.override], expected one of `limits`, `rate_limit`, `search`, `history`, `claims`",
        ],
    );
    check(
        &file("limits.per_pages = 1"),
        &["dossier.toml:4:8  unknown key `per_pages` in [limits]; did you mean `per_page`?"],
    );
    check(&file("limits.per_page = 0"), &["dossier.toml:4:19  0 is too small, allowed: 1 to 1000"]);
    check(
        &file("limits = 1"),
        &["dossier.toml:4:1  `limits` is a section: write limits.key = value"],
    );
}
