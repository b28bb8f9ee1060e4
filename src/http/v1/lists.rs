//! Lists of users in v1: a search by beginnings or by `field:value`, paged by `Link`.

use super::wire;
use crate::domain::document::Document;
use crate::domain::json::{self, Elements, Kind, Object};
use crate::domain::resource::{Connection, Family, ResourceKind};
use crate::http::answer::json as json_answer;
use crate::http::call::Call;
use crate::http::problem::{Problem, no_resource};
use crate::http::v2::Page;
use crate::tenant::StateView;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, LINK};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::{Duration, Instant};

pub(super) const PARAMETERS: &[&str] =
    &["search", "page", "per_page", "access_token", "include_totals", "only_socials"];

/// What a user must be for a list.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// Anybody.
    Anybody,
    /// Someone with an identity at one of these connections.
    At(Vec<String>),
}

/// What is searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Search {
    /// Name or e-mail address begins with this, in lower case.
    Beginning(String),
    /// Each of these paths has this value, in lower case.
    Values(Vec<(String, String)>),
}

pub(super) async fn all(call: Call) -> Result<HttpResponse, Problem> {
    answer(&call, Wanted::Anybody).await
}

pub(super) async fn of_connection(call: Call) -> Result<HttpResponse, Problem> {
    let name = call.params.get("name");
    if call.tenant.published().connection(name).is_none() {
        return Err(no_resource(ResourceKind::Connection));
    }
    answer(&call, Wanted::At(vec![name.to_owned()])).await
}

pub(super) async fn social(call: Call) -> Result<HttpResponse, Problem> {
    answer(&call, of_family(&call, Family::Social)).await
}

pub(super) async fn enterprise(call: Call) -> Result<HttpResponse, Problem> {
    answer(&call, of_family(&call, Family::Enterprise)).await
}

pub(super) async fn of_client(call: Call) -> Result<HttpResponse, Problem> {
    let id = call.params.get("id");
    let published = call.tenant.published();
    published.client(id).ok_or_else(Problem::no_client)?;
    let names = published
        .resources(ResourceKind::Connection)
        .iter()
        .filter(|resource| {
            let clients = resource.body.get_strings("enabled_clients").unwrap_or_default();
            clients.iter().any(|client| client == id)
        })
        .map(|resource| Connection::of(resource).name)
        .collect();
    answer(&call, Wanted::At(names)).await
}

fn of_family(call: &Call, family: Family) -> Wanted {
    let all = call.tenant.published().resources(ResourceKind::Connection);
    let of = |resource| Some(Connection::of(resource)).filter(|own| own.family() == family);
    Wanted::At(all.iter().filter_map(|resource| of(resource)).map(|own| own.name).collect())
}

/// Above so many users a search leaves the worker.
const INLINE_USERS: usize = 2_000;

async fn answer(call: &Call, wanted: Wanted) -> Result<HttpResponse, Problem> {
    call.query.only(PARAMETERS)?;
    let page = Page::of(call, "Number of results per page")?;
    let search = call.query.get("search").and_then(Search::parse);
    let view = call.tenant.view().await?;
    let timeout = call.services.settings_of(&call.tenant).search.timeout;
    let found = if view.user_count <= INLINE_USERS {
        find(&view, &wanted, search.as_ref(), page, None)
    } else {
        let deadline = Some(Instant::now() + timeout.max(Duration::from_millis(1)));
        let work = move || find(&view, &wanted, search.as_ref(), page, deadline);
        actix_web::web::block(work).await.map_err(|_| Problem::internal())?
    };
    let (users, has_more) = found.ok_or_else(|| {
        Problem::new(503, "query_timeout", "The query exceeded the timeout. Search for less.")
    })?;
    let mut response = json_answer(StatusCode::OK, format!("[{}]", users.join(",")));
    if has_more && let Some(link) = next_link(call, page) {
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// The users of a page as texts, and whether there are more; `None` when the deadline passes first.
fn find(
    view: &StateView,
    wanted: &Wanted,
    search: Option<&Search>,
    page: Page,
    deadline: Option<Instant>,
) -> Option<(Vec<String>, bool)> {
    let mut skipped = 0;
    let mut users = Vec::new();
    for (at, document) in view.users().enumerate() {
        if at % 1024 == 0 && deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return None;
        }
        if !wanted.takes(document) || !search.is_none_or(|search| search.takes(document)) {
            continue;
        }
        if skipped < page.start {
            skipped += 1;
        } else if users.len() < page.limit {
            users.push(wire::merged(document).as_json().to_owned());
        } else {
            return Some((users, page.limit > 0));
        }
    }
    Some((users, false))
}

impl Wanted {
    fn takes(&self, document: &Document) -> bool {
        match self {
            Self::Anybody => true,
            Self::At(names) => {
                let profile = Object::trusted(document.json());
                let identities = profile.get("identities").unwrap_or("[]");
                Elements::of(identities).any(|raw| {
                    Object::trusted(raw)
                        .get_str("connection")
                        .is_some_and(|own| names.iter().any(|name| *name == own))
                })
            }
        }
    }
}

impl Search {
    /// Reads `?search=`; empty text searches for nothing.
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_lowercase();
        if text.is_empty() {
            return None;
        }
        let is_field = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || "_.-".contains(c))
        };
        let clauses: Option<Vec<(String, String)>> = text
            .split(';')
            .filter(|clause| !clause.trim().is_empty())
            .map(|clause| {
                let (name, value) = clause.split_once(':')?;
                let (name, value) = (name.trim(), value.trim().trim_matches('"'));
                is_field(name).then(|| (name.to_owned(), value.to_owned()))
            })
            .collect();
        Some(
            clauses
                .filter(|clauses| !clauses.is_empty())
                .map_or(Self::Beginning(text), Self::Values),
        )
    }

    fn takes(&self, document: &Document) -> bool {
        match self {
            Self::Beginning(text) => ["name", "email", "nickname"].iter().any(|key| {
                document.attribute(key).is_some_and(|own| own.to_lowercase().starts_with(text))
            }),
            Self::Values(clauses) => {
                let user = wire::merged(document);
                clauses.iter().all(|(path, value)| has(user.as_json(), path, value))
            }
        }
    }
}

