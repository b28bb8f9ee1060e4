//! The table of routes and the way from a request line to its row.
//!
//! Each dialect lists its routes; dispatch, `OpenAPI`, the scope tests and the 403
//! fallback all read the same rows. A path is matched segment by segment through a
//! tree, so a hundred routes cost what five cost (PERFORMANCE.md §1.2). Only
//! parameters are percent-decoded, once.

use super::call::Call;
use super::problem::Problem;
use crate::domain::scope::Scope;
use actix_web::HttpResponse;
use actix_web::http::Method;
use percent_encoding::percent_decode_str;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

/// Whose manners a path has: its errors look like theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Management API v2.
    V2,
    /// OAuth 2 and `OpenID` Connect.
    OAuth,
    /// Key/value metadata.
    KeyValue,
    /// Legacy v1.
    V1,
    /// Dossier's own paths; errors as in v2.
    Dossier,
}

/// Who may come in.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// Anybody.
    Open,
    /// The bearer of a token of this tenant with one of these scopes; an empty list takes any token.
    Scopes(&'static [Scope]),
    /// The handler looks at the credentials itself.
    Own,
}

/// What a handler gives back.
pub type Answering = Pin<Box<dyn Future<Output = Result<HttpResponse, Problem>>>>;

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// `GET`, `POST`, …
    pub method: &'static str,
    /// The path, parameters in braces; `{*rest}` at the end takes all that follows.
    pub path: &'static str,
    /// Whose manners it has.
    pub dialect: Dialect,
    /// Who may come in.
    pub access: Access,
    /// What it does, in a few words, for the API description.
    pub summary: &'static str,
    /// The code behind it.
    pub handler: fn(Call) -> Answering,
}

/// The values of a path's parameters, decoded, in the order of the path.
#[derive(Clone, Debug, Default)]
pub struct Params(Vec<(&'static str, String)>);

impl Params {
    /// The value of the parameter `name`; empty for a name the route does not have.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(own, _)| *own == name).map_or("", |(_, value)| value)
    }
}

/// What a request line leads to.
#[derive(Debug)]
pub enum Found {
    /// A row, and its parameters.
    Route(&'static Route, Params),
    /// A known path, but not with this method.
    OtherMethod,
    /// Nothing.
    Nothing,
    /// A parameter that is no UTF-8 once decoded.
    BadPath,
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<&'static str, Node>,
    parameter: Option<(&'static str, Box<Node>)>,
    rest: Vec<(&'static str, &'static Route)>,
    routes: Vec<&'static Route>,
}

/// All routes as a tree.
#[derive(Debug, Default)]
pub struct Router {
    root: Node,
}

impl Router {
    /// The tree of these tables.
    pub fn new(tables: &[&'static [Route]]) -> Self {
        let mut router = Self::default();
        for route in tables.iter().flat_map(|table| table.iter()) {
            router.add(route);
        }
        router
    }

    fn add(&mut self, route: &'static Route) {
        let mut node = &mut self.root;
        for segment in route.path.split('/').skip(1) {
            if let Some(name) = segment.strip_prefix("{*").and_then(|name| name.strip_suffix('}')) {
                node.rest.push((name, route));
                return;
            }
            node = match segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                Some(name) => &mut node.parameter.get_or_insert_with(|| (name, Box::default())).1,
                None => node.literals.entry(segment).or_default(),
            };
        }
        node.routes.push(route);
    }

    /// The row for a method and a raw path.
    pub fn find(&self, method: &Method, path: &str) -> Found {
        let method = if *method == Method::HEAD { "GET" } else { method.as_str() };
        let Some(path) = path.strip_prefix('/') else { return Found::Nothing };
        let mut values = Vec::new();
        match walk(&self.root, path, method, &mut values) {
            Some(Ok(route)) => match decoded(route, &values) {
                Some(params) => Found::Route(route, params),
                None => Found::BadPath,
            },
            Some(Err(())) => Found::OtherMethod,
            None => Found::Nothing,
        }
    }
}

/// Walks the tree; literals win over parameters. `Err` = the path is known, the method is not.
fn walk<'p>(
    node: &Node,
    path: &'p str,
    method: &str,
    values: &mut Vec<&'p str>,
) -> Option<Result<&'static Route, ()>> {
    let (segment, rest) = match path.split_once('/') {
        Some((segment, rest)) => (segment, Some(rest)),
        None => (path, None),
    };
    let depth = values.len();
    let mut seen = None;
    if let Some(next) = node.literals.get(segment) {
        match step(next, rest, method, values) {
            Some(Ok(route)) => return Some(Ok(route)),
            other => seen = other,
        }
        values.truncate(depth);
    }
    if let Some((_, next)) = &node.parameter
        && !segment.is_empty()
    {
        values.push(segment);
        match step(next, rest, method, values) {
            Some(Ok(route)) => return Some(Ok(route)),
            other => seen = seen.or(other),
        }
        values.truncate(depth);
    }
    if !node.rest.is_empty() {
        if let Some((_, route)) = node.rest.iter().find(|(_, route)| route.method == method) {
            values.push(path);
            return Some(Ok(route));
        }
        return Some(Err(()));
    }
    seen
}

fn step<'p>(
    node: &Node,
    rest: Option<&'p str>,
    method: &str,
    values: &mut Vec<&'p str>,
) -> Option<Result<&'static Route, ()>> {
    match rest {
        Some(rest) => walk(node, rest, method, values),
        None if node.routes.is_empty() => None,
        None => Some(node.routes.iter().find(|route| route.method == method).copied().ok_or(())),
    }
}

