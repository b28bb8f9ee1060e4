//! Ending a refresh token (RFC 7009). Whether there was one is not said.

use super::fields::Fields;
use super::{clients, refresh, refusal};
use crate::domain::permit::Caller;
use crate::domain::scope::ScopeSet;
use crate::http::PLAIN_JSON;
use crate::http::call::Call;
use crate::http::problem::Problem;
use actix_web::HttpResponse;
use actix_web::http::header;

pub(super) async fn revoke(mut call: Call) -> Result<HttpResponse, Problem> {
    let fields = Fields::of(&mut call).await?;
    let known = clients::authenticate(&call, &fields).map_err(refusal::plain)?;
    let token = fields.need("token")?;
    call.caller = Caller {
        subject: format!("{}@clients", known.client.id),
        client_id: known.client.id.clone(),
        scopes: ScopeSet::EMPTY,
        is_server: false,
    };
    refresh::revoke(&call, &known.client, token).await?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, PLAIN_JSON))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish())
}
