//! The description of everything that is served: `/openapi.json`, and `/openapi`, a
//! page to look through it and try it.
//!
//! It is made from the table of routes, the scopes in it and the schemas handlers
//! check bodies with, so it cannot tell of what is not there.

mod answers;
pub mod detail;
mod document;
mod shapes;

use super::call::Call;
use super::dispatch::TABLES;
use super::route::{Access, Answering, Dialect, Route};
use super::{JSON, kv, oauth, own, v1, v2};
use actix_web::HttpResponse;
use actix_web::http::header;
use detail::Detail;

/// Every detail there is, in the order of the tables.
static DETAILS: &[&[Detail]] = &[
    v2::DETAILS,
    v2::ticket_pages::DETAILS,
    v2::clients::connections::DETAILS,
    v2::clients::credentials::DETAILS,
    v2::connections::DETAILS,
    v2::events::DETAILS,
    v2::grants::DETAILS,
    v2::identities::DETAILS,
    v2::resource_servers::DETAILS,
    v2::settings::DETAILS,
    v2::assignments::DETAILS,
    v2::subresources::DETAILS,
    oauth::DETAILS,
    kv::DETAILS,
    v1::DETAILS,
    v1::clients::DETAILS,
    own::DETAILS,
    own::bags::DETAILS,
    own::history::DETAILS,
    own::history::revert::DETAILS,
    own::history::tenant::DETAILS,
    own::keys::DETAILS,
    own::tenants::DETAILS,
    own::snapshots::DETAILS,
    own::fork::DETAILS,
    own::person::DETAILS,
    own::suggest::DETAILS,
    own::requests::DETAILS,
    own::tokens::DETAILS,
    super::dashboard::DETAILS,
    super::operate::DETAILS,
];

const fn route(path: &'static str, summary: &'static str, handler: fn(Call) -> Answering) -> Route {
    Route { method: "GET", path, dialect: Dialect::Dossier, access: Access::Open, summary, handler }
}

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    route("/openapi.json", "This description", |call| {
        Box::pin(async move { Ok(description(&call)) })
    }),
    route("/openapi", "A page to look through this description", |_| {
        Box::pin(async { Ok(asset("text/html; charset=utf-8", include_str!("web/explorer.html"))) })
    }),
    route("/openapi/explorer.js", "The script of that page", |_| {
        Box::pin(async {
            Ok(asset("text/javascript; charset=utf-8", include_str!("web/explorer.js")))
        })
    }),
    route("/openapi/explorer.css", "The style of that page", |_| {
        Box::pin(async { Ok(asset("text/css; charset=utf-8", include_str!("web/explorer.css"))) })
    }),
];

fn description(call: &Call) -> HttpResponse {
    let document = document::document(&call.origin(), TABLES, DETAILS);
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, JSON))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(document.to_string())
}

/// The page runs its own script and talks to this server, nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn asset(content_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, content_type))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header(("referrer-policy", "no-referrer"))
        .body(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::collections::BTreeSet;

    fn rows() -> impl Iterator<Item = &'static Route> {
        TABLES.iter().flat_map(|table| table.iter())
    }

    fn described() -> Value {
        document::document("https://localhost", TABLES, DETAILS)
    }

    #[test]
    fn every_route_is_described_and_nothing_else() {
        let document = described();
        let found: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                let methods = item.as_object().unwrap().keys();
                methods.map(|method| (method.to_ascii_uppercase(), path.clone()))
            })
            .collect();
        let wanted: BTreeSet<(String, String)> =
            rows().map(|route| (route.method.to_owned(), document::path_of(route))).collect();
        assert_eq!(found, wanted);
        assert_eq!(wanted.len(), rows().count(), "two rows with one method and path");
    }

    #[test]
    fn every_detail_belongs_to_one_route() {
        for detail in DETAILS.iter().flat_map(|list| list.iter()) {
            for path in detail.paths {
                let is_it = |route: &&Route| route.method == detail.method && route.path == *path;
                assert!(rows().any(|route| is_it(&route)), "{} {path}", detail.method);
            }
            if let Some(name) = detail.required {
                assert!(detail.query.concat().contains(&name), "{name}");
            }
        }
    }

    #[test]
    fn what_changes_something_says_what_it_takes() {
        for route in rows().filter(|route| ["PUT", "PATCH"].contains(&route.method)) {
            let detail = document::detail_of(route, DETAILS);
            let says = detail.is_some_and(|d| !matches!(d.takes, detail::Takes::Nothing));
            assert!(says, "{} {} has no body", route.method, route.path);
        }
    }

    #[test]
    fn a_route_names_its_scopes_and_parameters() {
        let document = described();
        let get = &document["paths"]["/api/v2/users/{id}"]["get"];
        assert_eq!(get["security"][0]["bearer"][0], "read:users");
        assert_eq!(get["parameters"][0]["name"], "id");
        assert_eq!(get["parameters"][1]["name"], "fields");
        let headers = |operation: &Value| {
            let all = operation["parameters"].as_array().unwrap().iter();
            all.filter(|one| one["in"] == "header")
                .map(|one| one["name"].clone())
                .collect::<Vec<_>>()
        };
        assert_eq!(headers(get), Vec::<Value>::new());
        assert_eq!(headers(&document["paths"]["/api/v2/users/{id}"]["patch"]), ["Dossier-Reason"]);
        let any = &document["components"]["parameters"]["Dossier-Min-Version"];
        assert_eq!(any["in"], "header");
        let patch = &document["paths"]["/api/v2/users/{id}"]["patch"];
        let schema = &patch["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(schema["properties"]["user_metadata"]["type"], "object");
        let content = patch["requestBody"]["content"].as_object().unwrap();
        assert_eq!(content.len(), 4, "the merge dialects stand beside plain JSON");
        assert_eq!(content["application/json-patch+json"]["schema"]["type"], "array");
        assert_eq!(patch["responses"]["404"]["$ref"], "#/components/responses/Error-404");
    }
}
