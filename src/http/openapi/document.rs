//! The description as one JSON document.

use super::detail::{Detail, Takes};
use super::{answers, shapes};
use crate::http::dispatch::changes;
use crate::http::patches;
use crate::http::query::DRY_RUN;
use crate::http::route::{Access, Dialect, Route};
use serde_json::{Map, Value, json};

/// The description (`OpenAPI` 3.1) of these routes, reached at `origin`.
pub(super) fn document(origin: &str, tables: &[&[Route]], details: &[&[Detail]]) -> Value {
    let mut paths = Map::new();
    for route in tables.iter().flat_map(|table| table.iter()) {
        let item = paths.entry(path_of(route)).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(
                route.method.to_ascii_lowercase(),
                operation(route, detail_of(route, details)),
            );
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dossier",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": origin }],
        "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" },
            },
            "parameters": { "Dossier-Min-Version": min_version() },
            "schemas": schemas(),
            "responses": refused(),
        },
    })
}

const TAGS: [(&str, &str); 5] = [
    ("management", "Auth0's Management API v2"),
    ("oauth", "Tokens, and who they speak for"),
    ("key/value", "Key/value metadata, as Bizzkit's users have it"),
    ("v1", "Auth0's Management API v1, long gone there"),
    ("dossier", "What no other dialect has"),
];

fn tag_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V2 => "management",
        Dialect::OAuth => "oauth",
        Dialect::KeyValue => "key/value",
        Dialect::V1 => "v1",
        Dialect::Dossier => "dossier",
    }
}

/// The details of a route, if there are any.
pub(super) fn detail_of(route: &Route, details: &[&[Detail]]) -> Option<Detail> {
    let mut all = details.iter().flat_map(|list| list.iter());
    all.find(|detail| detail.method == route.method && detail.paths.contains(&route.path)).copied()
}

/// The path of a row, which may end with a parameter of many segments.
pub(super) fn path_of(route: &Route) -> String {
    route.path.replace("{*", "{")
}

fn operation(route: &Route, detail: Option<Detail>) -> Value {
    let detail = detail.unwrap_or(Detail::of(route.method, &[]));
    let mut out = Map::new();
    out.insert("operationId".to_owned(), json!(format!("{} {}", route.method, route.path)));
    out.insert("summary".to_owned(), json!(route.summary));
    out.insert("tags".to_owned(), json!([tag_of(route.dialect)]));
    let parameters = parameters(route, &detail);
    if !parameters.is_empty() {
        out.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if let Some(mut body) = body(detail.takes) {
        if patches::takes_dialects(route) {
            add_dialects(&mut body);
        }
        out.insert("requestBody".to_owned(), body);
    }
    match route.access {
        Access::Open => {
            out.insert("security".to_owned(), json!([]));
        }
        // Any one of the scopes will do, so each is an alternative.
        Access::Scopes(scopes) if !scopes.is_empty() => {
            let any: Vec<Value> =
                scopes.iter().map(|scope| json!({ "bearer": [scope.name()] })).collect();
            out.insert("security".to_owned(), json!(any));
        }
        Access::Scopes(_) => {
            out.insert("security".to_owned(), json!([{ "bearer": [] }]));
        }
        Access::Own => {
            out.insert("security".to_owned(), json!([{}, { "bearer": [] }]));
        }
    }
    out.insert("responses".to_owned(), responses(route, &detail));
    Value::Object(out)
}

fn parameters(route: &Route, detail: &Detail) -> Vec<Value> {
    let segments = route.path.split('/');
    let in_path = segments
        .filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| name.trim_start_matches('*'))
        .map(|name| {
            json!({
                "name": name, "in": "path", "required": true,
                "schema": { "type": "string", "minLength": 1 },
            })
        });
    let dry_run = changes(route).then_some(DRY_RUN);
    let names = detail.query.iter().flat_map(|list| list.iter()).copied().chain(dry_run);
    let in_query = names.map(|name| {
        let (schema, about) = shapes::of_parameter(name);
        let mut one = json!({
            "name": name, "in": "query", "required": detail.required == Some(name),
            "schema": schema,
        });
        if let (Value::Object(one), false) = (&mut one, about.is_empty()) {
            one.insert("description".to_owned(), json!(about));
        }
        one
    });
    in_path.chain(in_query).chain(in_headers(route)).collect()
}

