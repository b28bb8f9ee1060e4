//! `dossier config`.

use super::args::{ConfigCommand, Global};
use super::{Failure, settings};
use crate::config;
use std::path::PathBuf;

pub(super) fn run(global: &Global, command: ConfigCommand) -> Result<(), Failure> {
    match command {
        ConfigCommand::Print { json: true } => {
            println!("{:#}", config::print_json(&settings(global)?));
        }
        ConfigCommand::Print { json: false } => print!("{}", config::print(&settings(global)?)),
        ConfigCommand::Explain { key } => {
            let explained = config::explain(&settings(global)?, &key);
            print!("{}", explained.map_err(|error| Failure::new(2, error.to_string()))?);
        }
        ConfigCommand::Schema => print!("{}", config::schema()),
        ConfigCommand::Reload => super::client::post(global, "/dossier/v1/config/reload")?,
        ConfigCommand::Init => print!("{}", config::init()),
        ConfigCommand::Check { file } => return check(global, file),
    }
    Ok(())
}

pub(super) fn check(global: &Global, file: Option<PathBuf>) -> Result<(), Failure> {
    let mut loaded = None;
    if let Some(file) = file {
        let with_file = Global { config: Some(file), ..global.clone() };
        loaded = Some(settings(&with_file)?);
    }
    let loaded = match loaded {
        Some(loaded) => loaded,
        None => settings(global)?,
    };
    for warning in &loaded.warnings {
        eprintln!("warning: {}", warning.0.message);
    }
    println!("the configuration is good");
    Ok(())
}
