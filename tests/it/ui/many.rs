//! The list of users of a tenant that has many.

use super::{Desk, desk, desk_on};
use crate::harness::Setup;
use crate::jobs::{ended, import};
use std::fmt::Write as _;
use std::time::Instant;

/// Puts users in whose names, addresses and counts are in three different orders.
fn fill(desk: &Desk, from: usize, count: usize) {
    let mut users = String::from("[");
    for number in from..from + count {
        let comma = if number == from { "" } else { "," };
        let name = 9_999_999 - number;
        write!(users, r#"{comma}{{"user_id":"m{number:07}","email":"m{number:07}@example.com","name":"N {name:07}","app_metadata":{{"n":{number}}}}}"#).unwrap();
    }
    users.push(']');
    let job = ended(&desk.server, &import(&desk.server, &users, false));
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["summary"]["inserted"], count, "{job}");
}

/// The first and the last user of the page, and how many there are on it.
#[track_caller]
fn shown(desk: &Desk) -> (String, String, usize) {
    let ids = desk
        .browser
        .run("return [...document.querySelectorAll('[data-row]')].map((row) => row.dataset.row)");
    let ids = ids.as_array().unwrap();
    let text = |at: usize| ids[at].as_str().unwrap().to_owned();
    (text(0), text(ids.len() - 1), ids.len())
}

#[test]
fn ui_63_thousands_of_users_are_paged_and_sorted_and_the_address_says_how() {
    const COUNT: usize = 3_000;
    let Some(desk) = desk() else { return };
    fill(&desk, 0, COUNT);
    desk.open("/ui/t/default/users");
    assert!(desk.browser.text("[data-testid=summary]").starts_with("3\u{2009}000 users"));
    let sorted = "[...document.querySelectorAll('th[aria-sort]')].map((one) => one.getAttribute('aria-sort')).join()";
    assert_eq!(desk.browser.run(&format!("return {sorted}")), "none,none,none,none");
    for (size, pages) in [(10, 100), (20, 50), (50, 20), (100, 10)] {
        desk.browser.run(&format!("const sizes = document.querySelector('nav[aria-label=Pages] select'); sizes.value = '{size}'; sizes.dispatchEvent(new Event('change'))"));
        desk.browser.until(&format!("document.querySelectorAll('[data-row]').length === {size}"));
        desk.browser.until_text("nav[aria-label=Pages]", &format!("Page 1 of {pages}"));
        let address = if size == 20 { String::new() } else { format!("?per_page={size}") };
        assert_eq!(desk.browser.run("return location.search"), address.as_str());
    }
    desk.browser.click("[data-sort=name]");
    desk.browser.until(&format!("{sorted} === 'ascending,none,none,none'"));
    assert_eq!(shown(&desk), ("auth0|m0002999".to_owned(), "auth0|m0002900".to_owned(), 100));
    desk.browser.click("[data-sort=name]");
    desk.browser.until(&format!("{sorted} === 'descending,none,none,none'"));
    assert_eq!(shown(&desk).0, "auth0|m0000000");
    desk.browser.click("[data-sort=user_id]");
    desk.browser.until(&format!("{sorted} === 'none,ascending,none,none'"));
    for page in 2..=10 {
        desk.browser.click("nav[aria-label=Pages] > a:last-child");
        desk.browser.until_text("nav[aria-label=Pages]", &format!("Page {page} of 10"));
        desk.ready();
        assert_eq!(shown(&desk).0, format!("auth0|m{:07}", (page - 1) * 100));
    }
    assert_eq!(
        desk.browser.run("return location.search"),
        "?sort=user_id%3A1&page=10&per_page=100"
    );
    assert!(
        desk.browser.has("nav[aria-label=Pages] span[aria-disabled]"),
        "the API gives no page 11"
    );
    desk.browser.until_text("[data-testid=window]", "Only the first 1\u{2009}000");
    desk.browser.run("location.reload()");
    desk.ready();
    assert_eq!(shown(&desk), ("auth0|m0000900".to_owned(), "auth0|m0000999".to_owned(), 100));
    assert_eq!(desk.browser.run(&format!("return {sorted}")), "none,ascending,none,none");
    desk.browser.run("history.back()");
    desk.browser.until_text("nav[aria-label=Pages]", "Page 9 of 10");
    // A link from elsewhere, such as from a colleague.
    desk.open(
        "/ui/t/default/users?q=app_metadata.n%3A%5B1500+TO+*%5D&sort=name%3A1&per_page=50&page=2",
    );
    assert!(desk.browser.text("[data-testid=summary]").starts_with("1\u{2009}500 users match"));
    assert_eq!(shown(&desk), ("auth0|m0002949".to_owned(), "auth0|m0002900".to_owned(), 50));
    desk.quiet();
}

#[test]
fn ui_63_without_a_window_every_page_can_be_reached() {
    let Some(desk) = desk_on(Setup::default().set("limits.paging_window=0").start()) else {
        return;
    };
    fill(&desk, 0, 1_205);
    desk.open("/ui/t/default/users?sort=user_id%3A1&per_page=100&page=12");
    desk.browser.click("nav[aria-label=Pages] > a:last-child");
    desk.browser.until_text("nav[aria-label=Pages]", "Page 13 of 13");
    desk.ready();
    assert_eq!(shown(&desk), ("auth0|m0001200".to_owned(), "auth0|m0001204".to_owned(), 5));
    assert!(!desk.browser.has("[data-testid=window]"));
}

#[test]
#[ignore = "measures; meant for a release build in DOSSIER_TEST_BINARY on a quiet machine"]
#[expect(clippy::print_stderr, reason = "what is measured is what it is for")]
fn measure_the_first_page_of_a_million_users() {
    const PIECE: usize = 20_000;
    let Some(desk) = desk() else { return };
    let began = Instant::now();
    for piece in 0..1_000_000 / PIECE {
        fill(&desk, piece * PIECE, PIECE);
    }
    eprintln!("1 000 000 users imported in {:?}", began.elapsed());
    for path in ["", "?sort=name%3A1", "?sort=user_id%3A-1&per_page=100", "?page=10&per_page=100"] {
        let mut millis: Vec<u64> = (0..9)
            .map(|_| {
                desk.browser.go("about:blank");
                let began = Instant::now();
                desk.open(&format!("/ui/t/default/users{path}"));
                desk.browser.until_there("[data-row]");
                u64::try_from(began.elapsed().as_millis()).unwrap()
            })
            .collect();
        millis.sort_unstable();
        eprintln!("/users{path}: {} ms, at best {}, at worst {}", millis[4], millis[0], millis[8]);
    }
}
