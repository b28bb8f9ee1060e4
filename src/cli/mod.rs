//! The command line: the only floor that prints.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line talks to its user")]

mod args;
mod bench;
mod check;
mod client;
mod config;
mod login;
mod restore;
mod snapshot;
mod tenant;
mod token;

use crate::app::AppError;
use crate::app::serve::{self, Started};
use crate::config::{Errors, Loaded, Sources, load};
use args::{Args, Command, KeyCommand, Output};
use clap::Parser;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Why a command failed, and the exit code that says so (UX.md §2.2).
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl From<AppError> for Failure {
    fn from(error: AppError) -> Self {
        Self::new(error.exit_code(), error.to_string())
    }
}

/// Runs the command the process was started with.
pub fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("dossier: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

fn run(args: Args) -> Result<(), Failure> {
    let Args { global, command } = args;
    match command.unwrap_or(Command::Serve) {
        Command::Serve => {
            let loaded = settings(&global)?;
            let sources = global.clone();
            let reload = Arc::new(move || read_settings(&sources));
            let serving = serve::serve(loaded, reload, |started| tell(started, global.output));
            actix_web::rt::System::new().block_on(serving).map_err(Failure::from)
        }
        Command::CheckConfig { file } => config::check(&global, file),
        Command::Config(command) => config::run(&global, command),
        Command::Token(command) => token::run(&global, command),
        Command::Tenant(command) => tenant::run(&global, command),
        Command::LoginLink { role, prefixes, tenant, ttl, name } => {
            login::run(&global, role, &prefixes, tenant, ttl, name)
        }
        Command::Health { ready } => client::health(&global, ready),
        Command::Bench(args) => bench::run(&global, &args),
        Command::Check { repair } => check::run(&global, repair),
        Command::Restore(args) => restore::run(&global, &args),
        Command::Key(KeyCommand::Rotate) => client::post(&global, "/dossier/v1/keys/rotate"),
        Command::Snapshot(command) => snapshot::run(&global, command),
        Command::Version => {
            println!("dossier {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
    }
}

/// Says that requests are taken: a banner for people, one line of JSON for programs.
fn tell(started: &Started, output: Output) {
    match output {
        Output::Text => eprintln!("{}", started.banner),
        Output::Json => println!(
            "{}",
            serde_json::json!({
                "ready": true,
                "url": started.url,
                "https": started.https,
                "ca": started.ca,
                "pid": std::process::id(),
            })
        ),
    }
}

/// The settings from file, environment and arguments; a fault ends the command.
fn settings(global: &args::Global) -> Result<Loaded, Failure> {
    read_settings(global)
        .map_err(|errors| Failure::new(3, format!("the configuration is not usable\n\n{errors}")))
}

fn read_settings(global: &args::Global) -> Result<Loaded, Errors> {
    let search: Vec<PathBuf> = crate::config::SEARCH.iter().map(PathBuf::from).collect();
    let sources = Sources {
        file: global.config.clone(),
        search: &search,
        sets: global.set.clone(),
        listen: global.listen.clone(),
        data_dir: global.data_dir.clone(),
        env: std::env::vars().collect(),
        read: &|path: &Path| std::fs::read_to_string(path),
    };
    load(&sources)
}
