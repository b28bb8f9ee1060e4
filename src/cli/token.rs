//! `dossier token`.

use super::args::{Global, Span, TokenCommand};
use super::{Failure, client};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

pub(super) fn run(global: &Global, command: TokenCommand) -> Result<(), Failure> {
    match command {
        TokenCommand::Create { ttl, scope } => create(global, ttl, scope.as_deref()),
        TokenCommand::Inspect { token } => inspect(&token),
    }
}

fn create(global: &Global, ttl: Option<Span>, scope: Option<&str>) -> Result<(), Failure> {
    let base = client::base(global)?;
    let seconds = ttl.map(|ttl| ttl.0.as_secs().to_string());
    let scope = scope.map(|scope| scope.replace(',', " "));
    let mut more = Vec::new();
    if let Some(seconds) = &seconds {
        more.push(("dossier_ttl", seconds.as_str()));
    }
    if let Some(scope) = &scope {
        more.push(("scope", scope.as_str()));
    }
    println!("{}", client::fetch_token(global, &base, &more)?);
    Ok(())
}

fn inspect(token: &str) -> Result<(), Failure> {
    let part = |at: usize| -> Option<Value> {
        let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(at)?).ok()?;
        serde_json::from_slice(&bytes).ok()
    };
    let (Some(header), Some(claims)) = (part(0), part(1)) else {
        return Err(Failure::new(
            2,
            "that is no token: three base64url parts with dots between them are wanted",
        ));
    };
    println!("{header:#}\n{claims:#}");
    let expires = claims.get("exp").and_then(Value::as_i64);
    let now = crate::app::clock::now().seconds();
    match expires {
        Some(expires) if expires <= now => {
            println!("It expired {} s ago and would be refused.", now - expires);
        }
        Some(expires) => {
            println!("It expires in {} s. The signature was not checked.", expires - now);
        }
        None => println!("It has no expiry and would be refused."),
    }
    Ok(())
}
