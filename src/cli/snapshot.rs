//! `dossier snapshot`.
//!
//! A name means a file of a running server; what is a file here, such as one that was downloaded, is
//! read here, and needs no server.

use super::Failure;
use super::args::{Global, Output, SnapshotCommand};
use super::client::{self, Client};
use crate::store::StoreError;
use crate::store::snapshot::{self, Summary};
use serde_json::{Value, json};
use std::path::Path;

const FILES: &str = "/dossier/v1/snapshots";

/// As many as the server tells at once.
const AT_ONCE: u64 = 100;

pub(super) fn run(global: &Global, command: SnapshotCommand) -> Result<(), Failure> {
    match command {
        SnapshotCommand::Create => client::post(global, FILES),
        SnapshotCommand::List { tenant } => list(global, tenant.as_deref()),
        SnapshotCommand::Inspect { file } => {
            let said = match on_this_machine(&file) {
                Some(path) => {
                    told(&file, snapshot::summary(path).map_err(|error| unusable(&error))?)
                }
                None => listed(global, &file)?,
            };
            println!("{said:#}");
            Ok(())
        }
        SnapshotCommand::Verify { file } => verify(global, &file),
    }
}

/// The path of a file that is here; a plain name is one of the server's.
fn on_this_machine(file: &str) -> Option<&Path> {
    let path = Path::new(file);
    (file.contains('/') || path.is_file()).then_some(path)
}

/// A file of this machine that is missing, damaged or too new.
fn unusable(error: &StoreError) -> Failure {
    Failure::new(5, error.to_string())
}

fn told(file: &str, said: Summary) -> Value {
    json!({
        "file": file, "bytes": said.bytes, "tenant_number": said.header.uid.0,
        "version": said.header.version.get(), "users": said.users, "clients": said.clients,
        "resources": said.resources, "format": said.format,
        "at": said.header.created.to_string(),
    })
}

/// Every file the server has, page by page.
fn all(global: &Global, tenant: Option<&str>) -> Result<Vec<Value>, Failure> {
    let client = Client::connect(global)?;
    let tenant = tenant.unwrap_or_default();
    let tenant = percent_encoding::utf8_percent_encode(tenant, percent_encoding::NON_ALPHANUMERIC);
    let mut files = Vec::new();
    for page in 0.. {
        let path = format!("{FILES}?per_page={AT_ONCE}&page={page}&tenant={tenant}");
        let told = client.call("GET", &path, None)?;
        let some = told.get("snapshots").and_then(Value::as_array).cloned().unwrap_or_default();
        if some.is_empty() {
            break;
        }
        files.extend(some);
    }
    Ok(files)
}

fn list(global: &Global, tenant: Option<&str>) -> Result<(), Failure> {
    let files = all(global, tenant)?;
    if global.output == Output::Json {
        println!("{:#}", Value::Array(files));
        return Ok(());
    }
    for one in &files {
        let text = |key: &str| one.get(key).and_then(Value::as_str).unwrap_or("-").to_owned();
        let number = |key: &str| one.get(key).and_then(Value::as_u64).unwrap_or_default();
        let state = one.pointer("/checksums/state").and_then(Value::as_str).unwrap_or("unknown");
        println!(
            "{}  tenant {}, version {}, {} users, {} bytes, checksums {state}",
            text("file"),
            text("tenant"),
            number("version"),
            number("users"),
            number("bytes"),
        );
    }
    if files.is_empty() {
        println!("there are no snapshots");
    }
    Ok(())
}

fn listed(global: &Global, file: &str) -> Result<Value, Failure> {
    let mut files = all(global, None)?.into_iter();
    let found = files.find(|one| one.get("file").and_then(Value::as_str) == Some(file));
    found.ok_or_else(|| Failure::new(8, format!("there is no snapshot {file}")))
}

fn verify(global: &Global, file: &str) -> Result<(), Failure> {
    let said = if let Some(path) = on_this_machine(file) {
        told(file, snapshot::verify(path).map_err(|error| unusable(&error))?)
    } else {
        let name = percent_encoding::utf8_percent_encode(file, percent_encoding::NON_ALPHANUMERIC);
        Client::patient(global)?.call("POST", &format!("{FILES}/{name}/verify"), None)?
    };
    println!("{said:#}");
    match said.pointer("/checksums/flaw").and_then(Value::as_str) {
        Some(flaw) => Err(Failure::new(5, format!("{file} is damaged, {flaw}"))),
        None => Ok(()),
    }
}
