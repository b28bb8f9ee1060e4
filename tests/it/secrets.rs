//! Passwords, client secrets, tokens and metadata are in no log line and in no error.

use crate::harness::{Response, Setup};
use rustix::process::Signal;

const PASSWORD: &str = "Pass-marker-1-Qz";
const METADATA: &str = "metadata-marker-Qz";
const CLIENT_METADATA: &str = "client-meta-marker-Qz";
const SECRET: &str = "secret-marker-Qz-secret-marker-Qz-secret-marker-Qz-secret-marker-";
const ENTRY: &str = "entry-marker-Qz";

/// An answer that is an error must not repeat what it was sent.
#[track_caller]
fn is_silent(response: &Response, marks: &[String]) {
    if response.status < 400 {
        return;
    }
    let head = format!("{:?}", response.headers);
    for mark in marks {
        assert!(!response.text().contains(mark.as_str()), "{mark} in {}", response.text());
        assert!(!head.contains(mark.as_str()), "{mark} in {head}");
    }
}

#[test]
fn no_secret_is_in_the_log_or_in_an_error() {
    let mut server =
        Setup::default().set("log.level=trace").set("log.access=all").set("log.slow=1ms").start();
    let mut marks: Vec<String> =
        [PASSWORD, METADATA, CLIENT_METADATA, SECRET, ENTRY].map(str::to_owned).to_vec();
    let user = format!(
        r#"{{"email":"jane@example.com","connection":"Username-Password-Authentication","password":"{PASSWORD}","user_metadata":{{"m":"{METADATA}"}},"app_metadata":{{"m":"{METADATA}"}}}}"#
    );
    let made = server.json("POST", "/api/v2/users", &user).expect(201).json();
    let target = format!("/api/v2/users/{}", made["user_id"].as_str().unwrap());
    let client = format!(
        r#"{{"name":"x","client_secret":"{SECRET}","grant_types":["client_credentials","password","http://auth0.com/oauth/grant-type/password-realm"],"client_metadata":{{"m":"{CLIENT_METADATA}"}}}}"#
    );
    let client = server.json("POST", "/api/v2/clients", &client).expect(201).json();
    let id = client["client_id"].as_str().unwrap().to_owned();
    let rotated = server.json("POST", &format!("/api/v2/clients/{id}/rotate-secret"), "{}");
    let rotated = rotated.expect(200).json()["client_secret"].as_str().unwrap().to_owned();
    marks.push(rotated.clone());
    let (admin, admin_secret) = server.admin_client();
    marks.push(admin_secret.clone());
    let entry = format!("{}/metadata/k", target.replace("/api/v2/users/", "/api/user/"));
    server.json("PUT", &entry, &format!(r#"{{"value":"{ENTRY}"}}"#));

    // Good and bad credentials, good and bad bodies.
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let audience = format!("{}/api/v2/", server.url);
    let token_body = |id: &str, secret: &str| {
        format!(
            "grant_type=client_credentials&client_id={id}&client_secret={secret}&audience={audience}"
        )
    };
    let password_body = |password: &str| {
        format!(
            "grant_type=http%3A%2F%2Fauth0.com%2Foauth%2Fgrant-type%2Fpassword-realm&realm=Username-Password-Authentication&client_id={id}&client_secret={rotated}&username=jane%40example.com&password={password}&scope=openid"
        )
    };
    let bodies = [
        token_body(&admin, &admin_secret),
        token_body(&admin, SECRET),
        token_body(&id, &rotated),
        password_body(PASSWORD),
        password_body(&format!("{PASSWORD}x")),
        format!("grant_type={SECRET}"),
        format!("{PASSWORD}={SECRET}"),
    ];
    let mut succeeded = 0;
    for body in bodies {
        let answer = server.request("POST", "/oauth/token", &form, Some(body.as_bytes()));
        is_silent(&answer, &marks);
        if answer.status == 200 {
            succeeded += 1;
            let told = answer.json();
            for key in ["access_token", "id_token", "refresh_token"] {
                marks.extend(told[key].as_str().map(str::to_owned));
            }
        }
    }
    assert!(succeeded >= 1, "no token was given, so none could have been told");
    let admin_token = server.admin().trim_start_matches("Bearer ").to_owned();
    for (method, target, body) in [
        ("PATCH", target.as_str(), format!(r#"{{"user_metadata":{{"a.b":"{METADATA}"}}}}"#)),
        ("PATCH", &target, format!(r#"{{"user_metadata":"{METADATA}"}}"#)),
        ("PATCH", &target, format!(r#"{{"password":"{PASSWORD}","email":"no address"}}"#)),
        ("PATCH", &target, format!(r#"{{"user_metadata":{{"m":"{METADATA}"#)),
        ("POST", "/api/v2/users", format!(r#"{{"email":5,"password":"{PASSWORD}"}}"#)),
        ("POST", "/api/v2/clients", format!(r#"{{"client_secret":"{SECRET}"}}"#)),
        ("PATCH", "/api/v2/users/auth0|nobody", format!(r#"{{"password":"{PASSWORD}"}}"#)),
        ("POST", "/dbconnections/signup", format!(r#"{{"password":"{PASSWORD}"}}"#)),
    ] {
        is_silent(&server.json(method, target, &body), &marks);
    }
    for authorization in
        [format!("Bearer {admin_token}x"), format!("Basic {SECRET}"), SECRET.to_owned()]
    {
        let headers = [("Authorization", authorization.as_str())];
        let answer = server.request("GET", &target, &headers, None);
        assert!(answer.status >= 400);
        is_silent(&answer, &[SECRET.to_owned(), admin_token.clone()]);
    }
    let query = format!("/api/users?access_token={admin_token}");
    server.request("GET", &query, &[], None).expect(200);
    marks.push(admin_token);

    let refused = server.json("PATCH", &target, r#"{"nonsense":1}"#);
    assert_eq!(refused.status, 400);
    assert_eq!(server.end_with(Signal::TERM).code(), Some(0));
    let log = server.log();
    assert!(log.contains("/oauth/token"), "the access log is on: {log}");
    for mark in &marks {
        assert!(!log.contains(mark.as_str()), "{mark} is in the log");
    }
}

#[test]
fn what_is_free_in_its_form_is_not_told_either() {
    const OPTION: &str = "option-marker-Qz";
    const KEY: &str = "api-signing-marker-Qz";
    let marks = [OPTION, KEY].map(str::to_owned);
    let mut server = Setup::default().set("log.level=trace").set("log.access=all").start();
    let options = format!(
        r#"{{"client_secret":"{OPTION}","configuration":{{"url":"{OPTION}"}},"customScripts":{{"login":"{OPTION}"}}}}"#
    );
    let connections = "/api/v2/connections";
    let named = format!(r#"{{"name":"corp","strategy":"oidc","options":{options}}}"#);
    let made = server.json("POST", connections, &named).expect(201).json();
    let target = format!("{connections}/{}", made["id"].as_str().unwrap());
    let apis = "/api/v2/resource-servers";
    let signed = format!(r#""signing_alg":"HS256","signing_secret":"{KEY}""#);
    let known = format!(r#"{{"identifier":"urn:x",{signed}}}"#);
    server.json("POST", apis, &known).expect(201);
    for (method, target, body) in [
        ("POST", connections, named),
        ("PATCH", &target, format!(r#"{{"options":"{OPTION}"}}"#)),
        ("PATCH", &target, format!(r#"{{"options":{{"a":"{OPTION}"}},"name":"{OPTION}"}}"#)),
        ("PATCH", &target, format!(r#"{{"options":{{"a":"{OPTION}","a":1}}}}"#)),
        ("PATCH", "/api/v2/connections/con_nobody", format!(r#"{{"options":{options}}}"#)),
        ("POST", apis, known),
        ("POST", apis, format!(r#"{{"identifier":5,{signed}}}"#)),
        ("POST", apis, format!(r#"{{"identifier":"urn:y","unknown":1,{signed}}}"#)),
    ] {
        let answer = server.json(method, target, &body);
        assert!(answer.status >= 400, "{method} {target} {body}: {answer:?}");
        is_silent(&answer, &marks);
    }
    assert_eq!(server.end_with(Signal::TERM).code(), Some(0));
    let log = server.log();
    assert!(log.contains(connections), "the access log is on: {log}");
    for mark in &marks {
        assert!(!log.contains(mark.as_str()), "{mark} is in the log");
    }
}
