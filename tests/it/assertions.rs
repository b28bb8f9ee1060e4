//! `private_key_jwt` end to end: tokens for assertions, and none for those that prove nothing.

use crate::harness::{Response, Server};
use dossier::app::clock;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const KEY: &str = include_str!("../fixtures/assertion-key.pem");
const PUBLIC: &str = include_str!("../../src/http/v2/clients/testing/public.pem");
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Bench {
    server: Server,
    client: String,
}

impl Bench {
    fn start() -> Self {
        let server = Server::start();
        let credential = json!({ "credential_type": "public_key", "pem": PUBLIC });
        let methods = json!({ "private_key_jwt": { "credentials": [credential] } });
        let body = json!({ "name": "keys", "client_authentication_methods": methods });
        let made = server.json("POST", "/api/v2/clients", &body.to_string()).expect(201).json();
        let client = made["client_id"].as_str().unwrap().to_owned();
        let grant = json!({
            "client_id": client, "audience": format!("{}/api/v2/", server.url), "scope": ["read:users"],
        });
        server.json("POST", "/api/v2/client-grants", &grant.to_string()).expect(201);
        Self { server, client }
    }

    fn claims(&self, jti: &str) -> Value {
        json!({
            "iss": self.client, "sub": self.client, "aud": format!("{}/", self.server.url),
            "exp": clock::now().seconds() + 60, "jti": jti,
        })
    }

    fn ask(&self, assertion: &str) -> Response {
        let body = json!({
            "grant_type": "client_credentials", "client_assertion_type": TYPE,
            "client_assertion": assertion, "audience": format!("{}/api/v2/", self.server.url),
        });
        let headers = [("Content-Type", "application/json")];
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
