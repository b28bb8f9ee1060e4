//! The body of an answer as it goes out, and how much of what nobody reads is kept.
//!
//! actix copies each piece a body gives into the buffer of its connection, however large it is, and
//! asks for the next one when little of that is left. So a large body gives small pieces: what a
//! client does not read stays where it is, and of a document, in the document. The bytes of large
//! answers are counted until they are on their way, and beyond a limit of such bytes the next one is
//! refused instead of kept. A document that many read is counted once: the state may let go of it
//! for another version meanwhile, and then these answers are all that keeps it. The connection is
//! not read meanwhile ([`super::reading`]).

use super::budget::{Budget, Held, Limits};
use super::problem::Problem;
use super::reading::Working;
use crate::store::format::TenantUid;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::Method;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a body gives at once; a smaller one is given whole.
const PIECE_BYTES: usize = 32 << 10;

/// How many bytes of answers may wait for their clients to read.
pub const UNSENT: Limits = Limits { all: 128 << 20, of_tenant: 48 << 20 };

/// How much waits for clients to read it.
#[derive(Debug)]
pub struct Unsent {
    budget: Arc<Budget>,
    /// What is being sent, by where it lies in memory: how many send it.
    buffers: DashMap<usize, (usize, Held)>,
}

impl Unsent {
    /// Nothing waits yet.
    pub fn new(limits: Limits) -> Self {
        Self { budget: Arc::new(Budget::new(limits)), buffers: DashMap::new() }
    }

    /// Counts the bytes of an answer until the guard is dropped, unless another answer has them
    /// counted already; none when there is too much.
    fn hold(self: &Arc<Self>, tenant: Option<TenantUid>, bytes: &Bytes) -> Option<Sent> {
        // Nothing else can lie there while this is held.
        let at = bytes.as_ptr().addr();
        match self.buffers.entry(at) {
            Entry::Occupied(mut found) => found.get_mut().0 += 1,
            Entry::Vacant(free) => {
                free.insert((1, self.budget.hold(tenant, bytes.len())?));
            }
        }
        Some(Sent { unsent: self.clone(), at })
    }
}

/// An answer whose bytes are counted.
struct Sent {
    unsent: Arc<Unsent>,
    at: usize,
}

impl Drop for Sent {
    fn drop(&mut self) {
        self.unsent.buffers.remove_if_mut(&self.at, |_, (readers, _)| {
            *readers -= 1;
            *readers == 0
        });
    }
}

/// Readies the body of an answer for a client that may read it slowly, or never.
///
/// # Errors
/// 503 for an answer that only tells, when too much waits to be read already.
pub fn in_pieces(
    unsent: &Arc<Unsent>,
    tenant: Option<TenantUid>,
    request: &HttpRequest,
    response: HttpResponse,
) -> Result<HttpResponse, Problem> {
    if *request.method() == Method::HEAD {
        return Ok(response.map_body(|_, body| BoxBody::new(Unheard(body.size()))));
    }
    let is_large = match response.body().size() {
        BodySize::Sized(bytes) => usize::try_from(bytes).is_ok_and(|bytes| bytes > PIECE_BYTES),
        BodySize::None | BodySize::Stream => false,
    };
    if !is_large {
        return Ok(response);
    }
    let (response, body) = response.into_parts();
    let body = match body.try_into_bytes() {
        Ok(bytes) => bytes,
        Err(body) => return Ok(response.set_body(body)),
    };
    let held = unsent.hold(tenant, &body);
    if held.is_none() && *request.method() == Method::GET {
        return Err(Problem::unread());
    }
    Ok(response.set_body(BoxBody::new(Pieces { left: body, _held: held })))
}

/// Keeps the next request of a connection out until the body of an answer was asked for all it has.
/// One that is given whole is in the buffer of the connection, or waits for it to be empty.
pub fn until_sent(working: Option<Working>, response: HttpResponse) -> HttpResponse {
    let is_small = match response.body().size() {
        BodySize::None => true,
        BodySize::Sized(bytes) => usize::try_from(bytes).is_ok_and(|bytes| bytes <= PIECE_BYTES),
        BodySize::Stream => false,
    };
    match working {
        Some(working) if !is_small => response.map_body(|_, body| keeping(body, working)),
        Some(_) | None => response,
    }
}

/// A body that keeps something until it is dropped.
struct Keeping<T> {
    body: BoxBody,
    _kept: T,
}

/// Has a body keep something until it is dropped.
pub fn keeping<T: Unpin + 'static>(body: BoxBody, kept: T) -> BoxBody {
    BoxBody::new(Keeping { body, _kept: kept })
}

impl<T: Unpin> MessageBody for Keeping<T> {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}

/// The body of an answer to HEAD: actix would take all of it, if only to throw it away.
struct Unheard(BodySize);

impl MessageBody for Unheard {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Poll::Ready(None)
    }
}

/// A body that is given piece by piece.
struct Pieces {
    left: Bytes,
    _held: Option<Sent>,
}

impl MessageBody for Pieces {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(u64::try_from(self.left.len()).unwrap_or(u64::MAX))
    }

    fn poll_next(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let left = &mut self.get_mut().left;
        let piece = left.split_to(left.len().min(PIECE_BYTES));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        Err(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::to_bytes;
    use actix_web::test::TestRequest;
    use futures_util::StreamExt;

    #[actix_rt::test]
    async fn who_asks_for_the_head_alone_has_nothing_read_or_kept_for_them() {
        let unsent = Arc::new(Unsent::new(UNSENT));
        let head = TestRequest::default().method(Method::HEAD).to_http_request();
        let whole = HttpResponse::Ok().body(vec![b'x'; 4 * PIECE_BYTES]);
        let size = whole.body().size();
        let told = in_pieces(&unsent, None, &head, whole).unwrap();
        assert_eq!((told.body().size(), unsent.budget.all()), (size, 0));
        assert!(to_bytes(told.into_body()).await.unwrap().is_empty());
        let endless = futures_util::stream::repeat(()).map(|()| Ok::<_, Infallible>(Bytes::new()));
        let told = in_pieces(&unsent, None, &head, HttpResponse::Ok().streaming(endless)).unwrap();
        assert!(to_bytes(told.into_body()).await.unwrap().is_empty());
    }

    #[actix_rt::test]
    async fn a_document_is_counted_once_whoever_reads_it_and_again_as_another_version() {
        let unsent = Arc::new(Unsent::new(UNSENT));
        let one = Some(TenantUid(1));
        let get = TestRequest::default().to_http_request();
        let read = |document: &Bytes| {
            in_pieces(&unsent, one, &get, HttpResponse::Ok().body(document.clone()))
        };
        let counted = || unsent.budget.all();
        let size = UNSENT.of_tenant / 2 + 1;
        let (old, new) = (Bytes::from(vec![b'o'; size]), Bytes::from(vec![b'n'; size]));
        let readers: Vec<_> = (0..100).map(|_| read(&old).unwrap()).collect();
        assert_eq!(counted(), size);
        assert_eq!(read(&new).unwrap_err().status, 503, "both would be too much for one tenant");
        assert_eq!(counted(), size);
        drop(readers);
        let reader = read(&new).unwrap();
        assert_eq!(counted(), size);
        assert_eq!(to_bytes(reader.into_body()).await.unwrap(), new);
        assert_eq!((counted(), unsent.buffers.len()), (0, 0));
    }
}
