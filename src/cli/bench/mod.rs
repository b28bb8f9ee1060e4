//! `dossier bench`: a load test over loopback, with the ratio to a bare route of the same server.

mod connection;
mod load;
mod mix;
mod report;
mod server;

use super::args::{Bench, Global};
use super::client::{self, Client};
use super::{Failure, Output, settings};
use connection::Connection;
use load::{Tally, Target, Window, email};
use mix::{Kind, Mix};
use report::Report;
use serde_json::Value;
use server::{Server, Usage};
use std::cell::Cell;
use std::net::{SocketAddr, ToSocketAddrs};
use std::rc::Rc;
use std::time::Duration;
use tokio::task::LocalSet;

/// How long each window of the bare route lasts, as a part of a window of the mix.
const BARE_PART: u32 = 3;

/// Runs the test and prints what it showed.
pub(super) fn run(global: &Global, args: &Bench) -> Result<(), Failure> {
    let mix: Mix =
        args.mix.parse().map_err(|error: mix::NoMix| Failure::new(2, error.to_string()))?;
    let (server, own) = if global.url.is_some() {
        (None, global.clone())
    } else {
        let data_dir = settings(global)?.settings.storage.data_dir.clone();
        let server = Server::start(global, &data_dir)?;
        let own = Global {
            url: Some(server.url.clone()),
            data_dir: Some(server.folder().to_owned()),
            token: None,
            ..global.clone()
        };
        (Some(server), own)
    };
    let base = client::base(&own)?;
    let token = match &own.token {
        Some(token) => token.clone(),
        None => client::fetch_token(&own, &base, &[])?,
    };
    let (host, address) = address_of(&base)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(1, error.to_string()))?;
    let mut target = Target { address, host, token, users: Vec::new() };
    target.users = runtime.block_on(create_users(
        &target,
        count(args.users),
        usize::from(args.connections),
    ))?;
    let target = Rc::new(target);
    let report = runtime.block_on(measure(&target, args, &mix, server.as_ref()));
    if server.is_none() {
        // Who lends a server gets it back as it was.
        remove_users(&own, &target.users)?;
    }
    drop(server);
    match global.output {
        Output::Text => print!("{}", report.text()),
        Output::Json => println!("{:#}", report.json()),
    }
    if let Some(path) = &args.out {
        std::fs::write(path, format!("{:#}\n", report.json()))
            .map_err(|error| Failure::new(1, format!("{}: {error}", path.display())))?;
    }
    judge(args, &report)
}

/// Exit code 7 when requests failed or the target was missed.
fn judge(args: &Bench, report: &Report) -> Result<(), Failure> {
    if report.failed() > 0 {
        return Err(Failure::new(7, format!("{} requests failed", report.failed())));
    }
    let Some(allowed) = args.max_p99 else { return Ok(()) };
    if report.p99() > allowed.0 {
        return Err(Failure::new(
            7,
            format!("the p99 is {:?}, at most {:?} was wanted", report.p99(), allowed.0),
        ));
    }
    Ok(())
}

/// Windows of the bare route and of the mix, one after the other, after a warm-up that counts for
/// nothing.
async fn measure(target: &Rc<Target>, args: &Bench, mix: &Mix, server: Option<&Server>) -> Report {
    let rounds = args.rounds.max(1);
    let window = |lasts: Duration, rate: Option<u32>, mix: &Mix, seed: u64| Window {
        lasts,
        connections: usize::from(args.connections),
        rate,
        mix: mix.clone(),
        seed,
    };
    load::run(target.clone(), window(args.warmup.0, args.rate, mix, 0)).await;
    let each = args.duration.0 / rounds;
    let usage = || server.map(Server::usage).unwrap_or_default();
    let spent = |before: Usage, after: Usage| after.cpu.saturating_sub(before.cpu);
    let (mut bare, mut loaded) = (Tally::nothing(), Tally::nothing());
    let (mut bare_cpu, mut cpu) = (Duration::ZERO, Duration::ZERO);
    for round in 1..=rounds {
        let seed = u64::from(round) << 40;
        let before = usage();
        bare.add(
            &load::run(
                target.clone(),
                window(each / BARE_PART, None, &Mix::only(Kind::Bare), seed),
            )
            .await,
        );
        let between = usage();
        loaded.add(&load::run(target.clone(), window(each, args.rate, mix, seed)).await);
        bare_cpu += spent(before, between);
        cpu += spent(between, usage());
    }
    Report {
        mix: mix.to_string(),
        connections: usize::from(args.connections),
        rate: args.rate,
        users: target.users.len(),
        loaded,
        cpu: server.map(|_| cpu),
        bare,
        bare_cpu: server.map(|_| bare_cpu),
        resident_bytes: server.map(|server| server.usage().resident_bytes),
    }
}

