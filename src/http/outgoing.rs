//! The body of an answer as it goes out, and how much of what nobody reads is kept.
//!
//! actix copies each piece a body gives into the buffer of its connection, however large it is, and
//! asks for the next one when little of that is left. So a large body gives small pieces: what a
//! client does not read stays where it is, and of a document, in the document. Answers that were
//! made for one request alone, lists above all, are counted until they are on their way, and beyond
//! a limit of such bytes the next one is refused instead of kept. The connection is not read
//! meanwhile ([`super::reading`]).

use super::budget::{Budget, Held, Limits};
use super::problem::Problem;
use super::reading::Working;
use crate::store::format::TenantUid;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::Method;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// What a body gives at once; a smaller one is given whole.
const PIECE_BYTES: usize = 32 << 10;

/// How many bytes of answers may wait for their clients to read.
pub const UNSENT: Limits = Limits { all: 128 << 20, of_tenant: 48 << 20 };

/// Readies the body of an answer for a client that may read it slowly, or never.
///
/// # Errors
/// 503 for an answer that only tells, when too much waits to be read already.
pub fn in_pieces(
    unsent: &Arc<Budget>,
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
    // What others hold too, as the state does its documents, is not kept by this answer.
    let held = body.is_unique().then(|| unsent.hold(tenant, body.len()));
    let held = match held {
        Some(None) if *request.method() == Method::GET => {
            return Err(Problem::unread());
        }
        Some(held) => held,
        None => None,
    };
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
        Some(working) if !is_small => {
            response.map_body(|_, body| BoxBody::new(Sending { body, _working: working }))
        }
        Some(_) | None => response,
    }
}

/// A body with the request it answers.
struct Sending {
    body: BoxBody,
    _working: Working,
}

impl MessageBody for Sending {
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
    _held: Option<Held>,
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
        let unsent = Arc::new(Budget::new(UNSENT));
        let head = TestRequest::default().method(Method::HEAD).to_http_request();
        let whole = HttpResponse::Ok().body(vec![b'x'; 4 * PIECE_BYTES]);
        let size = whole.body().size();
        let told = in_pieces(&unsent, None, &head, whole).unwrap();
        assert_eq!((told.body().size(), unsent.all()), (size, 0));
        assert!(to_bytes(told.into_body()).await.unwrap().is_empty());
        let endless = futures_util::stream::repeat(()).map(|()| Ok::<_, Infallible>(Bytes::new()));
        let told = in_pieces(&unsent, None, &head, HttpResponse::Ok().streaming(endless)).unwrap();
        assert!(to_bytes(told.into_body()).await.unwrap().is_empty());
    }
}
