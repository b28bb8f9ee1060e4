//! A real browser, driven over the `WebDriver` protocol: as much of it as the tests need.
//!
//! One chromedriver and one Chromium serve all tests of this binary, one after the other;
//! each begins with no cookies and on a server with a port, and so an origin, of its own.
//! Both end with the process that started them, whatever way it ends.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use tempfile::TempDir;

/// Runs chromedriver until its standard input ends, then ends its whole process group.
const KEEPER: &str = r#"setsid chromedriver --port=0 --log-level=SEVERE & group=$!
read -r _; kill -TERM -- -$group 2>/dev/null; sleep 0.2; kill -KILL -- -$group 2>/dev/null; rm -rf "$1""#;

const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1360,1000",
];

const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys without a letter.
pub(crate) mod key {
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const END: &str = "\u{e010}";
    pub(crate) const HOME: &str = "\u{e011}";
    pub(crate) const RIGHT: &str = "\u{e014}";
    pub(crate) const DOWN: &str = "\u{e015}";
    pub(crate) const LEFT: &str = "\u{e012}";
    pub(crate) const CONTROL: &str = "\u{e009}";
    pub(crate) const BACKSPACE: &str = "\u{e003}";
}

struct Driver {
    session: String,
    agent: ureq::Agent,
    /// What every new page is made to run first.
    scripts: Mutex<Vec<String>>,
    /// Its standard input ends with this process, and it with that.
    _keeper: Child,
}

static DRIVER: OnceLock<Option<Mutex<Driver>>> = OnceLock::new();

