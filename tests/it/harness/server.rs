//! One running `dossier serve` and its folder.

use super::{Bearer, Connection, PATIENCE, Response, seed, until};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{OnceLock, mpsc};
use tempfile::TempDir;

/// An address whose port the system chooses.
const ANY_PORT: &str = "127.0.0.1:0";

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub(crate) struct Setup {
    config: Option<String>,
    sets: Vec<String>,
    env: Vec<(String, PathBuf)>,
    descriptors: Option<u32>,
}

impl Setup {
    /// The text of a configuration file.
    pub(crate) fn config(mut self, text: &str) -> Self {
        self.config = Some(text.to_owned());
        self
    }

    /// One `--set section.key=value`.
    pub(crate) fn set(mut self, assignment: &str) -> Self {
        self.sets.push(assignment.to_owned());
        self
    }

    /// One variable of the environment, which holds a path; without, there are none.
    pub(crate) fn env(mut self, name: &str, path: &Path) -> Self {
        self.env.push((name.to_owned(), path.to_owned()));
        self
    }

    /// How many descriptors the process may have.
    pub(crate) fn descriptors(mut self, limit: u32) -> Self {
        self.descriptors = Some(limit);
        self
    }

    /// Starts a server on a folder of its own.
    pub(crate) fn start(self) -> Server {
        self.start_in(&std::env::temp_dir())
    }

    /// Starts a server on a folder of its own inside of `parent`.
    pub(crate) fn start_in(self, parent: &Path) -> Server {
        let folder = tempfile::tempdir_in(parent).unwrap();
        seed::plant(&folder.path().join("data"));
        Server::on(folder, self)
    }
}

/// A running server. Dropping it ends the process and removes its folder.
#[derive(Debug)]
pub(crate) struct Server {
    /// Base address of plain HTTP.
    pub(crate) url: String,
    /// Base address of HTTPS.
    pub(crate) https: String,
    /// The development CA.
    pub(crate) ca: PathBuf,
    folder: Option<TempDir>,
    setup: Setup,
    child: Child,
    admin_token: OnceLock<String>,
}

impl Server {
    /// A server with default settings.
    pub(crate) fn start() -> Self {
        Setup::default().start()
    }

    /// Starts on a folder that has a data directory `data` in it.
    pub(crate) fn on(folder: TempDir, setup: Setup) -> Self {
        match Self::try_on(folder, setup) {
            Ok(server) => server,
            Err((status, log, _)) => panic!("the server ended with {status}:\n{log}"),
        }
    }

    /// Starts on a folder, or tells the exit status and what was written to standard error.
    pub(crate) fn try_on(
        folder: TempDir,
        setup: Setup,
    ) -> Result<Self, (ExitStatus, String, TempDir)> {
        match spawn(folder.path(), &setup, ANY_PORT) {
            Ok((child, ready)) => Ok(Self {
                url: text(&ready, "url"),
                https: text(&ready, "https"),
                ca: PathBuf::from(text(&ready, "ca")),
                folder: Some(folder),
                setup,
                child,
                admin_token: OnceLock::new(),
            }),
            Err(status) => {
                let log = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
                Err((status, log, folder))
            }
        }
    }

    /// Ends the process as a power cut would, without a word.
    pub(crate) fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to end, and waits until it has.
    pub(crate) fn end_with(&mut self, signal: Signal) -> ExitStatus {
        self.signal(signal);
        self.wait()
    }

