//! How much is read of a connection, and when.
//!
//! actix reads whatever a client sends ahead, up to 128 KiB, and makes a request of every head in it
//! at once, however many answers wait to be read. A head of 500 bytes can become a request of
//! 30 KiB, and an answer without a body goes into a buffer that has no bound. So it is given no more
//! than it can do: up to the end of one head, then nothing until the answer to that is on its way
//! and the client takes what it is sent; of a body, a part whenever somebody waits for it. What was
//! read beyond that waits as bytes, and the rest with whoever sent it.
//!
//! It is also what makes requests that are sent ahead safe: actix writes an answer by the method, the
//! version and the body of the head it read last, so it must not read the next one before.
//!
//! Where heads end is only guessed, from empty lines: a wrong guess costs a turn of the connection's
//! task and changes nothing about what is a request.

use actix_web::HttpRequest;
use actix_web::web::BytesMut;
use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

/// What is given at a time of what has no end of a head in it. With more, the buffer actix reads into
/// doubles at each turn.
const TURN_BYTES: usize = 8 << 10;

/// What a connection's reader and whoever answers its requests tell each other.
pub struct Door {
    is_secure: bool,
    /// How many requests are being answered; one, or none.
    working: Cell<usize>,
    /// Whether somebody waits for more of a body.
    wants_body: Cell<bool>,
    /// When the last request was done with.
    rested: Cell<Instant>,
    /// Who is to be told when more may be read.
    waiting: Cell<Option<Waker>>,
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("working", &self.working).finish_non_exhaustive()
    }
}

impl Door {
    fn new(is_secure: bool) -> Rc<Self> {
        Rc::new(Self {
            is_secure,
            working: Cell::new(0),
            wants_body: Cell::new(false),
            rested: Cell::new(Instant::now()),
            waiting: Cell::new(None),
        })
    }

    /// The door of the connection a request came by; none where there is no connection.
    pub fn of(request: &HttpRequest) -> Option<&Rc<Self>> {
        request.conn_data::<Rc<Self>>()
    }

    /// Whether the connection is one over TLS.
    pub const fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// Keeps the next request out until what is returned is dropped.
    #[must_use]
    pub fn work(self: &Rc<Self>) -> Working {
        self.working.set(self.working.get() + 1);
        Working(self.clone())
    }

    /// Asks for more of the body of the request that is being answered.
    pub fn want_body(&self) {
        self.wants_body.set(true);
        self.open();
    }

    fn open(&self) {
        if let Some(waiting) = self.waiting.take() {
            waiting.wake();
        }
    }
}

/// A request that is being answered, until dropped.
#[derive(Debug)]
pub struct Working(Rc<Door>);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.working.set(self.0.working.get().saturating_sub(1));
        self.0.wants_body.set(false);
        self.0.rested.set(Instant::now());
        self.0.open();
    }
}

/// A connection of which no more is read than can be worked on.
pub struct Reader<T> {
    io: T,
    door: Rc<Door>,
    /// What was read and not given yet.
    ahead: BytesMut,
    /// How what was given last ends.
    tail: Tail,
    /// How much of this turn is left; nothing once the end of a head was given.
    left: usize,
    turn: Turn,
    /// Whether what was given last was looked at.
    is_settled: bool,
    /// Whether the last reading found more than was asked for, perhaps.
    is_more: bool,
    /// Whether the client takes nothing of what it is sent.
    is_blocked: bool,
    /// How long there may be no request.
    patience: Duration,
    idle: Option<Pin<Box<Sleep>>>,
}

impl<T> fmt::Debug for Reader<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("ahead", &self.ahead.len()).finish_non_exhaustive()
    }
}

/// What bytes are given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// The next request.
    Request,
    /// The body of the one that is being answered, for which somebody waits.
    Body,
}

/// What bytes end with that may be the beginning of an empty line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    Other,
    Newline,
    NewlineReturn,
}

impl<T> Reader<T> {
    /// A connection that is closed when there is no request for `patience`: actix looks at the time
    /// of the first head only, and at none where the next one was begun.
    pub fn new(io: T, is_secure: bool, patience: Duration) -> Self {
        Self {
            io,
            door: Door::new(is_secure),
            ahead: BytesMut::new(),
            tail: Tail::Other,
            left: TURN_BYTES,
            turn: Turn::Request,
            is_settled: false,
            is_more: false,
            is_blocked: false,
            patience,
            idle: None,
        }
    }

    /// The door of this connection.
    pub const fn door(&self) -> &Rc<Door> {
        &self.door
    }

