//! What is true of every configuration.

use std::fmt::Write;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::World;
use crate::config::show::render;
use crate::config::table::{Values, toml_text};
use crate::config::value::Value;
use crate::config::*;

/// Any value of a setting, within its range.
fn value(setting: &'static Setting) -> BoxedStrategy<Value> {
    match setting.kind {
        Kind::Text if setting.path == "server.public_url" => {
            let url = "https?://[a-z]{1,9}(:[0-9]{2})?(/[a-z]{0,3})?";
            prop_oneof![Just(String::new()), url].prop_map(Value::Text).boxed()
        }
        Kind::Text | Kind::Path => {
            let odd = "[\"'\\\\\n\r\t#=\\x00-\\x1f\\x7f]{1,6}";
            prop_oneof!["[ -~]{1,12}", "\\PC{1,8}", odd].prop_map(Value::Text).boxed()
        }
        Kind::Address => "[a-z]{1,8}:[1-9][0-9]{0,3}".prop_map(Value::Text).boxed(),
        Kind::Flag => any::<bool>().prop_map(Value::Flag).boxed(),
        Kind::Choice(words) => {
            proptest::sample::select(words).prop_map(|word| Value::Text(word.to_owned())).boxed()
        }
        Kind::List => vec("https://[a-z]{1,9}", 0..3).prop_map(Value::List).boxed(),
        Kind::Count | Kind::Size | Kind::Duration => number(setting),
    }
}

fn number(setting: &'static Setting) -> BoxedStrategy<Value> {
    let zero = if setting.zero.is_empty() { setting.min } else { "0" };
    let zero = setting.parse(zero).unwrap_or_else(|_| setting.parse(setting.min).unwrap());
    let range = match [setting.min, setting.max].map(|bound| setting.parse(bound).unwrap()) {
        [Value::Duration(min), Value::Duration(max)] => {
            let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap();
            let range = millis(min)..=millis(max);
            range.prop_map(|millis| Value::Duration(Duration::from_millis(millis))).boxed()
        }
        [Value::Number(min), Value::Number(max)] => (min..=max).prop_map(Value::Number).boxed(),
        bounds => panic!("{bounds:?} are no numbers"),
    };
    prop_oneof![1 => Just(zero), 4 => range].boxed()
}

/// A value for every setting, such that they fit together.
fn values() -> impl Strategy<Value = Values> {
    let all: Vec<_> =
        settings().map(|setting| value(setting).prop_map(|value| (setting.path, value))).collect();
    all.prop_map(|all| {
        let mut values = Values::default();
        for (path, value) in all {
            values.set(path, value);
        }
        if values.typed::<TlsMode>("server.tls") == TlsMode::Files {
            values.set("server.tls_cert", Value::Text("c".to_owned()));
            values.set("server.tls_key", Value::Text("k".to_owned()));
        }
        values.set(
            "auth.max_token_ttl",
            setting("auth.max_token_ttl").unwrap().parse("3650d").unwrap(),
        );
        values.set("journal.segment", Value::Number(1 << 20));
        values
    })
}

/// The lines of a tenant's client, connection and own values, as somebody might write them.
fn tenant_lines() -> impl Strategy<Value = String> {
    let own = settings().filter(|setting| setting.is_overridable()).map(|setting| {
        prop::option::weighted(0.2, value(setting))
            .prop_map(move |value| value.map(|value| (setting, value)))
    });
    let client = ("[!-~]{1,20}", "\\PC{16,24}", vec("[a-z]{1,5}:[a-z_]{1,9}", 0..3));
    let connection = ("[a-z]{1,5}(-[A-Z0-9]{1,3})?", select(RootAttributes::WORDS), any::<bool>());
    let client = prop::option::of(client);
    (client, prop::option::of(connection), own.collect::<Vec<_>>()).prop_map(|(client, connection, own)| {
        let text = |value: serde_json::Value| toml_text(&value);
        let mut out = String::new();
        if let Some((id, secret, scopes)) = client {
            let (id, secret, scopes) = (text(id.into()), text(secret.into()), text(scopes.into()));
            writeln!(out, "[[tenant.client]]\nclient_id = {id}\nclient_secret = {secret}\nscopes = {scopes}").unwrap();
        }
        if let Some((name, when, flag)) = connection {
            writeln!(out, "[[tenant.connection]]\nname = \"{name}\"\nstrategy = \"auth0\"").unwrap();
            writeln!(out, "set_user_root_attributes = \"{when}\"\nenabled = {flag}").unwrap();
        }
        writeln!(out, "[tenant.override]").unwrap();
        for (setting, value) in own.into_iter().flatten() {
            writeln!(out, "{} = {}", setting.path, setting.toml(&value)).unwrap();
        }
        out
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_printed_loads_to_the_same_settings(values in values(), tenants in vec(tenant_lines(), 0..3)) {
        let mut written = String::new();
        for setting in settings() {
            writeln!(written, "{} = {}", setting.path, setting.toml(values.get(setting.path))).unwrap();
        }
        for (number, lines) in tenants.iter().enumerate() {
            write!(written, "[[tenant]]\nid = \"t{number}\"\ndomains = [\"d{number}.x\"]\n{lines}").unwrap();
        }
        let loaded = World::new(&written).load().map_err(|errors| TestCaseError::fail(errors.to_string()))?;
        prop_assert_eq!(&loaded.settings.values(), &values);
        prop_assert_eq!(loaded.settings.tenants.len(), tenants.len());
        let printed = render(&loaded, Secret::reveal);
        let again = World::new(&printed).load().map_err(|errors| TestCaseError::fail(errors.to_string()))?;
        prop_assert_eq!(&again.settings, &loaded.settings);
        prop_assert!(diff(&again, &loaded).is_empty());
    }

    #[test]
    fn no_file_makes_the_reader_panic(text in "(\\[{1,2}[a-z.]{0,9}\\]{0,2}\n|[a-z_\"'.]{0,8} ?=? ?[\\[{\"'0-9a-z\\PC]{0,9}\r?\n|#é\n){0,8}") {
        match World::new(&text).load() {
            Ok(loaded) => prop_assert!(!print(&loaded).is_empty()),
            Err(errors) => prop_assert!(!errors.to_string().is_empty()),
        }
    }

    #[test]
    fn a_file_cut_anywhere_never_shows_its_secret(cut in 0usize..400) {
        let file = "[server]\nlisten = \"a:1\"\n[[tenant]]\nid = \"A\"\ndomains = [\"x\"]\n  [[tenant.client]]\n  \
                    client_id = \"c\"\n  client_secret = \"hunter2-hunter2-hunter2\"\n  scopes = [\"a:b\"]\n";
        let text = file.get(..cut.min(file.len())).unwrap();
        if let Err(errors) = World::new(text).load() {
            prop_assert!(!format!("{errors} {errors:?}").contains("hunter"), "{}", errors);
        }
    }

    #[test]
    fn every_setting_is_the_same_from_file_variable_and_argument(values in values()) {
        for setting in settings().filter(|setting| setting.kind != Kind::List) {
            let text = setting.text(values.get(setting.path));
            prop_assert_eq!(setting.parse(&text), Ok(values.get(setting.path).clone()), "{}", setting.path);
        }
    }
}
