//! The files of the dashboard: what is sent with them, and how much.

use super::{JANE, desk};
use crate::harness::{Response, Server, Setup};

fn page(server: &Server, target: &str) -> Response {
    server.request("GET", target, &[("Accept", "text/html")], None)
}

#[test]
fn a_browser_is_led_to_the_dashboard_and_a_program_is_not() {
    let server = Server::start();
    let led = page(&server, "/").expect(303);
    assert_eq!(led.header("location"), Some("/ui/"));
    server.request("GET", "/", &[("Accept", "application/json")], None).expect(404);
    let off = Setup::default().set("dashboard.enabled=false").start();
    page(&off, "/").expect(404);
    page(&off, "/ui/").expect(404);
    page(&off, "/ui/session").expect(404);
}

#[test]
fn ui_52_the_shell_is_not_kept_and_says_what_may_run() {
    let server = Server::start();
    let (first, second) = (page(&server, "/ui/").expect(200), page(&server, "/ui/").expect(200));
    let nonce = |page: &Response| {
        let policy = page.header("content-security-policy").unwrap().to_owned();
        let (_, rest) = policy.split_once("'nonce-").unwrap();
        let nonce = rest.split_once('\'').unwrap().0.to_owned();
        assert_eq!(
            policy,
            format!(
                "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
            )
        );
        nonce
    };
    assert_ne!(nonce(&first), nonce(&second));
    assert_eq!(first.header("cache-control"), Some("no-store"));
    assert_eq!(first.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(first.header("referrer-policy"), Some("no-referrer"));
}

#[test]
fn every_file_of_the_folder_is_served_for_ever_and_packed() {
    let server = Server::start();
    let shell = page(&server, "/ui/").expect(200).text().to_owned();
    let (_, rest) = shell.split_once("/ui/a/").unwrap();
    let folder = rest.split_once('/').unwrap().0;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/dashboard/web");
    let mut folders = vec![root.clone()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if name == "index.html" || name.starts_with("package") || name.starts_with("editor/") {
                continue;
            }
            let target = format!("/ui/a/{folder}/{name}");
            let file = server.request("GET", &target, &[], None).expect(200);
            assert_eq!(file.body, std::fs::read(&path).unwrap(), "{name}");
            assert_eq!(file.header("cache-control"), Some("public, max-age=31536000, immutable"));
            let etag = file.header("etag").unwrap().to_owned();
            server.request("GET", &target, &[("If-None-Match", &etag)], None).expect(304);
            let packed = server.request("GET", &target, &[("Accept-Encoding", "gzip, br")], None);
            assert!(
                packed.body.len() < file.body.len()
                    && packed.header("content-encoding") == Some("gzip"),
                "{name}"
            );
        }
    }
    server.request("GET", "/ui/a/00000000/app.js", &[], None).expect(404);
    server.request("GET", &format!("/ui/a/{folder}/..%2Fmod.rs"), &[], None).expect(404);
}

#[test]
fn ui_74_pages_are_light_and_the_second_visit_loads_no_code() {
    let Some(desk) = desk() else { return };
    desk.jane("{}", "{}");
    // Everything that came over the wire with the last page; answers from the cache count 0.
    let weigh = |path: &str| {
        desk.open(path);
        let sum = desk.browser.run("return [...performance.getEntriesByType('resource'), ...performance.getEntriesByType('navigation')].map((one) => [one.name, one.transferSize])");
        let all = sum.as_array().unwrap().clone();
        assert!(
            all.iter().all(|one| one[0].as_str().unwrap().starts_with(&desk.server.url)),
            "{all:?}"
        );
        let of = |code: bool| {
            let wanted =
                all.iter().filter(|one| one[0].as_str().unwrap().contains("/ui/a/") == code);
            wanted.map(|one| one[1].as_u64().unwrap()).sum::<u64>()
        };
        (of(true), of(false))
    };
    desk.browser.chrome("Network.clearBrowserCache", &serde_json::json!({}));
    let (code, data) = weigh("/ui/t/default/users");
    assert!(code + data <= 60 * 1024, "a list page took {code} + {data} bytes");
    desk.browser.chrome("Network.clearBrowserCache", &serde_json::json!({}));
    let (code, data) = weigh(JANE);
    assert!(code + data <= 190 * 1024, "the user's page took {code} + {data} bytes");
    let (code, _) = weigh(JANE);
    assert_eq!(code, 0, "the second visit loads no code");
}
