//! What can be typed.

use clap::{Args as ClapArgs, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// User profiles and metadata: Auth0's Management API on your own machine.
#[derive(Debug, Parser)]
#[command(name = "dossier", version, about, propagate_version = true)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

/// What every command takes.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Global {
    /// The settings file; default ./dossier.toml, then /etc/dossier/dossier.toml.
    #[arg(short, long, global = true, value_name = "FILE", env = "DOSSIER_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Sets one key, such as --set snapshot.interval=30s; may be repeated.
    #[arg(long, global = true, value_name = "SECTION.KEY=VALUE")]
    pub(super) set: Vec<String>,
    /// Address of plain HTTP, host:port.
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub(super) listen: Option<String>,
    /// Folder of journal, snapshots and keys.
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(super) data_dir: Option<PathBuf>,
    /// How results are printed.
    #[arg(short, long, global = true, value_enum, default_value_t = Output::Text)]
    pub(super) output: Output,
    /// The server that client commands talk to; default http://<server.listen>.
    #[arg(long, global = true, value_name = "URL", env = "DOSSIER_URL")]
    pub(super) url: Option<String>,
    /// The token client commands use; default: one made for the administrator.
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "DOSSIER_TOKEN",
        hide_env_values = true
    )]
    pub(super) token: Option<String>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the server (the default).
    Serve,
    /// Read the settings, report every fault, start nothing.
    CheckConfig {
        /// The file to check.
        file: Option<PathBuf>,
    },
    /// Look at the settings.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Make or look at access tokens.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Make, list and delete tenants of a running server.
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Print a one-time link to the dashboard of a running server.
    LoginLink {
        /// What its bearer may do.
        #[arg(long, value_enum, default_value_t = LinkRole::Admin)]
        role: LinkRole,
        /// With --role editor: keys that may be changed begin with this; may be repeated.
        #[arg(long = "prefix", value_name = "PREFIX")]
        prefixes: Vec<String>,
        /// Whose dashboard it opens; default: the tenant of the token.
        #[arg(long)]
        tenant: Option<String>,
        /// How long it is valid, such as 10m.
        #[arg(long, value_name = "DURATION")]
        ttl: Option<Span>,
        /// Who is named as the author of changes.
        #[arg(long = "as", value_name = "NAME")]
        name: Option<String>,
    },
    /// Ask a running server how it is.
    Health {
        /// Ask whether it takes requests, not only whether it lives.
        #[arg(long)]
        ready: bool,
    },
    /// Load a server over loopback and print what it does; without --url, one of its own beside the data directory.
    Bench(Bench),
    /// Verify a data directory that no server has open.
    Check {
        /// Do the least that makes it open again; what is changed is kept as *.broken.
        #[arg(long)]
        repair: bool,
    },
    /// Put a tenant back as it was at a version or time, in a data directory that no server has open.
    Restore(RestoreArgs),
    /// Signing keys of a running server.
    #[command(subcommand)]
    Key(KeyCommand),
    /// Take, list, inspect and verify snapshots.
    #[command(subcommand)]
    Snapshot(SnapshotCommand),
    /// Print the version.
    Version,
}

/// What is put back, and to when.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct RestoreArgs {
    /// The tenant.
    #[arg(long)]
    pub(super) tenant: String,
    /// A version such as 42, or a time such as 2026-11-01T12:00:00Z.
    #[arg(long, value_name = "VERSION|TIME")]
    pub(super) as_of: String,
    /// Only say what would change.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Let users and clients stay as they are that changed more often since than is kept; they are
    /// named. Without it such a point is refused.
    #[arg(long)]
    pub(super) keep_unknown: bool,
    /// Do not ask.
    #[arg(long)]
    pub(super) yes: bool,
}

/// How a server is loaded.
#[derive(Clone, Debug, ClapArgs)]
pub(super) struct Bench {
    /// How many users there are.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=5_000_000))]
    pub(super) users: u32,
    /// How many connections ask at once.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub(super) connections: u16,
    /// For how long, all rounds together.
    #[arg(long, default_value = "15s", value_name = "DURATION")]
    pub(super) duration: Span,
    /// Load before that counts for nothing.
    #[arg(long, default_value = "2s", value_name = "DURATION")]
    pub(super) warmup: Span,
    /// Rounds; in each, a window of the bare route comes first.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(super) rounds: u32,
    /// Shares of read, patch, search and bare.
    #[arg(long, default_value = "read=90,patch=9,search=1")]
    pub(super) mix: String,
    /// Requests due a second, whatever the answers do (an open loop); default: each connection asks again once it is answered.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) rate: Option<u32>,
    /// Writes the figures as JSON.
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
    /// Ends with code 7 when the p99 is longer, such as 5ms.
    #[arg(long, value_name = "DURATION")]
    pub(super) max_p99: Option<Span>,
}

/// A duration such as 500ms, 90s, 30m or 1h.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) Duration);

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        crate::config::parse_duration(text, "30s").map(Self)
    }
}

/// What can be done with signing keys.
#[derive(Debug, Subcommand)]
pub(super) enum KeyCommand {
    /// The next key signs from now on; tokens already given out stay valid.
    Rotate,
}

/// What can be done with snapshots.
#[derive(Debug, Subcommand)]
pub(super) enum SnapshotCommand {
    /// Take one now of every tenant that changed.
    Create,
    /// List the files of a running server.
    List {
        /// Of this tenant only.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Print what a file says of itself: one of the server by its name, or one that is here by its path.
    Inspect {
        /// Its name or path.
        file: String,
    },
    /// Read a file whole and hold it against its checksums; a damaged one ends with exit code 5.
    Verify {
        /// Its name or path.
        file: String,
    },
}

/// What the bearer of a link may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum LinkRole {
    /// See users and clients.
    Viewer,
    /// Change metadata too.
    Editor,
    /// Everything.
    Admin,
}

/// What can be asked of the settings.
#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every key with its value and where it comes from; secrets are masked.
    Print {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what a key means, its default, its range and its value.
    Explain {
        /// The key, such as snapshot.interval.
        key: String,
    },
    /// Print a JSON Schema of the settings file.
    Schema,
    /// Let a running server read its settings again.
    Reload,
    /// Print a commented settings file.
    Init,
    /// Read the settings, report every fault.
    Check {
        /// The file to check.
        file: Option<PathBuf>,
    },
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Print a token of the administrator client of the data directory.
    Create {
        /// How long it is valid, such as 1h.
        #[arg(long, value_name = "DURATION")]
        ttl: Option<Span>,
        /// Scopes, with commas or spaces between them; default: all the client has.
        #[arg(long, value_name = "SCOPES")]
        scope: Option<String>,
    },
    /// Show what a token says, without checking its signature.
    Inspect {
        /// The token.
        token: String,
    },
}

/// What can be done with tenants.
#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Make a tenant; prints a machine client with all scopes, shown this once.
    Create {
        /// Its name: a-z, 0-9 and -.
        id: String,
        /// A host name that selects it; may be repeated.
        #[arg(long = "domain", value_name = "HOST")]
        domains: Vec<String>,
        /// Answers exactly as Auth0's schema does.
        #[arg(long)]
        strict: bool,
    },
    /// List all tenants.
    List,
    /// Show one tenant.
    Show {
        /// Its name.
        id: String,
    },
    /// Delete a tenant and everything it holds.
    Delete {
        /// Its name.
        id: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}
