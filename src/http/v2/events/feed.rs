//! One reader of events, and the bytes that are sent to them.

use super::position::Position;
use super::told::{Event, Seen, seen};
use crate::domain::client::sha256_hex;
use crate::domain::json::Builder;
use crate::http::services::Services;
use crate::journal::Lsn;
use crate::tenant::history::{History, StreamSlot};
use actix_web::web;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long nothing may be said, and how often it is looked whether the server ends.
const HEARTBEAT: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_millis(500);

/// How long one answer goes on; its reader comes back with the position it has.
pub(super) const LIFE: Duration = Duration::from_mins(5);

/// One reader of events.
pub(super) struct Feed {
    pub(super) services: web::Data<Services>,
    pub(super) history: Arc<History>,
    pub(super) place: watch::Receiver<Lsn>,
    pub(super) _slot: StreamSlot,
    pub(super) tenant: crate::tenant::TenantHandle,
    pub(super) source: String,
    pub(super) types: Vec<String>,
    pub(super) position: Position,
    pub(super) told: Instant,
    pub(super) ends: Instant,
    pub(super) ready: VecDeque<Bytes>,
    pub(super) is_over: bool,
}

impl Feed {
    /// The next bytes; none at the end.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.told = Instant::now();
                return Some(bytes);
            }
            if self.is_over {
                return None;
            }
            if Instant::now() >= self.ends || !self.services.is_ready.load(Ordering::Acquire) {
                self.end(
                    "connection_timeout",
                    "The stream ends here; come back with its position.",
                );
                continue;
            }
            // In this order: what comes after the look wakes the wait.
            self.place.mark_unchanged();
            match self.look().await {
                Err(()) => self.end("processing_error", "The history is not available."),
                Ok(Seen::Expired) => {
                    self.end(
                        "cursor_expired",
                        "The events behind this position are not kept any more.",
                    );
                }
                Ok(Seen::Events(events, behind)) => {
                    for event in events {
                        if self.types.is_empty() || self.types.iter().any(|own| own == event.kind) {
                            self.ready.push_back(self.bytes(&event));
                        }
                    }
                    self.position = behind;
                    if self.ready.is_empty() && self.told.elapsed() >= TICK {
                        self.tell_position();
                    }
                }
                Ok(Seen::Nothing) => {
                    if self.told.elapsed() >= HEARTBEAT {
                        self.tell_position();
                    } else {
                        // The follower may have stopped; the next look tells.
                        let _woken = tokio::time::timeout(TICK, self.place.changed()).await;
                    }
                }
            }
        }
    }

    async fn look(&self) -> Result<Seen, ()> {
        let look = self.history.glance(self.tenant.uid()).map_err(drop)?;
        let position = self.position;
        let seen = web::block(move || seen(&look, position)).await.map_err(drop)?;
        seen.map_err(|error| self.history.report(&error))
    }

    fn bytes(&self, event: &Event) -> Bytes {
        let tenant = self.tenant.id();
        let hash = sha256_hex(&format!("{} {}", self.tenant.uid(), event.position));
        let stream = sha256_hex(&format!("{} stream", self.tenant.uid()));
        let mut cloud = Builder::new();
        cloud
            .string("specversion", "1.0")
            .string("type", event.kind)
            .string("source", &self.source)
            .string("id", &format!("evt_{}", hash.get(..16).unwrap_or_default()))
            .string("time", &event.at.to_string())
            .raw("data", &event.data)
            .string("a0tenant", tenant)
            .string("a0stream", &format!("est_{}", stream.get(..16).unwrap_or_default()));
        let mut data = Builder::new();
        data.string("offset", &event.position.to_string()).raw("event", &cloud.finish());
        message(&event.position, event.kind, &data.finish())
    }

    fn tell_position(&mut self) {
        let mut data = Builder::new();
        data.string("offset", &self.position.to_string());
        self.ready.push_back(message(&self.position, "offset-only", &data.finish()));
    }

    fn end(&mut self, code: &str, text: &str) {
        let (mut detail, mut data) = (Builder::new(), Builder::new());
        detail.string("code", code).string("message", text);
        detail.string("offset", &self.position.to_string());
        data.raw("error", &detail.finish());
        self.ready.push_back(message(&self.position, "error", &data.finish()));
        self.is_over = true;
    }
}

fn message(position: &Position, event: &str, data: &str) -> Bytes {
    Bytes::from(format!("id: {position}\nevent: {event}\ndata: {data}\n\n"))
}
