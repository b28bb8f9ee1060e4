//! `private_key_jwt` end to end: tokens for assertions, and none for those that prove nothing.

use crate::harness::{Response, Server};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dossier::app::clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const KEY: &str = include_str!("../fixtures/assertion-key.pem");
const PUBLIC: &str = include_str!("../../src/http/v2/clients/testing/public.pem");
const JSON: &str = "application/json";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Bench {
    server: Server,
    /// What callers call it, whatever its port.
    host: String,
    client: String,
}

impl Bench {
    fn start() -> Self {
        let server = Server::start();
        let host = server.address().to_owned();
        Self::of(server, host)
    }

    fn of(server: Server, host: String) -> Self {
        let mut bench = Self { server, host, client: String::new() };
        bench.client = bench.add_client();
        bench
    }

    /// Makes a client with the key; its id.
    fn add_client(&self) -> String {
        let credential = json!({ "credential_type": "public_key", "pem": PUBLIC });
        let methods = json!({ "private_key_jwt": { "credentials": [credential] } });
        let body = json!({ "name": "keys", "client_authentication_methods": methods });
        let made = self.make("/api/v2/clients", &body);
        let client = made["client_id"].as_str().unwrap().to_owned();
        let audience = format!("http://{}/api/v2/", self.host);
        let grant = json!({ "client_id": client, "audience": audience, "scope": ["read:users"] });
        self.make("/api/v2/client-grants", &grant);
        client
    }

    fn make(&self, target: &str, body: &Value) -> Value {
        let admin = self.server.admin();
        let headers =
            [("Host", self.host.as_str()), ("Authorization", admin), ("Content-Type", JSON)];
        let body = body.to_string();
        self.server.request("POST", target, &headers, Some(body.as_bytes())).expect(201).json()
    }

    fn claims(&self, jti: &str) -> Value {
        json!({
            "iss": self.client, "sub": self.client, "aud": format!("http://{}/", self.host),
            "exp": clock::now().seconds() + 60, "jti": jti,
        })
    }

    fn ask(&self, assertion: &str) -> Response {
        let body = json!({
            "grant_type": "client_credentials", "client_assertion_type": TYPE,
            "client_assertion": assertion, "audience": format!("http://{}/api/v2/", self.host),
        });
        let headers = [("Host", self.host.as_str()), ("Content-Type", JSON)];
        self.server.request("POST", "/oauth/token", &headers, Some(body.to_string().as_bytes()))
    }

    #[track_caller]
    fn refused(&self, what: &str, assertion: &str) {
        let answer = self.ask(assertion);
        let told = answer.json();
        assert_eq!(
            (answer.status, &told["error"]),
            (401, &json!("invalid_client")),
            "{what} {told}"
        );
    }
}

fn signed(algorithm: Algorithm, claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

/// The same with any header, in RS256.
fn signed_with(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap();
    let text = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(text.as_bytes(), &key, Algorithm::RS256).unwrap();
    format!("{text}.{signature}")
}

#[test]
fn an_assertion_gets_a_token_once() {
    let bench = Bench::start();
    let assertion = signed(Algorithm::RS256, &bench.claims("1"));
    let token = bench.ask(&assertion).expect(200).json();
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let headers = [("Authorization", bearer.as_str())];
    bench.server.request("GET", "/api/v2/users", &headers, None).expect(200);
    bench.refused("the same once more", &assertion);
    let mut at_endpoint = bench.claims("2");
    at_endpoint["aud"] = json!([format!("{}/oauth/token", bench.server.url), "other"]);
    bench.ask(&signed(Algorithm::RS256, &at_endpoint)).expect(200);
}

#[test]
fn what_proves_nothing_gets_no_token() {
    let bench = Bench::start();
    let now = clock::now().seconds();
    for (member, value) in [
        ("iss", json!("somebody")),
        ("aud", json!("https://elsewhere.example/")),
        ("exp", json!(now - 3600)),
        ("exp", json!(now + 3600)),
        ("jti", json!("")),
        ("jti", json!(null)),
        ("exp", json!("soon")),
        ("nbf", json!(now + 3600)),
        ("nbf", json!("soon")),
        ("nbf", json!(null)),
    ] {
        let mut claims = bench.claims(&format!("{member} {value}"));
        claims[member] = value.clone();
        bench.refused(&format!("{member} {value}"), &signed(Algorithm::RS256, &claims));
    }
    let good = bench.claims("good");
    bench.refused("another algorithm than the key's", &signed(Algorithm::PS256, &good));
    bench.refused("an algorithm nobody takes", &signed(Algorithm::RS512, &good));
    let assertion = signed(Algorithm::RS256, &good);
    let (unsigned, _) = assertion.rsplit_once('.').unwrap();
    bench.refused("no signature", &format!("{unsigned}."));
    let hmac = EncodingKey::from_secret(PUBLIC.as_bytes());
    let forged = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &good, &hmac).unwrap();
    bench.refused("the public key as a secret", &forged);
    bench.refused("no JWT", "a.b.c");
    for crit in [json!(["exp"]), json!([]), json!(null)] {
        let header = json!({ "alg": "RS256", "crit": crit });
        bench.refused("a header that must be understood", &signed_with(&header, &good));
    }
    let mut begun = bench.claims("begun");
    begun["nbf"] = json!(now - 1);
    bench.ask(&signed(Algorithm::RS256, &begun)).expect(200);
    bench.ask(&assertion).expect(200);
}