/// Why something is changed, where anything is.
fn in_headers(route: &Route) -> Option<Value> {
    (matches!(route.access, Access::Scopes(_)) && route.method != "GET").then(|| {
        json!({
            "name": "Dossier-Reason", "in": "header", "required": false,
            "description": "Why; the history keeps it with the change",
            "schema": { "type": "string", "maxLength": 1000, "pattern": "^[ -~]*$" },
        })
    })
}

/// What any call may carry. It hangs at no route: how large the number may be depends on the
/// tenant's present, and whoever makes numbers up would be told 503.
fn min_version() -> Value {
    json!({
        "name": "Dossier-Min-Version", "in": "header", "required": false,
        "description": MIN_VERSION,
        "schema": { "type": "integer", "minimum": 0 },
    })
}

const MIN_VERSION: &str = "Answer from a state that is not older than this version of the tenant, such as the Dossier-Version of another answer; 503 when it is not reached in two seconds";

/// What holds for all routes.
const ABOUT: &str = "Any call may carry `Dossier-Min-Version: N` (`#/components/parameters/Dossier-Min-Version`): it is answered from a state that is not older. Changing calls take `Dossier-Reason`, and `?dry_run=true`, which answers as if the change were made and makes none.";

fn body(takes: Takes) -> Option<Value> {
    let schema = match takes {
        Takes::Nothing => return None,
        Takes::Json(schemas) => shapes::all_of(schemas),
        Takes::OneOf(schemas) => {
            let each: Vec<Value> = schemas.iter().map(|schema| shapes::all_of(&[schema])).collect();
            json!({ "oneOf": each })
        }
        Takes::List(schema) => json!({ "type": "array", "items": shapes::all_of(&[schema]) }),
        Takes::Object => json!({ "type": "object" }),
        Takes::Any => json!({}),
        Takes::Form(required, others) => return Some(form(required, others)),
        Takes::Multipart(files, texts) => return Some(multipart(files, texts)),
    };
    Some(json!({ "required": true, "content": { "application/json": { "schema": schema } } }))
}

/// The merge dialects beside plain JSON.
fn add_dialects(body: &mut Value) {
    let operation = json!({
        "type": "object",
        "required": ["op", "path"],
        "properties": {
            "op": { "enum": ["add", "remove", "replace", "move", "copy", "test"] },
            "path": { "type": "string", "description": "A JSON Pointer (RFC 6901)" },
            "from": { "type": "string", "description": "A JSON Pointer (RFC 6901)" },
            "value": {},
        },
    });
    let operands = || json!({ "type": "object" });
    let operations = json!({
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "inc": operands(), "append": operands(), "add_to_set": operands(),
            "remove": { "type": ["object", "array"] }, "set_if_absent": operands(),
            "max": operands(), "min": operands(), "expire_at": operands(),
        },
    });
    let dialects = [
        (patches::MERGE, json!({ "type": "object", "description": "RFC 7396" })),
        (patches::JSON, json!({ "type": "array", "items": operation, "description": "RFC 6902" })),
        (patches::OPS, json!({ "type": "object", "additionalProperties": operations })),
    ];
    if let Some(Value::Object(content)) = body.get_mut("content") {
        for (media_type, schema) in dialects {
            content.insert(media_type.to_owned(), json!({ "schema": schema }));
        }
    }
}

fn form(required: &[&str], others: &[&str]) -> Value {
    let names = required.iter().chain(others);
    let properties: Map<String, Value> =
        names.map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
    let schema = json!({ "type": "object", "required": required, "properties": properties });
    json!({
        "required": true,
        "content": {
            "application/x-www-form-urlencoded": { "schema": schema },
            "application/json": { "schema": schema },
        },
    })
}

fn multipart(files: &[&str], texts: &[&str]) -> Value {
    let part = |name: &&str, schema: Value| ((*name).to_owned(), schema);
    let properties: Map<String, Value> = files
        .iter()
        .map(|name| part(name, json!({ "type": "string", "format": "binary" })))
        .chain(texts.iter().map(|name| part(name, json!({ "type": "string" }))))
        .collect();
    let schema = json!({ "type": "object", "required": files, "properties": properties });
    json!({ "required": true, "content": { "multipart/form-data": { "schema": schema } } })
}

fn responses(route: &Route, detail: &Detail) -> Value {
    let usual: &[u16] = match route.method {
        "GET" => &[200, 304],
        "POST" => &[201],
        "DELETE" => &[204],
        _ => &[200],
    };
    let statuses = if detail.statuses.is_empty() { usual } else { detail.statuses };
    let mut out = Map::new();
    for status in statuses {
        out.insert(status.to_string(), success(route, *status, meaning(*status)));
    }
    if changes(route) && !statuses.contains(&200) {
        out.insert("200".to_owned(), success(route, 200, "What would have been answered"));
    }
    let shape = detail.errors.unwrap_or(error_of(route.dialect));
    for status in refusals(route, detail) {
        let name = format!("#/components/responses/{shape}-{status}");
        out.insert(status.to_string(), json!({ "$ref": name }));
    }
    Value::Object(out)
}

