//! A server of its own for a load test: the same binary with the same settings, an empty data
//! directory beside the real one (so that it lies on the same disk), and a port nobody knows.

use crate::cli::Failure;
use crate::cli::args::Global;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A server that ends, and whose data goes, when this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    child: Child,
    folder: PathBuf,
    /// Its plain listener.
    pub(super) url: String,
}

impl Server {
    /// Starts a server and waits until it takes requests.
    ///
    /// # Errors
    /// When it cannot be started; its own words are on standard error.
    pub(super) fn start(global: &Global, beside: &Path) -> Result<Self, Failure> {
        let parent = beside.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        let folder = parent.join(format!(".dossier-bench-{}", std::process::id()));
        let failed = |error: std::io::Error| {
            Failure::new(1, format!("a server for the test could not be started: {error}"))
        };
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        if let Some(file) = &global.config {
            command.arg("--config").arg(file);
        }
        for set in &global.set {
            command.arg("--set").arg(set);
        }
        command.args(["--set", "server.tls=off", "--listen", "127.0.0.1:0", "-o", "json"]);
        command.arg("--data-dir").arg(&folder).arg("serve").stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        let mut line = String::new();
        let read = match child.stdout.take() {
            Some(stdout) => BufReader::new(stdout).read_line(&mut line),
            None => Ok(0),
        };
        let mut server = Self { child, folder, url: String::new() };
        read.map_err(failed)?;
        let ready: Value = serde_json::from_str(&line).unwrap_or(Value::Null);
        let url = ready.get("url").and_then(Value::as_str);
        let url = url.ok_or_else(|| Failure::new(1, "the server for the test did not start"))?;
        url.clone_into(&mut server.url);
        Ok(server)
    }

    /// The data directory.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Time its threads were on a core, and its resident memory in bytes.
    pub(super) fn usage(&self) -> Usage {
        usage_of(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Its data goes with it, so it needs no orderly end.
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            log::warn!(error:%; "the server of the test could not be ended");
        }
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            log::warn!(error:%; "the data of the test could not be removed");
        }
    }
}

/// What a process used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// Time on a core.
    pub(super) cpu: Duration,
    /// Resident memory.
    pub(super) resident_bytes: u64,
}

/// Reads `/proc`; where there is none, nothing was used.
fn usage_of(pid: u32) -> Usage {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let nanos: u64 = tasks
        .filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok())
        .filter_map(|text| text.split_whitespace().next()?.parse::<u64>().ok())
        .sum();
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: u64 =
        resident.and_then(|text| text.split_whitespace().next()?.parse().ok()).unwrap_or_default();
    Usage { cpu: Duration::from_nanos(nanos), resident_bytes: kib * 1024 }
}
