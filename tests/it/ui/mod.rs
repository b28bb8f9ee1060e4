//! The dashboard in a real browser. Each test is a criterion of the design, by its number.

mod access;
mod browser;
mod clients;
mod figures;
mod files;
mod gone;
mod history;
mod live;
mod looks;
mod many;
mod requests;
mod safety;
mod saving;
mod sessions;
mod snapshots;
mod snippets;
mod tokens;
mod user;
mod users;

use crate::harness::Server;
use browser::Browser;
use serde_json::{Value, json};

/// The JSON text of the editor of one object.
const EDITOR: &str = "[data-testid=\"editor-user_metadata\"] json-editor";
const REVIEW: &str = "[data-testid=\"review-button\"]";
const SAVE: &str = "[data-testid=\"save\"]";
const JANE: &str = "/ui/t/default/users/auth0%7Cjane";

/// A server, a browser signed in to it, and one user.
struct Desk {
    server: Server,
    browser: Browser,
}

/// Everything a test needs, or nothing where there is no browser.
fn desk() -> Option<Desk> {
    desk_on(Server::start())
}

fn desk_on(server: Server) -> Option<Desk> {
    let browser = Browser::open()?;
    let desk = Desk { server, browser };
    desk.sign_in("{}");
    Some(desk)
}

impl Desk {
    /// Signs in with a fresh link.
    #[track_caller]
    fn sign_in(&self, wanted: &str) {
        let link = self.server.json("POST", "/dossier/v1/login-links", wanted).expect(201).json();
        self.browser.go(link["url"].as_str().unwrap());
        self.browser.until("document.querySelector('.rail') !== null");
    }

    /// Opens a page and waits until it is there.
    #[track_caller]
    fn open(&self, path: &str) {
        self.browser.go(&format!("{}{path}", self.server.url));
        self.ready();
    }

    #[track_caller]
    fn ready(&self) {
        self.browser.until(
            "document.querySelector('main h1, main h2') && !document.querySelector('[aria-busy]')",
        );
    }

    /// Makes the user of most tests.
    #[track_caller]
    fn jane(&self, user_metadata: &str, app_metadata: &str) {
        let body = format!(
            r#"{{"connection":"Username-Password-Authentication","user_id":"jane","email":"jane.doe@example.com","email_verified":true,"name":"Jane Doe","nickname":"jane","given_name":"Jane","family_name":"Doe","user_metadata":{user_metadata},"app_metadata":{app_metadata}}}"#
        );
        self.server.json("POST", "/api/v2/users", &body).expect(201);
    }

    /// Makes her and opens her page.
    #[track_caller]
    fn on_jane(&self, user_metadata: &str, app_metadata: &str) {
        self.jane(user_metadata, app_metadata);
        self.open(JANE);
    }

    /// Makes five hundred users, four at a time.
    fn five_hundred(&self) {
        std::thread::scope(|scope| {
            for part in 0..4 {
                let server = &self.server;
                scope.spawn(move || {
                    for number in 0..125 {
                        let body = format!(r#"{{"connection":"Username-Password-Authentication","user_id":"p{part}-{number}","email":"p{part}-{number}@example.com"}}"#);
                        server.json("POST", "/api/v2/users", &body).expect(201);
                    }
                });
            }
        });
    }

    /// Her profile as the API tells it, byte for byte.
    #[track_caller]
    fn profile(&self) -> String {
        self.server.get("/api/v2/users/auth0%7Cjane").expect(200).text().to_owned()
    }

    /// Puts text into an editor, as pasting does.
    #[track_caller]
    fn edit(&self, bag: &str, text: &str) {
        let script = "document.querySelector(`[data-testid=\"editor-${arguments[0]}\"] json-editor`).value = arguments[1]";
        self.browser.run_with(script, &json!([bag, text]));
    }

    /// The text of an editor.
    #[track_caller]
    fn edited(&self, bag: &str) -> String {
        let script = "return document.querySelector(`[data-testid=\"editor-${arguments[0]}\"] json-editor`).value";
        self.browser.run_with(script, &json!([bag])).as_str().unwrap().to_owned()
    }

    /// Reviews and saves what was edited, and waits until it is.
    #[track_caller]
    fn save(&self) {
        self.browser.click(REVIEW);
        self.browser.click(SAVE);
        self.browser.until_text("[data-testid=\"toast\"]", "Saved version");
    }

    /// The body the shown curl would send.
    #[track_caller]
    fn body(&self) -> String {
        let curl = self.browser.text("[data-testid=\"curl\"]");
        let (_, body) = curl.split_once("-d '").unwrap();
        body.strip_suffix('\'').unwrap().replace("'\\''", "'")
    }

    /// Whether a button cannot be pressed.
    #[track_caller]
    fn is_disabled(&self, css: &str) -> bool {
        self.browser.run_with("return document.querySelector(arguments[0]).disabled", &json!([css]))
            == Value::Bool(true)
    }

    /// Nothing went wrong that only the console knows.
    #[track_caller]
    fn quiet(&self) {
        let said = self.browser.console();
        assert!(said.is_empty(), "{said:#?}");
    }
}