fn success(route: &Route, status: u16, description: &str) -> Value {
    let mut out = json!({ "description": description });
    if let (Value::Object(out), Some(content)) =
        (&mut out, answers::content(route, status, changes(route)))
    {
        out.insert("content".to_owned(), content);
    }
    out
}

/// The statuses with which a route says no.
fn refusals(route: &Route, detail: &Detail) -> Vec<u16> {
    let mut all = vec![400, 404];
    if !matches!(route.access, Access::Open) {
        all.extend([401, 403]);
    }
    if route.method != "GET" {
        all.extend([409, 507]);
    }
    if !matches!(route.dialect, Dialect::OAuth) {
        all.push(412);
    }
    if !matches!(detail.takes, Takes::Nothing) {
        all.extend([408, 413, 415]);
    }
    all.extend([414, 429, 503]);
    all.sort_unstable();
    all
}

fn meaning(status: u16) -> &'static str {
    match status {
        200 => "It is so",
        201 => "It was made",
        202 => "It will be done",
        204 => "It is gone, or there is nothing to say",
        302 | 303 => "It is elsewhere",
        304 => "It is as the caller knows it",
        400 => "The request is not right",
        401 => "The caller did not prove who it is",
        403 => "The caller may not",
        404 => "It is not there",
        408 => "The body did not arrive in time",
        409 => "It is in the way of what exists",
        412 => "The condition does not hold",
        413 => "The body is too large",
        414 => "The address is too long",
        415 => "The body is of another type",
        429 => "Too many requests",
        503 => "Not now: the server is busy, or starts, or takes no writes",
        507 => "The disk is full",
        _ => "Another answer",
    }
}

/// The shape of a dialect's errors.
fn error_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::V2 | Dialect::Dossier => "Error",
        Dialect::OAuth | Dialect::V1 => "OAuthError",
        Dialect::KeyValue => "Problem",
    }
}

const SHAPES: [&str; 5] = ["Error", "OAuthError", "Problem", "SignupError", "Page"];

/// Every status that says no.
const REFUSALS: [u16; 13] = [400, 401, 403, 404, 408, 409, 412, 413, 414, 415, 429, 503, 507];

/// Refusals in every shape, to be pointed to.
fn refused() -> Value {
    let of_shape = |shape: &'static str| {
        REFUSALS.into_iter().map(move |status| {
            let schema = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
            let of = |name: &str| json!({ "schema": schema(name) });
            let content = match shape {
                "Problem" => json!({ "application/problem+json": of(shape) }),
                // Before a page begins, an error is the dialect's.
                "Page" => json!({ "text/html": of(shape), "application/json": of("Error") }),
                "SignupError" => {
                    let any = json!({ "anyOf": [schema(shape), schema("OAuthError")] });
                    json!({ "application/json": { "schema": any } })
                }
                _ => json!({ "application/json": of(shape) }),
            };
            let response = json!({ "description": meaning(status), "content": content });
            (format!("{shape}-{status}"), response)
        })
    };
    Value::Object(SHAPES.into_iter().flat_map(of_shape).collect())
}

/// Shapes of successes and of errors.
fn schemas() -> Value {
    let mut all = answers::shapes();
    if let Value::Object(errors) = errors() {
        all.extend(errors);
    }
    Value::Object(all)
}

fn errors() -> Value {
    let text = json!({ "type": "string" });
    json!({
        "Error": {
            "type": "object",
            "required": ["statusCode", "error", "message"],
            "properties": {
                "statusCode": { "type": "integer" },
                "error": text, "message": text, "errorCode": text,
            },
        },
        "OAuthError": {
            "type": "object",
            "required": ["error", "error_description"],
            "properties": { "error": text, "error_description": text, "error_uri": text },
        },
        "SignupError": {
            "type": "object",
            "required": ["code", "description", "statusCode"],
            "properties": {
                "name": text, "code": text, "description": text,
                "statusCode": { "type": "integer" },
            },
        },
        "Page": text,
        "Problem": {
            "type": "object",
            "required": ["title", "status"],
            "properties": {
                "type": text, "title": text, "detail": text,
                "status": { "type": "integer" },
            },
        },
    })
}
