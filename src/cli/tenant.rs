//! `dossier tenant`.

use super::Failure;
use super::args::{Global, TenantCommand};
use super::client::Client;
use serde_json::json;
use std::io::Write;

pub(super) fn run(global: &Global, command: TenantCommand) -> Result<(), Failure> {
    let client = Client::connect(global)?;
    match command {
        TenantCommand::Create { id, domains, strict } => {
            let compat = if strict { "strict" } else { "lenient" };
            let body = json!({"id": id, "domains": domains, "compat": compat});
            println!("{:#}", client.call("POST", "/dossier/v1/tenants", Some(&body))?);
        }
        TenantCommand::List => println!("{:#}", client.call("GET", "/dossier/v1/tenants", None)?),
        TenantCommand::Show { id } => println!("{:#}", client.call("GET", &path(&id), None)?),
        TenantCommand::Delete { id, yes } => {
            if !yes && !confirmed(&id)? {
                return Err(Failure::new(1, "nothing was deleted"));
            }
            client.call("DELETE", &path(&id), None)?;
        }
    }
    Ok(())
}

fn path(id: &str) -> String {
    let id = percent_encoding::utf8_percent_encode(id, percent_encoding::NON_ALPHANUMERIC);
    format!("/dossier/v1/tenants/{id}")
}

fn confirmed(id: &str) -> Result<bool, Failure> {
    eprint!("This deletes tenant \"{id}\" with all its users. Type its name to go on: ");
    let failed = |error: std::io::Error| Failure::new(1, error.to_string());
    std::io::stderr().flush().map_err(failed)?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).map_err(failed)?;
    Ok(typed.trim() == id)
}
