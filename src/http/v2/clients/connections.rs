//! `/api/v2/clients/{id}/connections`: the connections that are enabled for a client.

use crate::domain::resource::ResourceKind;
use crate::domain::scope::Scope;
use crate::http::call::Call;
use crate::http::openapi::detail::Detail;
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::http::v2::fields::{self, Fields, selected};
use crate::http::v2::list::{Item, Part};
use crate::http::v2::route;
use actix_web::HttpResponse;

const PATH: &str = "/api/v2/clients/{id}/connections";

/// The route.
pub static ROUTES: &[Route] = &[route(
    "GET",
    PATH,
    &[Scope::READ_CONNECTIONS],
    "List the connections a client is enabled for",
    |call| Box::pin(async move { list(&call) }),
)];

/// What it takes.
pub static DETAILS: &[Detail] =
    &[Detail::of("GET", &[PATH]).query(&[PARAMETERS, fields::PARAMETERS, REPEATABLE])];

const PARAMETERS: &[&str] = &["take", "from"];
const REPEATABLE: &[&str] = &["strategy"];

fn list(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only_repeating(&[PARAMETERS, fields::PARAMETERS].concat(), REPEATABLE)?;
    let part = Part::of(call)?.after();
    let fields = Fields::of(&call.query, None)?;
    let strategies: Vec<&str> = call.query.all("strategy").collect();
    let published = call.tenant.published();
    let client = published.client(call.params.get("id")).ok_or_else(Problem::no_client)?;
    let items: Vec<Item> = published
        .resources(ResourceKind::Connection)
        .iter()
        .filter(|connection| {
            let enabled = connection.body.get_strings("enabled_clients").unwrap_or_default();
            let strategy = connection.body.get_str("strategy").unwrap_or_default();
            enabled.contains(&client.id)
                && (strategies.is_empty() || strategies.contains(&strategy.as_ref()))
        })
        .map(|connection| {
            // Which other clients it is enabled for is not this question.
            let shown = crate::domain::json::Object::trusted(&connection.to_json())
                .filtered(|key| key != "enabled_clients");
            Item {
                id: connection.id.clone(),
                json: selected(fields.as_ref(), shown.as_json(), &[]),
            }
        })
        .collect();
    Ok(part.answer("connections", &items))
}
