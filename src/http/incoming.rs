//! The body of a request as it comes in, and what becomes of it when nobody reads it.
//!
//! An answer can be ready before the body has come: nobody may ask that, the body is too large, it
//! takes too long. What is small is then read and thrown away, so that the connection can carry
//! the next request. What is not ends the connection: actix discards for as long as it lets a
//! client disconnect (2 s), then closes.

use super::budget::{Held, Limits};
use super::outgoing;
use super::problem::Problem;
use super::reading::Door;
use actix_web::http::{ConnectionType, StatusCode, header};
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::{Stream, StreamExt};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What is read of a body nobody wanted, at most, to keep the connection.
const THROWN_AWAY_BYTES: usize = 64 << 10;

/// How many bytes of bodies there may be of requests that are not done with, what is small of each
/// and one of the largest size left out.
pub const UNFINISHED: Limits = Limits { all: 96 << 20, of_tenant: 32 << 20 };

/// Of each body so many bytes are free: whoever writes little is refused for nobody's large bodies.
const UNCOUNTED_BYTES: usize = 16 << 10;

/// How long that may take, before the answer is sent.
const THROWING_AWAY: Duration = Duration::from_secs(1);

/// Whether the request came that is to be the last of its connection: kept with the connection.
///
/// actix would go on and answer what a client sent behind it, but nothing behind it may be done
/// (RFC 9112 §9.6).
#[derive(Debug, Default)]
pub struct LastRequest(Cell<bool>);

impl LastRequest {
    /// Whether this one came after it.
    pub fn was_before(request: &HttpRequest) -> bool {
        let Some(last) = request.conn_data::<Self>() else { return false };
        last.0.replace(request.head().connection_type() == ConnectionType::Close || last.0.get())
    }
}

/// The body of a request; clones share it.
#[derive(Clone)]
pub struct Incoming {
    unread: Rc<RefCell<Option<Body>>>,
    /// What is kept of it, until the request is done with.
    held: Rc<RefCell<Option<Held>>>,
    /// Whether its framing broke, so that nobody knows where it ends.
    is_broken: Rc<Cell<bool>>,
    /// What was read, where somebody wants to look at it afterwards.
    kept: Option<Rc<RefCell<Option<Bytes>>>>,
}

impl fmt::Debug for Incoming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Incoming").finish_non_exhaustive()
    }
}

impl Incoming {
    /// A body of which nothing has been read.
    pub fn new(payload: Payload, door: Option<Rc<Door>>) -> Self {
        let unread = Rc::new(RefCell::new(Some(Body { payload, door })));
        Self { unread, held: Rc::default(), is_broken: Rc::default(), kept: None }
    }

    /// The same, but what is read of it is kept as well.
    #[must_use]
    pub fn keeping(self) -> Self {
        Self { kept: Some(Rc::default()), ..self }
    }

    /// What was read of it, where that is kept.
    pub fn kept(&self) -> Option<Bytes> {
        self.kept.as_ref()?.borrow().clone()
    }

    /// Reads all of it, once; a second reading finds nothing. What is kept counts as held until the
    /// request is done with.
    ///
    /// # Errors
    /// 413 beyond `limit` bytes, 408 after `timeout`, 503 when too much is held already, 400 when the
    /// connection broke.
    pub async fn read(
        &self,
        request: &HttpRequest,
        limit: u64,
        timeout: Duration,
        mut held: Held,
    ) -> Result<Bytes, Problem> {
        let announced = announced(request);
        if announced.is_some_and(|bytes| bytes > limit) {
            return Err(Problem::too_large(limit));
        }
        let Some(mut payload) = self.unread.take() else { return Ok(Bytes::new()) };
        let collected = collect(&mut payload, announced, limit, &mut held);
        let read = match tokio::time::timeout(timeout, collected).await {
            Ok(Err(Unread::Broken)) => {
                self.is_broken.set(true);
                return Err(Problem::body("The request payload could not be read."));
            }
            Ok(Err(Unread::TooLarge)) => Err(Problem::too_large(limit)),
            Ok(Err(Unread::Crowded)) => Err(Problem::crowded()),
            Ok(Ok(read)) => Ok(read),
            Err(_) => Err(Problem::new(408, "", "The request payload did not arrive in time.")),
        };
        if read.is_ok() {
            _ = self.held.replace(Some(held));
        }
        match (&read, &self.kept) {
            (Ok(bytes), Some(kept)) => _ = kept.replace(Some(bytes.clone())),
            (Ok(_), None) => {}
            (Err(_), _) => _ = self.unread.replace(Some(payload)),
        }
        read
    }

