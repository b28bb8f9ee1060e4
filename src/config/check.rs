//! Rules that a range cannot say, and rules that concern more than one setting.

use super::choice::{Durability, TlsMode};
use super::problem::{Place, Problem, Warning};
use super::sections::{Auth, Journal, Server, Snapshot};
use super::value::Value;
use super::{Gathered, Settings};

/// Checks what is special about one setting.
pub(super) fn alone(path: &str, value: &Value) -> Result<(), String> {
    match (path, value) {
        ("server.public_url", Value::Text(url)) if !url.is_empty() && !is_url(url) => {
            Err("wanted a URL such as \"https://profiles.example.com\", without query".to_owned())
        }
        ("claims.prefix", Value::Text(prefix)) if prefix.is_empty() => {
            Err("an empty prefix would let metadata take the names of other claims".to_owned())
        }
        ("storage.data_dir", Value::Text(folder)) if folder.is_empty() => {
            Err("wanted a folder, found an empty text".to_owned())
        }
        ("cors.origins", Value::List(origins)) => {
            match origins.iter().find(|origin| *origin != "*" && !is_origin(origin)) {
                Some(origin) => Err(format!(
                    "{origin:?} is not an origin; write one such as \"https://app.example.com\", or \"*\""
                )),
                None => Ok(()),
            }
        }
        _ => Ok(()),
    }
}

fn after_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))
}

fn is_url(text: &str) -> bool {
    after_scheme(text).is_some_and(|rest| {
        !rest.is_empty()
            && !rest.starts_with(['/', ':'])
            && !rest.contains(['?', '#', ' ', '"', '@'])
    })
}

fn is_origin(text: &str) -> bool {
    is_url(text) && after_scheme(text).is_some_and(|rest| !rest.contains('/'))
}

/// Checks settings against each other; rules that lean on a broken value are left out.
pub(super) fn together(gathered: &mut Gathered) {
    let settings = Settings::from_values(&gathered.values, Vec::new());
    let mut check = Check { gathered };
    check.server(&settings.server);
    check.auth(&settings.auth);
    check.storage(&settings.journal, &settings.snapshot);
}

struct Check<'a> {
    gathered: &'a mut Gathered,
}

impl Check<'_> {
    fn server(&mut self, server: &Server) {
        for (path, file) in
            [("server.tls_cert", &server.tls_cert), ("server.tls_key", &server.tls_key)]
        {
            let key = path.trim_start_matches("server.");
            match (server.tls, file) {
                (TlsMode::Files, None) => {
                    self.problem(
                        &["server.tls", path],
                        format!("tls is \"files\", but {path} names no file"),
                    );
                }
                (TlsMode::Dev | TlsMode::Off, Some(_)) => {
                    let word = server.tls.word();
                    self.warn(
                        &[path, "server.tls"],
                        format!("{key} is not used while server.tls is \"{word}\""),
                    );
                }
                (TlsMode::Files, Some(_)) | (TlsMode::Dev | TlsMode::Off, None) => {}
            }
        }
        if server.tls != TlsMode::Off
            && server.listen == server.https_listen
            && server.listen.port() != 0
        {
            let message =
                format!("server.listen and server.https_listen are both {}", server.listen);
            self.problem(&["server.https_listen", "server.listen", "server.tls"], message);
        }
    }

    fn auth(&mut self, auth: &Auth) {
        for (path, ttl) in
            [("auth.token_ttl", auth.token_ttl), ("auth.user_token_ttl", auth.user_token_ttl)]
        {
            if ttl > auth.max_token_ttl {
                self.problem(
                    &[path, "auth.max_token_ttl"],
                    format!("{path} is longer than auth.max_token_ttl"),
                );
            }
        }
    }

    fn storage(&mut self, journal: &Journal, snapshot: &Snapshot) {
        if journal.segment_bytes.saturating_mul(2) > journal.max_bytes {
            let message =
                "journal.max_bytes holds fewer than two files of journal.segment".to_owned();
            self.problem(&["journal.max_bytes", "journal.segment"], message);
        }
        if journal.durability == Durability::Snapshot && snapshot.interval.is_zero() {
            let message = "a crash takes back everything since the start: journal.durability is \"snapshot\" and \
                           snapshot.interval is off"
                .to_owned();
            self.warn(&["snapshot.interval", "journal.durability"], message);
        }
    }

    /// Reports a problem at the first of the settings it leans on.
    fn problem(&mut self, paths: &[&str], message: String) {
        if let Some(problem) = self.at(paths, message) {
            self.gathered.problems.push(problem);
        }
    }

    fn warn(&mut self, paths: &[&str], message: String) {
        if let Some(problem) = self.at(paths, message) {
            self.gathered.warnings.push(Warning(problem));
        }
    }

    fn at(&self, paths: &[&str], message: String) -> Option<Problem> {
        if paths.iter().any(|path| self.gathered.broken.contains(path)) {
            return None;
        }
        let mut places = paths.iter().map(|path| self.gathered.origins.of(path));
        // A place where somebody wrote something is better than a default.
        let place = places.find(|place| **place != Place::Default).unwrap_or(&Place::Default);
        Some(Problem { place: place.clone(), message })
    }
}
