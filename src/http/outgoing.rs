//! The body of an answer as it goes out, and how much of what nobody reads is kept.
//!
//! actix copies each piece a body gives into the buffer of its connection, however large it is, and
//! asks for the next one when little of that is left. So a large body gives small pieces: what a
//! client does not read stays where it is, and of a document, in the document. The bytes of large
//! answers are counted until they are on their way, and beyond a limit of such bytes the next one is
//! refused instead of kept. A document that many read is counted once: the state may let go of it
//! for another version meanwhile, and then these answers are all that keeps it.

use super::problem::Problem;
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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

/// What a body gives at once; a smaller one is given whole.
const PIECE_BYTES: usize = 32 << 10;

/// Bytes of all answers that wait for their clients to read.
const ALL_BYTES: usize = 128 << 20;

/// Of one tenant.
const TENANT_BYTES: usize = 48 << 20;

/// How much waits for clients to read it.
#[derive(Debug, Default)]
pub struct Unsent {
    all: AtomicUsize,
    tenants: DashMap<TenantUid, usize>,
    /// What is being sent, by where it lies in memory: how many send it.
    buffers: DashMap<usize, (usize, Counted)>,
}

impl Unsent {
    /// Counts the bytes of an answer until the guard is dropped, unless another answer has them
    /// counted already; none when there is too much.
    fn hold(self: &Arc<Self>, tenant: Option<TenantUid>, bytes: &Bytes) -> Option<Held> {
        // Nothing else can lie there while this is held.
        let at = bytes.as_ptr().addr();
        match self.buffers.entry(at) {
            Entry::Occupied(mut found) => found.get_mut().0 += 1,
            Entry::Vacant(free) => {
                free.insert((1, self.count(tenant, bytes.len())?));
            }
        }
        Some(Held { unsent: self.clone(), at })
    }

    fn count(&self, tenant: Option<TenantUid>, size_bytes: usize) -> Option<Counted> {
        let all = self.all.fetch_add(size_bytes, Ordering::Relaxed);
        let own = tenant.map_or(0, |uid| {
            let mut own = self.tenants.entry(uid).or_default();
            let before = *own;
            *own += size_bytes;
            before
        });
        let counted = Counted { tenant, size_bytes };
        // One answer passes always, however large: it is bounded by what a list may be.
        let is_too_much = |before: usize, limit| before > 0 && before + size_bytes > limit;
        if is_too_much(all, ALL_BYTES) || is_too_much(own, TENANT_BYTES) {
            self.release(&counted);
            return None;
        }
        Some(counted)
    }

    fn release(&self, counted: &Counted) {
        self.all.fetch_sub(counted.size_bytes, Ordering::Relaxed);
        if let Some(uid) = counted.tenant {
            self.tenants.remove_if_mut(&uid, |_, own| {
                *own = own.saturating_sub(counted.size_bytes);
                *own == 0
            });
        }
    }
}

/// Bytes that are counted.
#[derive(Debug)]
struct Counted {
    tenant: Option<TenantUid>,
    size_bytes: usize,
}

/// An answer whose bytes are counted.
struct Held {
    unsent: Arc<Unsent>,
    at: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        let last = self.unsent.buffers.remove_if_mut(&self.at, |_, (readers, _)| {
            *readers -= 1;
            *readers == 0
        });
        if let Some((_, (_, counted))) = last {
            self.unsent.release(&counted);
        }
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
        let unsent = Arc::new(Unsent::default());
        let head = TestRequest::default().method(Method::HEAD).to_http_request();
        let whole = HttpResponse::Ok().body(vec![b'x'; 4 * PIECE_BYTES]);
        let size = whole.body().size();
        let told = in_pieces(&unsent, None, &head, whole).unwrap();
        assert_eq!((told.body().size(), unsent.all.load(Ordering::Relaxed)), (size, 0));
        assert!(to_bytes(told.into_body()).await.unwrap().is_empty());
        let endless = futures_util::stream::repeat(()).map(|()| Ok::<_, Infallible>(Bytes::new()));
        let told = in_pieces(&unsent, None, &head, HttpResponse::Ok().streaming(endless)).unwrap();
        assert!(to_bytes(told.into_body()).await.unwrap().is_empty());
    }

    #[actix_rt::test]
    async fn a_document_is_counted_once_whoever_reads_it_and_again_as_another_version() {
        let unsent = Arc::new(Unsent::default());
        let one = Some(TenantUid(1));
        let get = TestRequest::default().to_http_request();
        let read = |document: &Bytes| {
            in_pieces(&unsent, one, &get, HttpResponse::Ok().body(document.clone()))
        };
        let counted = || unsent.all.load(Ordering::Relaxed);
        let size = TENANT_BYTES / 2 + 1;
        let (old, new) = (Bytes::from(vec![b'o'; size]), Bytes::from(vec![b'n'; size]));
        let readers: Vec<_> = (0..100).map(|_| read(&old).unwrap()).collect();
        assert_eq!(counted(), size);
        assert_eq!(read(&new).unwrap_err().status, 503, "both would be too much for one tenant");
        assert_eq!(counted(), size);
        drop(readers);
        let reader = read(&new).unwrap();
        assert_eq!(counted(), size);
        assert_eq!(to_bytes(reader.into_body()).await.unwrap(), new);
        assert_eq!((counted(), unsent.buffers.len(), unsent.tenants.len()), (0, 0, 0));
    }

    #[test]
    fn what_is_unsent_is_counted_for_all_and_for_each_tenant() {
        let unsent = Arc::new(Unsent::default());
        let (one, other) = (Some(TenantUid(1)), Some(TenantUid(2)));
        let of = |size_bytes| Bytes::from(vec![0; size_bytes]);
        let (whole, all) = (of(TENANT_BYTES), of(ALL_BYTES));
        let large = of(TENANT_BYTES + 1);
        let large = unsent.hold(one, &large).expect("one answer passes always");
        assert!(unsent.hold(one, &of(1)).is_none());
        let next = unsent.hold(other, &whole).expect("another tenant has its own");
        drop(large);
        assert!(unsent.hold(one, &of(TENANT_BYTES)).is_some());
        assert!(unsent.hold(None, &all).is_none());
        drop(next);
        assert_eq!((unsent.all.load(Ordering::Relaxed), unsent.tenants.len()), (0, 0));
    }
}