    /// Readies an answer for the connection: reads what is left if that is little, and has the
    /// connection closed if it is not.
    ///
    /// Of a broken body nothing is left to wait for: actix gives its connection up in the very turn
    /// in which it hands the fault out, and sends only what is ready by then.
    pub async fn settle(&self, request: &HttpRequest, mut response: HttpResponse) -> HttpResponse {
        if self.is_broken.get() {
            response.head_mut().set_connection_type(ConnectionType::Close);
            return response;
        }
        let Some(mut payload) = self.unread.take() else { return response };
        let announced = announced(request);
        if announced.is_none() && !request.headers().contains_key(header::TRANSFER_ENCODING) {
            return response;
        }
        let had_its_chance = [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT]
            .contains(&response.status());
        let is_small = announced.is_none_or(|bytes| {
            usize::try_from(bytes).is_ok_and(|bytes| bytes <= THROWN_AWAY_BYTES)
        });
        if !had_its_chance && is_small && throw_away(&mut payload).await {
            return response;
        }
        response.head_mut().set_connection_type(ConnectionType::Close);
        // As long as its body is held, and not finished, actix says `Connection: close` and means
        // it; of one that was dropped it would go on to discard whatever comes in chunks, for as
        // long as it comes.
        response.map_body(|_, body| outgoing::keeping(body, payload))
    }
}

/// Whether the head of a request says that a body follows.
pub fn has_body(request: &HttpRequest) -> bool {
    announced(request).is_some_and(|bytes| bytes > 0)
        || request.headers().contains_key(header::TRANSFER_ENCODING)
}

/// How long a body is, if the head says so.
fn announced(request: &HttpRequest) -> Option<u64> {
    let text = request.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?;
    text.parse().ok()
}

/// Why a body was not read to its end.
enum Unread {
    /// Its framing is no HTTP, or it ended too soon.
    Broken,
    /// It goes on beyond the limit.
    TooLarge,
    /// Too much is kept of others.
    Crowded,
}

async fn collect(
    payload: &mut Body,
    announced: Option<u64>,
    limit: u64,
    held: &mut Held,
) -> Result<Bytes, Unread> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let announced = announced.and_then(|bytes| usize::try_from(bytes).ok());
    let mut body = BytesMut::new();
    while let Some(piece) = payload.next().await {
        let piece = piece.map_err(|_| Unread::Broken)?;
        let total = body.len() + piece.len();
        if total > limit {
            return Err(Unread::TooLarge);
        }
        let before = body.capacity();
        if total > before {
            // Twice as much each time, but no more than is to come.
            let twice = (2 * before).max(UNCOUNTED_BYTES).min(announced.unwrap_or(limit));
            let size = total.max(twice);
            let counted = |bytes: usize| bytes.saturating_sub(UNCOUNTED_BYTES);
            if size > UNCOUNTED_BYTES && !held.grow(counted(size) - counted(before), limit) {
                return Err(Unread::Crowded);
            }
            body.reserve(size - body.len());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body.freeze())
}

/// A body that says so when it is waited for: its connection is not read otherwise.
struct Body {
    payload: Payload,
    door: Option<Rc<Door>>,
}

impl Stream for Body {
    type Item = <Payload as Stream>::Item;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let next = Pin::new(&mut this.payload).poll_next(cx);
        if let (Poll::Pending, Some(door)) = (&next, &this.door) {
            door.want_body();
        }
        next
    }
}

/// Whether the end came within the bounds.
async fn throw_away(payload: &mut Body) -> bool {
    let read = async {
        let mut size_bytes = 0;
        while let Some(piece) = payload.next().await {
            let Ok(piece) = piece else { return false };
            size_bytes += piece.len();
            if size_bytes > THROWN_AWAY_BYTES {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(THROWING_AWAY, read).await.unwrap_or(false)
}
