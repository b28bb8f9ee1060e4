//! A limit on how often a client may ask holds whatever it asks in.

use crate::harness::Setup;

#[test]
fn a_limit_holds_in_every_dialect() {
    let server = Setup::default()
        .set("rate_limit.enabled=true")
        .set("rate_limit.rps=1")
        .set("rate_limit.burst=3")
        .start();
    for (target, words) in [
        ("/api/v2/users", r#""errorCode":"too_many_requests""#),
        ("/api/users/", r#""error":"too_many_requests""#),
        ("/api/user/jane@example.com/metadata", r#""status":429"#),
        ("/dossier/v1/history", r#""errorCode":"too_many_requests""#),
    ] {
        // More than are let through at once and come back in the time this takes.
        let all: Vec<_> = (0..40).map(|_| server.get(target)).collect();
        let refused = all.iter().find(|answer| answer.status == 429);
        let refused = refused.unwrap_or_else(|| panic!("{target}: {:?}", all.last()));
        assert!(refused.header("retry-after").is_some(), "{refused:?}");
        assert!(refused.text().contains(words), "{refused:?}");
    }
    // Who looks at the server from outside is nobody's client.
    for _ in 0..40 {
        server.request("GET", "/livez", &[], None).expect(200);
    }
}