/// The browser, for one test at a time.
pub(crate) struct Browser(MutexGuard<'static, Driver>);

impl Browser {
    /// The browser, empty; none where there is no Chromium and nobody insists on one.
    pub(crate) fn open() -> Option<Self> {
        let driver = DRIVER
            .get_or_init(|| std::panic::catch_unwind(start).unwrap_or_default().map(Mutex::new));
        let Some(driver) = driver else {
            let wish = std::env::var("DOSSIER_UI_TESTS").unwrap_or_default();
            assert_ne!(wish, "require", "install chromium and chromium-driver");
            return None;
        };
        let browser = Self(driver.lock().unwrap_or_else(PoisonError::into_inner));
        browser.go("about:blank");
        browser.chrome("Network.clearBrowserCookies", &json!({}));
        browser.chrome("Emulation.clearDeviceMetricsOverride", &json!({}));
        browser.chrome("Emulation.setEmulatedMedia", &json!({"features": []}));
        let scripts = std::mem::take(&mut *browser.scripts());
        for identifier in scripts {
            browser.chrome(
                "Page.removeScriptToEvaluateOnNewDocument",
                &json!({ "identifier": identifier }),
            );
        }
        browser.console();
        Some(browser)
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        self.0.ask(method, path, body)
    }

    #[track_caller]
    fn must(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        self.ask(method, path, body)
            .unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.shown()))
    }

    /// What a person sees now, for messages.
    fn shown(&self) -> String {
        let script =
            json!({"script": "return location.href + '\\n' + document.body.innerText", "args": []});
        let shown = self.ask("POST", "/execute/sync", Some(&script)).unwrap_or_default();
        shown.as_str().unwrap_or_default().chars().take(3000).collect()
    }

    /// Opens an address.
    #[track_caller]
    pub(crate) fn go(&self, url: &str) {
        self.must("POST", "/url", Some(&json!({ "url": url })));
    }

    /// Runs a script and gives back what it returns.
    #[track_caller]
    pub(crate) fn run(&self, script: &str) -> Value {
        self.run_with(script, &json!([]))
    }

    /// Runs a script with arguments.
    #[track_caller]
    pub(crate) fn run_with(&self, script: &str, args: &Value) -> Value {
        self.must("POST", "/execute/sync", Some(&json!({"script": script, "args": args})))
    }

    /// Runs a script that calls its last argument when it is done.
    #[track_caller]
    pub(crate) fn run_async(&self, script: &str) -> Value {
        self.must("POST", "/execute/async", Some(&json!({"script": script, "args": []})))
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub(crate) fn until(&self, expression: &str) {
        let script = json!({"script": format!("return Boolean({expression})"), "args": []});
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while self.ask("POST", "/execute/sync", Some(&script)) != Ok(Value::Bool(true)) {
            assert!(
                std::time::Instant::now() < deadline,
                "never became true: {expression}\n{}\n{:?}",
                self.shown(),
                self.console()
            );
        }
    }

    /// Waits until an element is there and text stands in it.
    #[track_caller]
    pub(crate) fn until_text(&self, css: &str, text: &str) {
        let args = format!("({}, {})", json!(css), json!(text));
        self.until(&format!(
            "((css, text) => document.querySelector(css)?.textContent.includes(text)){args}"
        ));
    }

    /// Waits until an element is there.
    #[track_caller]
    pub(crate) fn until_there(&self, css: &str) {
        self.until(&format!("document.querySelector({})", json!(css)));
    }

    /// The text of an element as it is written, "" without one.
    #[track_caller]
    pub(crate) fn text(&self, css: &str) -> String {
        let found = self.run_with(
            "return document.querySelector(arguments[0])?.textContent ?? ''",
            &json!([css]),
        );
        found.as_str().unwrap().to_owned()
    }

    /// The texts of all elements a selector finds.
    #[track_caller]
    pub(crate) fn texts(&self, css: &str) -> Vec<String> {
        let found = self.run_with(
            "return [...document.querySelectorAll(arguments[0])].map((one) => one.textContent)",
            &json!([css]),
        );
        found.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }

    /// An attribute of an element.
    #[track_caller]
    pub(crate) fn attribute(&self, css: &str, name: &str) -> Option<String> {
        let found = self.run_with(
            "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? null",
            &json!([css, name]),
        );
        found.as_str().map(str::to_owned)
    }

    /// Whether an element is there.
    #[track_caller]
    pub(crate) fn has(&self, css: &str) -> bool {
        self.run_with("return document.querySelector(arguments[0]) !== null", &json!([css]))
            == Value::Bool(true)
    }

    /// Clicks on an element as a mouse does: it has to be visible and not covered.
    #[track_caller]
    pub(crate) fn click(&self, css: &str) {
        self.act(css, "click", &json!({}));
    }

    /// Types into an element.
    #[track_caller]
    pub(crate) fn type_into(&self, css: &str, text: &str) {
        self.act(css, "value", &json!({ "text": text }));
    }

    /// Does something with an element, once it is there. One that the page draws anew between the
    /// look and the deed is looked for again, as a person would.
    #[track_caller]
    fn act(&self, css: &str, deed: &str, body: &Value) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            self.until_there(css);
            let path = format!("/element/{}/{deed}", self.element(css));
            match self.ask("POST", &path, Some(body)) {
                Ok(_) => return,
                Err(error)
                    if error.starts_with("stale element")
                        && std::time::Instant::now() < deadline => {}
                Err(error) => panic!("{css} {deed}: {error}\n{}", self.shown()),
            }
        }
    }

    #[track_caller]
    fn element(&self, css: &str) -> String {
        let body = json!({"using": "css selector", "value": css});
        let found = self.must("POST", "/element", Some(&body));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    /// Presses keys together, wherever the focus is, and lets them go.
    #[track_caller]
    pub(crate) fn press(&self, keys: &[&str]) {
        let down = keys.iter().map(|key| json!({"type": "keyDown", "value": key}));
        let up = keys.iter().rev().map(|key| json!({"type": "keyUp", "value": key}));
        let actions: Vec<Value> = down.chain(up).collect();
        let body = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.must("POST", "/actions", Some(&body));
    }

    /// Types where the focus is, key by key.
    #[track_caller]
    pub(crate) fn type_keys(&self, text: &str) {
        for letter in text.chars() {
            self.press(&[&letter.to_string()]);
        }
    }

    /// Sends a command of Chromium's own protocol.
    #[track_caller]
    pub(crate) fn chrome(&self, command: &str, params: &Value) -> Value {
        self.must("POST", "/goog/cdp/execute", Some(&json!({"cmd": command, "params": params})))
    }

    /// Gives the page another size.
    #[track_caller]
    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.chrome(
            "Emulation.setDeviceMetricsOverride",
            &json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false}),
        );
    }

    fn scripts(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the pages that are opened from now on from hearing of others' changes.
    pub(crate) fn deafen(&self) {
        let source = json!({"source": "delete window.EventSource"});
        let added = self.chrome("Page.addScriptToEvaluateOnNewDocument", &source);
        self.scripts().push(added["identifier"].as_str().unwrap().to_owned());
    }

    /// What the console said since it was last asked.
    pub(crate) fn console(&self) -> Vec<String> {
        let said =
            self.ask("POST", "/se/log", Some(&json!({"type": "browser"}))).unwrap_or_default();
        let messages = said.as_array().cloned().unwrap_or_default();
        messages.iter().filter_map(|one| Some(one["message"].as_str()?.to_owned())).collect()
    }

    /// A picture of the whole page as PNG.
    pub(crate) fn picture(&self) -> Vec<u8> {
        use base64::Engine;
        let size = &self.chrome("Page.getLayoutMetrics", &json!({}))["cssContentSize"];
        let clip =
            json!({"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1});
        let taken = self.chrome(
            "Page.captureScreenshot",
            &json!({"captureBeyondViewport": true, "clip": clip}),
        );
        base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }
}

impl Driver {
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, String> {
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.session))
            .header("content-type", "application/json")
            .body(body.map(Value::to_string).unwrap_or_default())
            .map_err(|error| error.to_string())?;
        let mut answer = self.agent.run(request).map_err(|error| error.to_string())?;
        let limit = answer.body_mut().with_config().limit(64 << 20);
        let text = limit.read_to_string().map_err(|error| error.to_string())?;
        let value: Value = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        match value["value"]["error"].as_str() {
            Some(error) if answer.status() != 200 => {
                Err(format!("{error}: {}", value["value"]["message"]))
            }
            Some(_) | None => Ok(value["value"].clone()),
        }
    }
}

