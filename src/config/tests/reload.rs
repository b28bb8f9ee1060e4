//! What a reload changes.

use super::good;
use crate::config::{Changes, diff, merge_live};

#[track_caller]
fn check(before: &str, after: &str, applied: &[&str], restart_required: &[&str]) {
    let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let expected = Changes { applied: texts(applied), restart_required: texts(restart_required) };
    assert_eq!(diff(&good(before), &good(after)), expected);
}

#[test]
fn live_settings_are_told_from_the_others() {
    check(
        "[server]\nlisten = \"a:1\"\nmax_body = \"2MiB\"",
        "[server]\nlisten = \"a:2\"\nmax_body = \"3MiB\"\n[log]\nlevel = \"warn\"",
        &["server.max_body", "log.level"],
        &["server.listen"],
    );
}

#[test]
fn the_same_value_from_elsewhere_is_no_change() {
    check("[log]\nslow = \"60s\"", "\n\n[log]\nslow = \"60000ms\"", &[], &[]);
    check("", "[log]\nlevel = \"info\"", &[], &[]);
}

#[test]
fn a_change_of_a_tenant_names_what_changed() {
    let tenant = |id: &str, lines: &str| format!("[[tenant]]\nid = \"{id}\"\n{lines}\n");
    check(&tenant("a", ""), &tenant("b", ""), &["tenant.a", "tenant.b"], &[]);
    check(
        &tenant("a", ""),
        &tenant("a", "domains = [\"x\"]\ncompat = \"strict\""),
        &["tenant.a.domains", "tenant.a.compat"],
        &[],
    );
    let client = |secret: &str| {
        tenant(
            "a",
            &format!(
                "[[tenant.client]]\nclient_id = \"c\"\nclient_secret = \"0123456789abcdef{secret}\""
            ),
        )
    };
    check(&client("x"), &client("y"), &["tenant.a.client.c"], &[]);
    check(&client("x"), &tenant("a", ""), &["tenant.a.client.c"], &[]);
    check(
        &tenant("a", "override.limits.per_page = 5"),
        &tenant("a", "override.limits.per_page = 6"),
        &["tenant.a.override.limits.per_page"],
        &[],
    );
}

#[test]
fn a_running_server_keeps_what_needs_a_restart() {
    let running = good("[server]\nlisten = \"a:1\"\n[log]\nslow = \"1s\"");
    let wanted = good("[log]\nslow = \"2s\"\n[storage]\nmode = \"memory\"\n[[tenant]]\nid = \"a\"");
    let merged = merge_live(&running, &wanted);
    assert_eq!(merged.settings.server, running.settings.server);
    assert_eq!(merged.settings.storage, running.settings.storage);
    assert_eq!(merged.settings.log, wanted.settings.log);
    assert_eq!(merged.settings.tenants, wanted.settings.tenants);
    assert_eq!(merged.origins.of("server.listen"), running.origins.of("server.listen"));
    assert_eq!(diff(&merged, &wanted).applied, Vec::<String>::new());
    assert_eq!(diff(&merged, &wanted).restart_required, ["server.listen", "storage.mode"]);
}