#[test]
fn a_client_with_keys_has_no_use_for_its_secret_and_a_key_ends() {
    let bench = Bench::start();
    let path = format!("/api/v2/clients/{}", bench.client);
    let secret = "a-secret-of-forty-letters-for-the-test-0";
    bench.server.json("PATCH", &path, &json!({ "client_secret": secret }).to_string()).expect(200);
    let body = json!({
        "grant_type": "client_credentials", "client_id": bench.client, "client_secret": secret,
        "audience": format!("{}/api/v2/", bench.server.url),
    });
    let headers = [("Content-Type", "application/json")];
    let body = body.to_string();
    bench.server.request("POST", "/oauth/token", &headers, Some(body.as_bytes())).expect(401);

    let all = bench.server.get(&format!("{path}/credentials")).expect(200).json();
    let one = format!("{path}/credentials/{}", all[0]["id"].as_str().unwrap());
    let ended = json!({ "expires_at": "2020-01-01T00:00:00Z" });
    bench.server.json("PATCH", &one, &ended.to_string()).expect(200);
    bench.refused("a key that has ended", &signed(Algorithm::RS256, &bench.claims("1")));
}

/// Claims that say when they were made, as the libraries of all clients do.
fn made_now(bench: &Bench, jti: &str) -> Value {
    let mut claims = bench.claims(jti);
    claims["iat"] = json!(clock::now().seconds());
    claims
}

#[test]
fn an_assertion_used_before_a_restart_is_refused_after_it() {
    for is_killed in [true, false] {
        let mut bench = Bench::of(Server::start(), "dossier.example".to_owned());
        let used = signed(Algorithm::RS256, &made_now(&bench, "used"));
        let silent = signed(Algorithm::RS256, &bench.claims("used, of unknown age"));
        let unused = signed(Algorithm::RS256, &made_now(&bench, "unused"));
        bench.ask(&used).expect(200);
        bench.ask(&silent).expect(200);
        if !is_killed {
            bench.server.end_with(rustix::process::Signal::TERM);
        }
        bench.server.restart();
        let all = [&used, &silent, &unused];
        for assertion in all {
            bench.refused("made before the restart", assertion);
        }
        // A client made since has nothing to be told from.
        let elder = std::mem::take(&mut bench.client);
        bench.client = bench.add_client();
        bench.ask(&signed(Algorithm::RS256, &bench.claims("at once"))).expect(200);
        bench.client = elder;
        // Whoever signs a new one is let in, as soon as clocks that differ leave no doubt.
        let mut number = 0;
        crate::harness::until("a new assertion is taken", || {
            number += 1;
            let fresh = made_now(&bench, &format!("new {number}"));
            (bench.ask(&signed(Algorithm::RS256, &fresh)).status == 200).then_some(())
        });
        for assertion in all {
            bench.refused("made before the restart", assertion);
        }
    }
}