    /// Whether more may be given now; if not, the task is woken when that has changed.
    fn may_give(&mut self, cx: &mut Context<'_>) -> bool {
        let is_busy = self.door.working.get() > 0;
        if self.left > 0 && (is_busy || self.turn == Turn::Request) {
            return true;
        }
        if self.left == 0 && !self.is_settled {
            // What was given becomes a request as soon as we say that there is no more.
            self.is_settled = true;
            cx.waker().wake_by_ref();
            return false;
        }
        if self.is_blocked || (is_busy && !self.door.wants_body.get()) {
            self.door.waiting.set(Some(cx.waker().clone()));
            return false;
        }
        self.door.wants_body.set(false);
        self.left = TURN_BYTES;
        self.turn = if is_busy { Turn::Body } else { Turn::Request };
        true
    }

    /// How many of these bytes are given in this turn: no further than the end of one head. Of a
    /// body somebody waits for, that would be the head of the next request: its last byte is kept.
    /// If it is the body's it is waited for again. A head that is known before its turn has actix
    /// take the body it announces for one that was left unread, and close.
    fn give(&mut self, bytes: &[u8]) -> usize {
        self.is_settled = false;
        let bytes = bytes.get(..self.left).unwrap_or(bytes);
        let first = usize::from(self.turn == Turn::Body && self.tail.ends_with(bytes));
        if first > 0 {
            self.tail = Tail::Newline;
        }
        let bytes_left = bytes.get(first..).unwrap_or_default();
        let Some(end) = self.tail.empty_line(bytes_left) else {
            self.left -= bytes.len();
            return bytes.len();
        };
        self.left = 0;
        if self.turn == Turn::Body {
            let kept = bytes_left.get(..end - 1).unwrap_or_default();
            self.tail.empty_line(kept);
            return first + kept.len();
        }
        // What follows is mostly a body; what has no end of a head in it makes no request.
        self.tail = Tail::Other;
        let rest = bytes.get(end..).unwrap_or_default();
        if self.tail.empty_line(rest).is_some() { end } else { bytes.len() }
    }

    /// Whether there was no request for too long.
    fn is_forgotten(&mut self, cx: &mut Context<'_>) -> bool {
        if self.door.working.get() > 0 {
            return false;
        }
        let due = self.door.rested.get() + self.patience;
        let idle = self.idle.get_or_insert_with(|| Box::pin(sleep_until(due)));
        while idle.as_mut().poll(cx).is_ready() {
            if Instant::now() >= due {
                return true;
            }
            idle.as_mut().reset(due);
        }
        false
    }

    fn note_writing(&mut self, is_blocked: bool) {
        if self.is_blocked && !is_blocked {
            self.door.open();
        }
        self.is_blocked = is_blocked;
    }
}

impl Tail {
    /// Whether the first of these bytes ends an empty line.
    fn ends_with(self, bytes: &[u8]) -> bool {
        self != Self::Other && bytes.first() == Some(&b'\n')
    }

    /// Where the first empty line ends; of bytes without one, the end is remembered.
    fn empty_line(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut tail = *self;
        let mut from = 0;
        for at in memchr::memchr_iter(b'\n', bytes) {
            match (tail, bytes.get(from..at).unwrap_or_default()) {
                (Tail::Newline, b"" | b"\r") | (Tail::NewlineReturn, b"") => return Some(at + 1),
                _ => (tail, from) = (Tail::Newline, at + 1),
            }
        }
        *self = match (tail, bytes.get(from..).unwrap_or_default()) {
            (_, b"") => tail,
            (Tail::Newline, b"\r") => Tail::NewlineReturn,
            _ => Tail::Other,
        };
        None
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Reader<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            if !this.may_give(cx) {
                return Poll::Pending;
            }
            let mut ahead = std::mem::take(&mut this.ahead);
            let fits = ahead.get(..buf.remaining()).unwrap_or(&ahead);
            buf.put_slice(&ahead.split_to(this.give(fits)));
            if !ahead.is_empty() {
                this.ahead = ahead;
            }
            return Poll::Ready(Ok(()));
        }
        if (this.is_blocked || this.is_more) && !this.may_give(cx) {
            return Poll::Pending;
        }
        let before = buf.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Pending if this.is_forgotten(cx) => return Poll::Ready(Ok(())),
            Poll::Pending => {
                this.is_settled = true;
                return Poll::Pending;
            }
            Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {}
        }
        this.is_more = buf.remaining() == 0;
        let came = buf.filled().get(before..).unwrap_or_default();
        if came.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let is_given = this.may_give(cx);
        let given = if is_given { this.give(came) } else { 0 };
        if given < came.len() {
            this.ahead.extend_from_slice(came.get(given..).unwrap_or_default());
            buf.set_filled(before + given);
        }
        if is_given { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Reader<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        this.note_writing(written.is_pending());
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, parts);
        this.note_writing(written.is_pending());
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}
