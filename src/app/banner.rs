//! What an operator sees at a start: what was found, where it listens, what to try.

use super::tls::Made;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// What the banner tells.
#[derive(Debug)]
pub struct Banner<'a> {
    /// The settings file, if one was read.
    pub config: Option<&'a Path>,
    /// The data directory.
    pub data_dir: &'a Path,
    /// Whether it was made just now.
    pub is_first: bool,
    /// Whether the signing keys were made just now.
    pub keys_made: bool,
    /// Tenants restored.
    pub tenants: usize,
    /// Users restored.
    pub users: usize,
    /// Users that came out of snapshots.
    pub from_snapshots: usize,
    /// Changes replayed from the journal.
    pub replayed: u64,
    /// How long restoring took.
    pub took: Duration,
    /// Base address of plain HTTP.
    pub http: &'a str,
    /// Base address of HTTPS and the development CA, if there is one.
    pub https: Option<(&'a str, Option<(&'a Path, Made)>)>,
    /// A one-time link to the dashboard.
    pub dashboard: Option<&'a str>,
    /// Threads that serve requests.
    pub workers: usize,
    /// Time between snapshots, in words.
    pub snapshots: &'a str,
    /// Whether data is kept in memory only.
    pub is_memory: bool,
}

impl Banner<'_> {
    /// The banner's lines.
    pub fn text(&self) -> String {
        let mut out =
            format!("dossier {} — user profiles and metadata\n\n", env!("CARGO_PKG_VERSION"));
        let mut line = |label: &str, text: &str| {
            writeln!(out, "  ✓ {label:<10} {text}").expect("writing to a string cannot fail");
        };
        match self.config {
            Some(path) => line("config", &path.display().to_string()),
            None => line(
                "config",
                "./dossier.toml not found, using defaults        (dossier config init)",
            ),
        }
        let dir = self.data_dir.display();
        if self.is_memory {
            line("data", "in memory only: everything is gone when this process ends");
        } else if self.is_first {
            line("data", &format!("{dir} created, mode 0700"));
        } else {
            line("data", &self.restored());
        }
        if self.keys_made {
            line("keys", &format!("RS256 signing keys generated → {dir}/keys (0600)"));
        }
        if self.is_first {
            line("tenant", "\"default\" created");
        }
        let (workers, snapshots) = (self.workers, self.snapshots);
        line("listening", &format!("{}      {workers} workers · {snapshots}", self.http));
        if let Some((address, ca)) = &self.https {
            let note = match ca {
                Some((_, Made::Everything)) => "      development CA made",
                Some((_, Made::Leaf)) => "      development certificate renewed",
                Some((_, Made::Nothing)) | None => "",
            };
            line("listening", &format!("{address}{note}"));
        }
        if let Some(link) = self.dashboard {
            write!(out, "\n  Dashboard    {link}   works once\n               (print a new one any time: {} login-link)\n", program())
                .expect("writing to a string cannot fail");
        }
        out.push_str(&self.trust());
        if self.is_first {
            out.push_str(&self.first_steps());
        }
        out
    }

    fn restored(&self) -> String {
        let Self { users, tenants, from_snapshots, replayed, .. } = self;
        format!(
            "restored {users} users of {tenants} tenants in {:.1?} ({from_snapshots} from snapshots, {replayed} changes replayed)",
            self.took
        )
    }

    /// The three variables with which Node, Python and curl trust the development CA.
    fn trust(&self) -> String {
        let Some((_, Some((ca, _)))) = &self.https else { return String::new() };
        let ca = std::path::absolute(ca).unwrap_or_else(|_| ca.to_path_buf());
        let ca = ca.display();
        format!(
            "\n  Trust it     export NODE_EXTRA_CA_CERTS={ca}\n               export SSL_CERT_FILE={ca} REQUESTS_CA_BUNDLE={ca}\n               export CURL_CA_BUNDLE={ca}\n"
        )
    }

    fn first_steps(&self) -> String {
        let (base, dir) = (self.http, self.data_dir.display());
        format!(
            "\n  Try it       export DOSSIER_URL={base}
               export DOSSIER_TOKEN=$({program} token create --data-dir {dir} --ttl 1h)
               curl -s $DOSSIER_URL/api/v2/users -H \"authorization: Bearer $DOSSIER_TOKEN\" \\
                 -H 'content-type: application/json' \\
                 -d '{{\"email\":\"jane.doe@example.com\",\"connection\":\"Username-Password-Authentication\",
                      \"user_metadata\":{{\"hobby\":\"surfing\"}},\"app_metadata\":{{\"plan\":\"full\"}}}}'\n",
            program = program(),
        )
    }
}

/// How this program is called, so that a pasted line works.
fn program() -> String {
    let called = std::env::args().next().unwrap_or_default();
    let is_on_path = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join("dossier").is_file())
    });
    if is_on_path || called.is_empty() { "dossier".to_owned() } else { called }
}
