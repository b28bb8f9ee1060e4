//! What routes answer when they do what was asked: the shapes of success.
//!
//! A shape tells the types of the members clients look at; others may be there. Where a
//! caller chooses members with `fields`, none of them has to be.

use crate::http::route::Route;
use serde_json::{Map, Value, json};

/// What a route answers.
#[derive(Clone, Copy, Debug)]
enum Answer {
    /// The whole thing, with the members it must have.
    Whole(&'static str),
    /// What the caller chose of it.
    Some(&'static str),
    /// An array of whole things.
    All(&'static str),
    /// An array, or an envelope with this member, of what the caller chose.
    Listed(&'static str, &'static str),
    /// An envelope with this member, of whole things.
    In(&'static str, &'static str),
    /// Any JSON value.
    Any,
    /// Something that is not JSON, or nothing.
    NoJson,
}

use Answer::{All, Any, In, Listed, NoJson, Some as Part, Whole};

/// Methods, separated by spaces; paths, a final `*` standing for any rest; and the answer.
/// The first row that fits counts.
const ANSWERS: &[(&str, &[&str], Answer)] = &[
    ("POST PATCH", &["/api/v2/users", "/api/v2/users/{id}"], Whole("User")),
    ("GET", &["/api/v2/users/{id}"], Part("User")),
    ("GET", &["/api/v2/users"], Listed("users", "User")),
    ("GET", &["/api/v2/users-by-email"], Answer::Listed("", "User")),
    ("POST DELETE", &["/api/v2/users/{id}/identities*"], All("Identity")),
    (
        "GET",
        &["/api/v2/users/{id}/logs", "/api/v2/users/{id}/enrollments"],
        Listed("logs", "Thing"),
    ),
    ("GET", &["/api/v2/users/{id}/roles"], Listed("roles", "Role")),
    ("GET", &["/api/v2/users/{id}/permissions"], Listed("permissions", "Permission")),
    ("POST DELETE", &["/api/v2/users/{id}/roles"], NoJson),
    ("POST", &["/api/v2/users/{id}/permissions"], Part("Thing")),
    ("GET", &["/api/v2/users/{id}/organizations"], Listed("organizations", "Thing")),
    ("GET", &["/api/v2/user-blocks*"], Whole("Blocks")),
    ("GET", &["/api/v2/clients/{id}/connections"], In("connections", "Connection")),
    ("GET", &["/api/v2/clients/{id}/credentials"], All("Credential")),
    ("GET POST PATCH", &["/api/v2/clients/{id}/credentials*"], Whole("Credential")),
    ("GET", &["/api/v2/clients", "/api/v2/applications"], Listed("clients", "Client")),
    (
        "GET",
        &["/api/v2/clients/{id}", "/api/v2/applications/{id}", "/api/v2/client/{id}"],
        Part("Client"),
    ),
    (
        "POST PATCH",
        &["/api/v2/clients*", "/api/v2/applications*", "/api/v2/client/{id}"],
        Whole("Client"),
    ),
    ("GET", &["/api/v2/connections"], Listed("connections", "Connection")),
    ("GET", &["/api/v2/connections/{id}"], Part("Connection")),
    ("GET", &["/api/v2/connections/{id}/clients"], In("clients", "ClientReference")),
    ("PATCH", &["/api/v2/connections/{id}/clients"], NoJson),
    ("POST PATCH", &["/api/v2/connections*"], Whole("Connection")),
    ("DELETE", &["/api/v2/connections/{id}"], Whole("Deleted")),
    ("GET", &["/api/v2/client-grants"], Listed("client_grants", "ClientGrant")),
    ("GET POST PATCH", &["/api/v2/client-grants*"], Whole("ClientGrant")),
    ("GET", &["/api/v2/resource-servers"], Listed("resource_servers", "ResourceServer")),
    ("GET", &["/api/v2/resource-servers/{id}"], Part("ResourceServer")),
    ("POST PATCH", &["/api/v2/resource-servers*"], Whole("ResourceServer")),
    ("GET PATCH", &["/api/v2/tenants/settings"], Part("Settings")),
    ("GET", &["/api/v2/jobs/{id}/errors"], Any),
    ("GET POST", &["/api/v2/jobs/*"], Whole("Job")),
    ("POST", &["/api/v2/tickets/*"], Whole("Ticket")),
    ("GET", &["/api/v2/actions/actions"], In("actions", "Thing")),
    ("POST", &["/oauth/token", "/connect/token"], Whole("Token")),
    ("GET POST", &["/userinfo"], Whole("UserInfo")),
    ("GET", &["/.well-known/jwks.json"], In("keys", "Key")),
    ("GET", &["/.well-known/openid-configuration"], Whole("Discovery")),
    ("POST", &["/dbconnections/signup"], Whole("SignedUp")),
    ("GET PUT", &["/api/user/{userId}/metadata"], In("metadata", "Entry")),
    ("GET PUT", &["/api/user/{userId}/metadata/{key}"], Whole("Entry")),
    ("GET PUT PATCH", &["/api/users/{id}/metadata"], Part("Thing")),
    (
        "GET",
        &[
            "/api/users",
            "/api/users/",
            "/api/connections/{name}/users",
            "/api/socialconnections/users",
            "/api/enterpriseconnections/users",
            "/api/clients/{id}/users",
        ],
        All("UserV1"),
    ),
    ("GET POST PUT", &["/api/users*"], Whole("UserV1")),
    ("GET", &["/api/clients"], All("ClientV1")),
    ("POST PATCH PUT", &["/api/clients*"], Whole("ClientV1")),
    ("GET", &["/dossier/v1/users/{id}/effective"], Whole("Effective")),
    ("POST", &["/dossier/v1/connections/{connection}/logins"], Whole("User")),
    (
        "GET PUT",
        &["/dossier/v1/users/{id}/{bag}/{key}", "/dossier/v1/clients/{id}/client_metadata/{key}"],
        Any,
    ),
    (
        "GET",
        &["/dossier/v1/users/{id}/history", "/dossier/v1/clients/{id}/history"],
        In("entries", "Change"),
    ),
    (
        "GET",
        &["/dossier/v1/users/{id}/diff", "/dossier/v1/clients/{id}/diff"],
        Whole("Differences"),
    ),
    ("GET", &["/dossier/v1/users/{id}/blame"], Whole("UserBlame")),
    ("GET", &["/dossier/v1/clients/{id}/blame"], Whole("ClientBlame")),
    ("GET POST", &["/dossier/v1/users/{id}", "/dossier/v1/users/{id}/revert"], Whole("User")),
    ("GET POST", &["/dossier/v1/clients/{id}", "/dossier/v1/clients/{id}/revert"], Whole("Client")),
    (
        "GET PUT",
        &["/dossier/v1/users/{id}/{bag}", "/dossier/v1/clients/{id}/client_metadata"],
        Part("Thing"),
    ),
    ("GET", &["/dossier/v1/search/fields"], Whole("SearchFields")),
    ("GET", &["/dossier/v1/search/values"], Whole("SearchValues")),
    ("GET", &["/dossier/v1/tenants"], In("tenants", "Tenant")),
    ("GET POST PATCH", &["/dossier/v1/tenants*"], Whole("Tenant")),
    ("GET", &["/livez", "/readyz"], Whole("Health")),
    ("POST", &["/dossier/v1/keys/rotate"], In("keys", "Key")),
    ("POST", &["/dossier/v1/snapshots"], In("snapshots", "Snapshot")),
    ("GET", &["/dossier/v1/snapshots"], Whole("SnapshotFiles")),
    ("GET", &["/dossier/v1/snapshots/{file}"], NoJson),
    ("POST", &["/dossier/v1/snapshots/{file}/verify"], Whole("SnapshotFile")),
    ("POST", &["/dossier/v1/login-links"], Whole("LoginLink")),
    ("GET", &["/dossier/v1/overview"], Whole("Overview")),
    ("GET", &["/dossier/v1/requests"], In("requests", "Request")),
    ("POST", &["/dossier/v1/tokens"], Whole("Token")),
    ("POST", &["/dossier/v1/tokens/inspect"], Whole("Inspected")),
    ("GET", &["/dossier/v1/exports/{file}"], NoJson),
    (
        "GET POST",
        &["/dossier/v1/config", "/dossier/v1/config/reload", "/ui/session", "/openapi.json"],
        Part("Thing"),
    ),
    ("GET POST PUT PATCH", &["/dossier/v1/*"], Any),
    // A stream of events.
    ("GET", &["/api/v2/events"], NoJson),
    ("GET POST", &["/u/*", "/lo/*", "/", "/ui", "/ui/*", "/openapi*", "/oauth/revoke"], NoJson),
    ("DELETE", &["/dossier/v1/users/{id}"], Whole("Copies")),
    ("DELETE", &["*"], NoJson),
];

fn of(route: &Route) -> Option<Answer> {
    let fits = |path: &&str| match path.strip_suffix('*') {
        Some(prefix) => route.path.starts_with(prefix),
        None => route.path == *path,
    };
    ANSWERS
        .iter()
        .find(|(methods, paths, _)| {
            methods.split(' ').any(|method| method == route.method) && paths.iter().any(&fits)
        })
        .map(|(_, _, answer)| *answer)
}

/// The content of a route's success with this status, if it is JSON.
pub(super) fn content(route: &Route, status: u16, is_rehearsed: bool) -> Option<Value> {
    if !(200..=202).contains(&status) {
        return None;
    }
    let rehearsal = || reference("Rehearsal");
    let own = of(route).and_then(schema);
    let schema = match own {
        None if is_rehearsed && status == 200 => rehearsal(),
        None => return None,
        Some(own) if is_rehearsed && status == 200 => json!({ "anyOf": [own, rehearsal()] }),
        Some(own) => own,
    };
    Some(json!({ "application/json": { "schema": schema } }))
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn whole(name: &str) -> Value {
    let required = SHAPES.iter().find(|(own, _, _)| *own == name).map_or("", |(_, all, _)| *all);
    let required: Vec<&str> = required.split_whitespace().collect();
    json!({ "allOf": [reference(name), { "required": required }] })
}

fn schema(answer: Answer) -> Option<Value> {
    let array = |items: Value| json!({ "type": "array", "items": items });
    let envelope = |member: &str, items: Value| {
        let counts = ["total", "start", "limit", "length"];
        let mut properties: Map<String, Value> = counts
            .iter()
            .map(|name| ((*name).to_owned(), json!({ "type": "integer", "minimum": 0 })))
            .collect();
        properties.insert("next".to_owned(), json!({ "type": "string" }));
        properties.insert(member.to_owned(), array(items));
        json!({ "type": "object", "required": [member], "properties": properties })
    };
    Some(match answer {
        Whole(name) => whole(name),
        Part(name) => reference(name),
        All(name) => array(whole(name)),
        Listed("", name) => array(reference(name)),
        Listed(member, name) => {
            json!({ "anyOf": [array(reference(name)), envelope(member, reference(name))] })
        }
        In(member, name) => envelope(member, whole(name)),
        Any => json!({}),
        NoJson => return None,
    })
}

/// Shapes: a name, the members it must have, and `member:type` of those that are told;
/// `?` behind a type allows null.
const SHAPES: &[(&str, &str, &str)] = &[
    ("Thing", "", ""),
    (
        "User",
        "user_id identities created_at updated_at",
        "user_id:string email:string email_verified:boolean username:string phone_number:string \
         phone_verified:boolean name:string nickname:string given_name:string family_name:string \
         picture:string blocked:boolean created_at:time updated_at:time last_login:time \
         last_password_reset:time last_ip:string logins_count:integer identities:Identity[] \
         user_metadata:object app_metadata:object",
    ),
    (
        "Identity",
        "connection user_id provider isSocial",
        "connection:string provider:string isSocial:boolean profileData:object",
    ),
    ("Role", "id name description", "id:string name:string description:string"),
    (
        "Permission",
        "permission_name resource_server_identifier",
        "permission_name:string description:string resource_server_identifier:string \
         resource_server_name:string sources:object[]",
    ),
    ("Blocks", "blocked_for", "blocked_for:object[]"),
    (
        "Client",
        "client_id name tenant global",
        "client_id:string client_secret:string tenant:string global:boolean name:string \
         description:string? app_type:string? is_first_party:boolean client_metadata:object \
         grant_types:string[] callbacks:string[] jwt_configuration:object refresh_token:object \
         signing_keys:object[] oidc_conformant:boolean",
    ),
    (
        "Connection",
        "id name strategy options",
        "id:string name:string strategy:string options:object realms:string[] \
         enabled_clients:string[] is_domain_connection:boolean metadata:object",
    ),
    ("ClientReference", "client_id", "client_id:string"),
    ("Deleted", "deleted_at", "deleted_at:time"),
    (
        "Credential",
        "id credential_type kid alg created_at updated_at",
        "id:string name:string credential_type:string kid:string alg:string created_at:time \
         updated_at:time expires_at:time?",
    ),
    (
        "ClientGrant",
        "id client_id audience scope",
        "id:string client_id:string audience:string scope:string[]",
    ),
    (
        "ResourceServer",
        "id identifier",
        "id:string name:string identifier:string scopes:object[] token_lifetime:integer \
         token_lifetime_for_web:integer signing_alg:string is_system:boolean",
    ),
    (
        "Settings",
        "",
        "friendly_name:string flags:object enabled_locales:string[] session_cookie:object",
    ),
    (
        "Job",
        "id type status created_at",
        "id:string type:string status:string created_at:time connection_id:string \
         connection:string summary:object location:string percentage_done:integer \
         time_left_seconds:integer",
    ),
    ("Ticket", "ticket", "ticket:string"),
    (
        "Token",
        "access_token token_type",
        "access_token:string token_type:string expires_in:integer scope:string id_token:string \
         refresh_token:string",
    ),
    ("UserInfo", "sub", "sub:string"),
    ("Key", "kid", "kid:string"),
    ("Discovery", "issuer jwks_uri token_endpoint", "issuer:string jwks_uri:string"),
    ("SignedUp", "_id email_verified", "_id:string email:string email_verified:boolean"),
    ("Entry", "key value profileClaim", "key:string value:string profileClaim:boolean"),
    ("UserV1", "user_id", "user_id:string"),
    ("ClientV1", "name clientID", "name:string clientID:string clientSecret:string"),
    (
        "Effective",
        "user_id version attributes",
        "user_id:string version:integer attributes:object[]",
    ),
    ("Difference", "path", "path:string"),
    ("Differences", "changes", "changes:Difference[]"),
    (
        "Change",
        "version changes",
        "version:integer at:time actor:string client_id:string channel:string request_id:string \
         reason:string changes:Difference[]",
    ),
    ("UserBlame", "user_metadata app_metadata", "user_metadata:object app_metadata:object"),
    ("ClientBlame", "client_metadata", "client_metadata:object"),
    (
        "SearchField",
        "field kinds distinct users",
        "field:string kinds:string[] distinct:integer? users:integer",
    ),
    (
        "SearchFields",
        "fields source users_asked users",
        "fields:SearchField[] source:string users_asked:integer users:integer",
    ),
    ("SearchValue", "value term users", "value:string term:string users:integer"),
    (
        "SearchValues",
        "values distinct source users_asked users",
        "values:SearchValue[] distinct:integer? source:string users_asked:integer users:integer",
    ),
    (
        "Tenant",
        "id domains compat client_secrets",
        "id:string domains:string[] compat:string client_secrets:string as_they_are_now:string[]",
    ),
    ("Health", "status", "status:string"),
    ("Snapshot", "tenant file", "tenant:string file:string users:integer bytes:integer"),
    (
        "SnapshotFiles",
        "snapshots total page per_page kept in_memory",
        "snapshots:SnapshotFile[] total:integer page:integer per_page:integer kept:integer \
         in_memory:boolean",
    ),
    (
        "SnapshotFile",
        "file bytes is_listed checksums",
        "file:string bytes:integer tenant:string version:integer users:integer clients:integer \
         resources:integer format:integer at:integer is_listed:boolean checksums:Checksums \
         milliseconds:integer",
    ),
    ("Checksums", "state at", "state:string at:integer? flaw:string"),
    (
        "Overview",
        "users clients version now minute mailbox journal history snapshots",
        "users:integer clients:integer connections:integer version:integer now:integer \
         started_at:integer minute:Minute mailbox:Mailbox journal:object history:object \
         snapshots:object server:Server",
    ),
    (
        "Minute",
        "reads writes p50_micros p99_micros",
        "reads:integer[] writes:integer[] p50_micros:integer? p99_micros:integer?",
    ),
    (
        "Request",
        "id at method path query status micros request_id subject dashboard request response",
        "id:integer at:integer method:string path:string query:string status:integer \
         micros:integer request_id:string subject:string user_id:string dashboard:boolean \
         request:object response:object",
    ),
    (
        "Inspected",
        "header claims valid unknown_scopes",
        "header:object? claims:object? valid:boolean reason:string unknown_scopes:string[]",
    ),
    ("Mailbox", "waiting capacity", "waiting:integer capacity:integer"),
    (
        "Server",
        "tenants users requests minute memory_bytes",
        "tenants:integer users:integer requests:integer minute:Minute memory_bytes:integer?",
    ),
    ("LoginLink", "url", "url:string tenant:string role:string expires_in:integer"),
    ("Copies", "copies message", "copies:string[] message:string"),
    ("Rehearsal", "dry_run status body changes", "dry_run:boolean status:integer changes:object[]"),
];

fn of_type(name: &str) -> Value {
    if let Some(plain) = name.strip_suffix('?') {
        return json!({ "anyOf": [of_type(plain), { "type": "null" }] });
    }
    if let Some(items) = name.strip_suffix("[]") {
        return json!({ "type": "array", "items": of_type(items) });
    }
    match name {
        "time" => json!({ "type": "string", "format": "date-time" }),
        "string" | "boolean" | "integer" | "object" => json!({ "type": name }),
        other => whole(other),
    }
}

/// All shapes, to be pointed to.
pub(super) fn shapes() -> Map<String, Value> {
    SHAPES
        .iter()
        .map(|(name, _, members)| {
            let properties: Map<String, Value> = members
                .split_whitespace()
                .filter_map(|member| member.split_once(':'))
                .map(|(member, kind)| (member.to_owned(), of_type(kind)))
                .collect();
            let mut shape = json!({ "type": "object", "properties": properties });
            if *name == "Rehearsal"
                && let Value::Object(shape) = &mut shape
            {
                let required = ["dry_run", "status", "body", "changes"];
                shape.insert("required".to_owned(), json!(required));
            }
            ((*name).to_owned(), shape)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::dispatch::TABLES;

    #[test]
    fn every_route_says_what_it_answers() {
        for route in TABLES.iter().flat_map(|table| table.iter()) {
            assert!(of(route).is_some(), "{} {}", route.method, route.path);
        }
    }

    #[test]
    fn every_shape_that_is_named_is_there() {
        let is_there = |name: &str| SHAPES.iter().any(|(own, _, _)| *own == name);
        for (_, _, answer) in ANSWERS {
            match answer {
                Whole(name) | Part(name) | All(name) | Listed(_, name) | In(_, name) => {
                    assert!(is_there(name), "{name}");
                }
                Any | NoJson => {}
            }
        }
        for (name, required, members) in SHAPES {
            for member in required.split_whitespace().filter(|_| *name != "Rehearsal") {
                let is_told = members.contains(&format!("{member}:"));
                assert!(
                    is_told || ["user_id", "token_endpoint"].contains(&member),
                    "{name} {member}"
                );
            }
        }
    }
}