fn decoded(route: &'static Route, values: &[&str]) -> Option<Params> {
    let names = route.path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.strip_prefix('*').unwrap_or(name))
    });
    names
        .zip(values)
        .map(|(name, raw)| Some((name, percent_decode_str(raw).decode_utf8().ok()?.into_owned())))
        .collect::<Option<Vec<_>>>()
        .map(Params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: Call) -> Answering {
        unreachable!("the table is only searched here")
    }

    const fn route(method: &'static str, path: &'static str) -> Route {
        Route {
            method,
            path,
            dialect: Dialect::V2,
            access: Access::Open,
            summary: "",
            handler: nothing,
        }
    }

    static TABLE: [Route; 6] = [
        route("GET", "/api/v2/users"),
        route("GET", "/api/v2/users/{id}"),
        route("PATCH", "/api/v2/users/{id}"),
        route("DELETE", "/api/v2/users/{id}/identities/{provider}/{user_id}"),
        route("GET", "/api/users/search"),
        route("GET", "/ui/{*path}"),
    ];

    #[track_caller]
    fn check(method: &str, path: &str, expected: &str) {
        let found = match Router::new(&[&TABLE]).find(&method.parse().unwrap(), path) {
            Found::Route(route, params) => {
                let values: Vec<&str> = params.0.iter().map(|(_, value)| value.as_str()).collect();
                format!("{} [{}]", route.path, values.join(","))
            }
            other @ (Found::OtherMethod | Found::Nothing | Found::BadPath) => format!("{other:?}"),
        };
        assert_eq!(found, expected, "{method} {path}");
    }

    #[test]
    fn a_path_leads_to_its_row() {
        check("GET", "/api/v2/users", "/api/v2/users []");
        check("HEAD", "/api/v2/users", "/api/v2/users []");
        check("GET", "/api/v2/users/auth0|1", "/api/v2/users/{id} [auth0|1]");
        check("GET", "/api/v2/users/auth0%7C1", "/api/v2/users/{id} [auth0|1]");
        check("GET", "/api/v2/users/a%2Fb+c", "/api/v2/users/{id} [a/b+c]");
        check(
            "DELETE",
            "/api/v2/users/a/identities/b/c",
            "/api/v2/users/{id}/identities/{provider}/{user_id} [a,b,c]",
        );
        check("GET", "/ui/a/b.js", "/ui/{*path} [a/b.js]");
    }

    #[test]
    fn what_is_not_there_leads_nowhere() {
        check("GET", "/api/v2/user", "Nothing");
        check("GET", "/api/v2/users/", "Nothing");
        check("GET", "/api//v2/users", "Nothing");
        check("GET", "/", "Nothing");
        check("PUT", "/api/v2/users/x", "OtherMethod");
        check("GET", "/api/v2/users/%ff", "BadPath");
    }
}