/// Whether the value at a dotted path, or an element of it, is `wanted`; case counts for nothing.
fn has(raw: &str, path: &str, wanted: &str) -> bool {
    match Kind::of(raw) {
        Kind::Array => Elements::of(raw).any(|element| has(element, path, wanted)),
        Kind::Object => {
            let object = Object::trusted(raw);
            object.members().any(|(key, value)| {
                let key = json::unquote(key).to_lowercase();
                match path.strip_prefix(key.as_str()) {
                    Some("") => has(value, "", wanted),
                    Some(rest) => {
                        rest.strip_prefix('.').is_some_and(|rest| has(value, rest, wanted))
                    }
                    None => false,
                }
            })
        }
        Kind::String => path.is_empty() && json::unquote(raw).to_lowercase() == wanted,
        Kind::Null | Kind::Boolean | Kind::Integer | Kind::Number => {
            path.is_empty() && raw.to_lowercase() == wanted
        }
    }
}

/// The address of the next page. Auth0's client follows it as it is, without a header,
/// so it carries the token it was asked with.
fn next_link(call: &Call, page: Page) -> Option<HeaderValue> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let number = (page.start / page.limit.max(1)).saturating_add(1);
    let search = call.query.get("search").filter(|search| !search.is_empty());
    let pairs = [
        Some(format!("page={number}&per_page={}", page.limit)),
        search.map(|search| format!("search={}", encoded(search))),
        call.token().ok().map(|token| format!("access_token={}", encoded(token))),
    ];
    let query: Vec<String> = pairs.into_iter().flatten().collect();
    let url = format!("{}{}?{}", call.origin(), call.path(), query.join("&"));
    HeaderValue::from_str(&format!("<{url}>; rel=\"next\"")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::tests::jane;
    use crate::domain::user::User;

    fn document() -> Document {
        let mut user = User {
            app_metadata: Some(
                Object::parse(r#"{"Plan":"Full","tags":["a","B"],"n":{"x":1}}"#, 8).unwrap(),
            ),
            user_metadata: Some(Object::parse(r#"{"secret":"x"}"#, 8).unwrap()),
            ..jane()
        };
        user.profile.name = Some("Jane Doe".to_owned());
        user.profile.email = Some("Jane.Doe@example.com".to_owned());
        Document::of(&user)
    }

    #[track_caller]
    fn check(search: &str, found: bool) {
        assert_eq!(Search::parse(search).unwrap().takes(&document()), found, "{search}");
    }

    #[test]
    fn names_and_addresses_are_found_by_their_beginning() {
        check("jane", true);
        check("JANE D", true);
        check("jane.doe@exa", true);
        check("doe", false);
        assert_eq!(Search::parse("  "), None);
    }

    #[test]
    fn fields_are_found_by_their_value() {
        check("name:jane doe", true);
        check("name:jane", false);
        check("plan:full", true);
        check("tags:b", true);
        check("n.x:1", true);
        check("plan:full;tags:a", true);
        check("plan:full;tags:c", false);
        check("identities.connection:nowhere", false);
        check("secret:x", false);
    }
}
