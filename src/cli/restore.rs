//! `dossier restore`.

use super::args::{Global, Output, RestoreArgs};
use super::{Failure, settings};
use crate::app::point_in_time::{PointInTime, PointInTimeError};
use crate::tenant::history::{Effect, Unknown};
use serde_json::json;
use std::io::{IsTerminal, Write};

/// Ids shown of one kind.
const SHOWN: usize = 20;

impl From<PointInTimeError> for Failure {
    fn from(error: PointInTimeError) -> Self {
        Self::new(error.exit_code(), error.to_string())
    }
}

pub(super) fn run(global: &Global, args: &RestoreArgs) -> Result<(), Failure> {
    let is_asked = !args.dry_run && !args.yes;
    if is_asked && !std::io::stdin().is_terminal() {
        let message = "nobody can be asked here: say --yes, or --dry-run to see what would change";
        return Err(Failure::new(2, message));
    }
    let settings = settings(global)?.settings;
    actix_web::rt::System::new().block_on(async {
        let unknown = if args.keep_unknown { Unknown::Keep } else { Unknown::Refuse };
        let prepared = PointInTime::prepare(&settings, &args.tenant, &args.as_of, unknown).await?;
        let (version, present) = (prepared.version, prepared.present);
        let (effect, as_now) = (prepared.effect.clone(), prepared.as_now.clone());
        if global.output == Output::Text {
            describe(&args.tenant, &prepared);
        }
        let is_wanted = !args.dry_run && !effect.is_empty();
        if is_wanted && is_asked && !confirmed(&args.tenant)? {
            return Err(Failure::new(1, "nothing was changed"));
        }
        let now = if is_wanted { prepared.carry_out().await? } else { present };
        match global.output {
            Output::Json => {
                println!("{}", as_json(&args.tenant, [version, present, now], &effect, &as_now));
            }
            Output::Text if is_wanted => println!(
                "{} is as of version {version}, and now at version {now}; \
                 `dossier restore --tenant {0} --as-of {present}` takes it back",
                args.tenant
            ),
            Output::Text => println!("nothing was changed"),
        }
        Ok(())
    })
}

fn describe(tenant: &str, prepared: &PointInTime) {
    let effect = &prepared.effect;
    println!("{tenant} is at version {}; as of version {}:", prepared.present, prepared.version);
    list("users as they were", &effect.users);
    list("users that go", &effect.users_gone);
    list("clients as they were", &effect.clients);
    list("clients that go", &effect.clients_gone);
    list("connections, grants, APIs and settings as they were", &effect.resources);
    list("of these that go", &effect.resources_gone);
    if effect.refresh_tokens_gone > 0 {
        println!("  {:>7} refresh tokens go with their users", effect.refresh_tokens_gone);
    }
    if !prepared.as_now.is_empty() {
        list("stay as they are: how they were is not known any more", &prepared.as_now);
    }
}

fn list(what: &str, ids: &[String]) {
    println!("  {:>7} {what}", ids.len());
    for id in ids.iter().take(SHOWN) {
        println!("            {id}");
    }
    if ids.len() > SHOWN {
        println!("            and {} more", ids.len() - SHOWN);
    }
}

fn as_json(
    tenant: &str,
    [version, present, now]: [crate::domain::time::Version; 3],
    effect: &Effect,
    as_now: &[String],
) -> serde_json::Value {
    json!({
        "tenant": tenant,
        "as_of": version.get(),
        "before": present.get(),
        "version": now.get(),
        "users": effect.users,
        "users_gone": effect.users_gone,
        "clients": effect.clients,
        "clients_gone": effect.clients_gone,
        "resources": effect.resources,
        "resources_gone": effect.resources_gone,
        "refresh_tokens_gone": effect.refresh_tokens_gone,
        "as_they_are_now": as_now,
    })
}

fn confirmed(tenant: &str) -> Result<bool, Failure> {
    eprint!("This changes tenant \"{tenant}\" as listed. Type its name to go on: ");
    let failed = |error: std::io::Error| Failure::new(1, error.to_string());
    std::io::stderr().flush().map_err(failed)?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).map_err(failed)?;
    Ok(typed.trim() == tenant)
}