    /// Waits until the process has ended.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        until("the end of the process", || self.child.try_wait().unwrap())
    }

    /// Starts another process on the same folder, which has to fail.
    pub(crate) fn second_on_same_folder(&self) -> ExitStatus {
        match spawn(self.folder(), &self.setup, ANY_PORT) {
            Ok((mut other, _)) => {
                other.kill().unwrap();
                panic!("a second process took the same folder");
            }
            Err(status) => status,
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
    }

    /// Kills it if it runs, and starts it again on the same data.
    pub(crate) fn restart(&mut self) {
        self.restart_on(ANY_PORT);
    }

    /// The same at the address it had, as a browser that is open expects it.
    pub(crate) fn restart_here(&mut self) {
        let address = self.address().to_owned();
        self.restart_on(&address);
    }

    fn restart_on(&mut self, listen: &str) {
        if self.is_alive() {
            self.kill9();
        }
        let (child, ready) = spawn(self.folder(), &self.setup, listen)
            .unwrap_or_else(|status| panic!("the restart ended with {status}:\n{}", self.log()));
        self.child = child;
        self.url = text(&ready, "url");
        self.https = text(&ready, "https");
        self.admin_token = OnceLock::new();
    }

    /// The number of the process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process runs.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().expect("only `into_folder` takes it").path()
    }

    /// The folder of a server that has ended.
    pub(crate) fn into_folder(mut self) -> TempDir {
        assert!(!self.is_alive());
        self.folder.take().unwrap()
    }

    /// The folder with everything the server keeps.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// What was written to standard error so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Id and secret of the first machine client.
    pub(crate) fn admin_client(&self) -> (String, String) {
        let text = fs::read_to_string(self.data_dir().join("admin-client.json")).unwrap();
        let file: Value = serde_json::from_str(&text).unwrap();
        let member = |key: &str| file[key].as_str().unwrap().to_owned();
        (member("client_id"), member("client_secret"))
    }

    /// `host:port` of plain HTTP.
    pub(crate) fn address(&self) -> &str {
        self.url.strip_prefix("http://").unwrap()
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address()).unwrap()
    }

    /// Sends a request over a connection of its own.
    #[track_caller]
    pub(crate) fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Response {
        match self.connect().send(method, target, headers, body) {
            Ok(response) => response,
            Err(error) => panic!("{method} {target} got no answer: {error}"),
        }
    }

    /// The `Authorization` of a machine that may do everything.
    pub(crate) fn admin(&self) -> &str {
        self.admin_token.get_or_init(|| format!("Bearer {}", self.token(&Bearer::admin())))
    }

    /// A request without a body, by a machine that may do everything.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Response {
        self.request("GET", target, &[("Authorization", self.admin())], None)
    }

    /// A request with a JSON text, by a machine that may do everything.
    #[track_caller]
    pub(crate) fn json(&self, method: &str, target: &str, body: &str) -> Response {
        let headers = [("Authorization", self.admin()), ("Content-Type", "application/json")];
        self.request(method, target, &headers, Some(body.as_bytes()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.kill().is_ok() {
            self.child.wait().unwrap();
        }
        if std::thread::panicking() && self.folder.is_some() {
            show(&self.log());
        }
    }
}

fn text(ready: &Value, key: &str) -> String {
    ready[key].as_str().unwrap_or_default().to_owned()
}

#[expect(clippy::print_stderr, reason = "the log of a failed test belongs beside its message")]
fn show(log: &str) {
    eprintln!("--- the server's log ---\n{log}------------------------");
}

/// The program under test: the one built beside the tests, or the one `DOSSIER_TEST_BINARY` names,
/// such as a release build.
pub(crate) fn program() -> PathBuf {
    let built = || PathBuf::from(env!("CARGO_BIN_EXE_dossier"));
    std::env::var_os("DOSSIER_TEST_BINARY")
        .map_or_else(built, |path| std::path::absolute(path).unwrap())
}

/// Starts the program and reads the line that says it is ready.
fn spawn(folder: &Path, setup: &Setup, listen: &str) -> Result<(Child, Value), ExitStatus> {
    let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
    let mut command = match setup.descriptors {
        None => Command::new(program()),
        Some(limit) => {
            let mut shell = Command::new("/bin/sh");
            let script = format!(r#"ulimit -n {limit} && exec "$0" "$@""#);
            shell.arg("-c").arg(script).arg(program());
            shell
        }
    };
    command
        .args(["serve", "-o", "json", "--listen", listen, "--data-dir"])
        .arg(folder.join("data"))
        .args(["--set", "server.https_listen=127.0.0.1:0"])
        .current_dir(folder)
        .env_clear()
        .envs(setup.env.iter().map(|(name, path)| (name, path)))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log);
    if let Some(text) = &setup.config {
        let path = folder.join("dossier.toml");
        fs::write(&path, text).unwrap();
        command.arg("--config").arg(path);
    }
    for assignment in &setup.sets {
        command.args(["--set", assignment]);
    }
    let mut child = command.spawn().unwrap();
    let output = child.stdout.take().unwrap();
    let (told, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(output).read_line(&mut line);
        // Whoever asked may have given up by now.
        drop(told.send(read.map(|_| line)));
    });
    let line = heard.recv_timeout(PATIENCE).expect("a start takes less than a minute").unwrap();
    match serde_json::from_str(&line) {
        Ok(ready) => Ok((child, ready)),
        Err(_) => Err(child.wait().unwrap()),
    }
}