fn start() -> Option<Driver> {
    Command::new("chromedriver").arg("--version").stdout(Stdio::null()).status().ok()?;
    let profile = TempDir::new().unwrap().keep();
    let mut keeper = Command::new("bash")
        .args(["-c", KEEPER, "keeper"])
        .arg(&profile)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(keeper.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| {
        let line = line.unwrap();
        let (_, port) = line.split_once("successfully on port ")?;
        port.trim_end_matches('.').parse::<u16>().ok()
    });
    std::thread::spawn(move || lines.for_each(drop));
    let agent: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).build().into();
    let mut driver = Driver {
        session: format!("http://127.0.0.1:{}", port.unwrap()),
        agent,
        scripts: Mutex::default(),
        _keeper: keeper,
    };
    let mut flags: Vec<String> = FLAGS.iter().map(|&flag| flag.to_owned()).collect();
    flags.push(format!("--user-data-dir={}", profile.display()));
    let wanted = json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome",
        "unhandledPromptBehavior": "accept",
        "acceptInsecureCerts": true,
        "goog:chromeOptions": {"args": flags},
        "goog:loggingPrefs": {"browser": "ALL"},
    }}});
    let made = driver.ask("POST", "/session", Some(&wanted)).unwrap();
    let id = made["sessionId"].as_str().unwrap();
    driver.session = format!("{}/session/{id}", driver.session);
    Some(driver)
}
