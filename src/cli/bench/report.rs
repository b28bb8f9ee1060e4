//! What a load test tells: a table for people, JSON for programs.

use super::load::{Seen, Tally};
use super::mix::Kind;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;
use std::time::Duration;

/// Everything that was measured.
#[derive(Debug)]
pub(super) struct Report {
    /// The shares asked for.
    pub(super) mix: String,
    /// Connections asking at once.
    pub(super) connections: usize,
    /// Requests a second asked for; none in a closed loop.
    pub(super) rate: Option<u32>,
    /// How many users there are.
    pub(super) users: usize,
    /// The windows of the mix.
    pub(super) loaded: Tally,
    /// Core time of the server in them, where it can be known.
    pub(super) cpu: Option<Duration>,
    /// The windows of the bare route between them.
    pub(super) bare: Tally,
    /// Core time of the server in those.
    pub(super) bare_cpu: Option<Duration>,
    /// Resident memory of the server at the end.
    pub(super) resident_bytes: Option<u64>,
}

/// The quantiles that are told.
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

impl Report {
    /// The slowest of the best 99 % of successful requests of the mix.
    pub(super) fn p99(&self) -> Duration {
        Duration::from_micros(self.loaded.all().took_us.value_at_quantile(0.99))
    }

    /// Requests of the mix that were neither answered well nor refused for too much load.
    pub(super) fn failed(&self) -> u64 {
        self.loaded.all().failed
    }

    fn rows(&self) -> Vec<(&'static str, Seen, Duration)> {
        let kinds = Kind::ALL.into_iter().map(|kind| (kind.name(), self.loaded.of(kind).clone()));
        let mut rows: Vec<_> = kinds
            .filter(|(_, seen)| seen.took_us.len() + seen.refused + seen.failed > 0)
            .map(|(name, seen)| (name, seen, self.loaded.lasted))
            .collect();
        rows.push(("all", self.loaded.all(), self.loaded.lasted));
        rows.push(("livez", self.bare.all(), self.bare.lasted));
        rows
    }

    /// The table.
    pub(super) fn text(&self) -> String {
        let mut out = format!(
            "{} users, {} connections, {}, {}\n\n{:<8}{:>11}{:>10}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>8}\n",
            self.users,
            self.connections,
            self.rate.map_or("closed loop".to_owned(), |rate| format!("{rate} requests/s due")),
            self.mix,
            "",
            "requests",
            "req/s",
            "p50 ms",
            "p90 ms",
            "p99 ms",
            "p99.9 ms",
            "max ms",
            "refused",
            "failed"
        );
        for (name, seen, lasted) in self.rows() {
            let count = seen.took_us.len();
            let rate = per_second(count, lasted);
            write!(out, "{name:<8}{count:>11}{rate:>10.0}").expect("a text grows");
            for (_, quantile) in QUANTILES {
                let millis = millis(seen.took_us.value_at_quantile(quantile));
                write!(out, "{millis:>9.2}").expect("a text grows");
            }
            let (longest, refused, failed) =
                (millis(seen.took_us.max()), seen.refused, seen.failed);
            writeln!(out, "{longest:>9.2}{refused:>9}{failed:>8}").expect("a text grows");
        }
        let (all, bare) = (self.loaded.all().took_us.len(), self.bare.all().took_us.len());
        let ratio =
            per_second(all, self.loaded.lasted) / per_second(bare, self.bare.lasted).max(1.0);
        write!(out, "\nthroughput: {ratio:.2} of the bare route /livez\n").expect("a text grows");
        if let (Some(cpu), Some(bare_cpu)) = (self.cpu, self.bare_cpu) {
            let (own, bare) = (each_us(cpu, all), each_us(bare_cpu, bare));
            let ratio = own / bare.max(0.001);
            writeln!(
                out,
                "server: {own:.1} us of a core for each request, {ratio:.2} of the bare route's {bare:.1}"
            )
            .expect("a text grows");
        }
        if let Some(bytes) = self.resident_bytes {
            writeln!(out, "server: {} MiB resident", bytes / (1024 * 1024)).expect("a text grows");
        }
        out
    }

    /// The same figures as JSON; times are in milliseconds.
    pub(super) fn json(&self) -> Value {
        let rows = self.rows().into_iter().map(|(name, seen, lasted)| {
            let mut row = Map::new();
            row.insert("requests".to_owned(), seen.took_us.len().into());
            row.insert("per_second".to_owned(), per_second(seen.took_us.len(), lasted).into());
            for (name, quantile) in QUANTILES {
                let value = millis(seen.took_us.value_at_quantile(quantile));
                row.insert(format!("{name}_ms"), value.into());
            }
            row.insert("max_ms".to_owned(), millis(seen.took_us.max()).into());
            row.insert("refused".to_owned(), seen.refused.into());
            row.insert("failed".to_owned(), seen.failed.into());
            (name.to_owned(), Value::Object(row))
        });
        let rows: Map<String, Value> = rows.collect();
        json!({
            "users": self.users,
            "connections": self.connections,
            "rate": self.rate,
            "mix": self.mix,
            "results": rows,
            "server_cpu_us_each": self.cpu.map(|cpu| each_us(cpu, self.loaded.all().took_us.len())),
            "bare_cpu_us_each":
                self.bare_cpu.map(|cpu| each_us(cpu, self.bare.all().took_us.len())),
            "server_resident_bytes": self.resident_bytes,
        })
    }
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a figure for people")]
fn per_second(count: u64, lasted: Duration) -> f64 {
    count as f64 / lasted.as_secs_f64().max(0.001)
}

#[expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "a figure for people")]
fn each_us(cpu: Duration, count: u64) -> f64 {
    cpu.as_secs_f64() * 1e6 / (count.max(1) as f64)
}

fn millis(micros: u64) -> f64 {
    Duration::from_micros(micros).as_secs_f64() * 1e3
}