fn count(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Where the server listens: the `Host` to send, and the address.
fn address_of(base: &str) -> Result<(String, SocketAddr), Failure> {
    let host = base.strip_prefix("http://").filter(|host| !host.contains('/'));
    let host = host.ok_or_else(|| {
        Failure::new(
            2,
            format!(
                "\"{base}\" cannot be tested; give a plain address such as http://127.0.0.1:7800"
            ),
        )
    })?;
    let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let address = with_port.to_socket_addrs().ok().and_then(|mut found| found.next());
    let address = address.ok_or_else(|| Failure::new(1, format!("{host} has no address")))?;
    Ok((host.to_owned(), address))
}

/// Makes the users of the test; gives back their ids as they stand in a path.
async fn create_users(
    target: &Target,
    count: usize,
    connections: usize,
) -> Result<Vec<String>, Failure> {
    let next = Rc::new(Cell::new(0));
    let tasks = LocalSet::new();
    let workers: Vec<_> = (0..connections.min(count.max(1)))
        .map(|_| {
            let (next, mut connection) = (next.clone(), Connection::to(target.address));
            let (host, token) = (target.host.clone(), target.token.clone());
            tasks.spawn_local(async move {
                let mut ids = Vec::new();
                while next.get() < count {
                    let number = next.replace(next.get() + 1);
                    let body = new_user(number);
                    let request = format!(
                        "POST /api/v2/users HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    let status = connection.send(request.as_bytes()).await;
                    let answer: Value =
                        serde_json::from_slice(connection.body()).unwrap_or(Value::Null);
                    let id = answer.get("user_id").and_then(Value::as_str);
                    match (status, id) {
                        (Ok(201), Some(id)) => ids.push((number, id.replace('|', "%7C"))),
                        (status, _) => return Err(format!("a user of the test could not be made ({status:?}): {answer}")),
                    }
                }
                Ok(ids)
            })
        })
        .collect();
    tasks.await;
    let mut ids = Vec::with_capacity(count);
    for worker in workers {
        let made = worker.await.map_err(|error| Failure::new(1, error.to_string()))?;
        ids.extend(made.map_err(|message| Failure::new(1, message))?);
    }
    ids.sort_unstable();
    Ok(ids.into_iter().map(|(_, id)| id).collect())
}

/// A user of about 700 bytes, as PERFORMANCE.md §3 wants them.
fn new_user(number: usize) -> String {
    let tags: Vec<String> = (0..8).map(|tag| format!("\"tag-{}\"", (number + tag) % 97)).collect();
    format!(
        r#"{{"connection":"Username-Password-Authentication","email":"{}","email_verified":true,"name":"Bench {number}","given_name":"Bench","family_name":"Number {number}","user_metadata":{{"hobby":"surfing","theme":"dark","locale":"en-GB","address":{{"city":"Lisbon","street":"Rua do Ouro {number}","zip":"1100-061"}}}},"app_metadata":{{"plan":"full","level":{},"roles":["reader","writer"],"tags":[{}]}}}}"#,
        email(number),
        number % 10,
        tags.join(",")
    )
}

fn remove_users(global: &Global, users: &[String]) -> Result<(), Failure> {
    let client = Client::connect(global)?;
    for id in users {
        client.call("DELETE", &format!("/api/v2/users/{id}"), None)?;
    }
    Ok(())
}
