//! One request for each route that would do something, and the least that is needed for it.

/// A request that works.
pub(super) struct Case {
    /// `METHOD path` of the table.
    pub(super) route: &'static str,
    /// Where it goes; names in braces stand for ids.
    pub(super) target: &'static str,
    /// What it carries.
    pub(super) body: &'static str,
    /// The one scope with which it works.
    pub(super) scope: &'static str,
}

/// Routes that look at the credentials themselves.
pub(super) const OWN: &[&str] = &[
    "POST /oauth/token",
    "POST /connect/token",
    "POST /oauth/revoke",
    "GET /userinfo",
    "POST /userinfo",
    // The dashboard's, by cookie.
    "GET /ui/session",
    "POST /ui/session",
    "DELETE /ui/session",
];

/// Routes for everybody; each must say why in a review.
pub(super) const OPEN: &[&str] = &[
    "GET /.well-known/jwks.json",
    "GET /.well-known/openid-configuration",
    "POST /dbconnections/signup",
    "GET /livez",
    "GET /readyz",
    // A secret in the link is what lets in.
    "GET /dossier/v1/exports/{file}",
    "GET /u/email-verification",
    "GET /lo/reset",
    "POST /lo/reset",
    // The description of the API; it says what is in the sources.
    "GET /openapi.json",
    "GET /openapi",
    "GET /openapi/explorer.js",
    "GET /openapi/explorer.css",
    // Files of the dashboard.
    "GET /",
    "GET /ui",
    "GET /ui/a/{folder}/{*path}",
    "GET /ui/{*path}",
];

const fn case(
    route: &'static str,
    target: &'static str,
    body: &'static str,
    scope: &'static str,
) -> Case {
    Case { route, target, body, scope }
}

const PERMISSIONS: &str =
    r#"{"permissions":[{"resource_server_identifier":"https://a","permission_name":"b"}]}"#;
const LINK: &str = r#"{"provider":"auth0","user_id":"{second}"}"#;
const REVERT: &str = r#"{"to":"2100-01-01T00:00:00Z"}"#;
const PUT_ENTRIES: &str = r#"{"metadata":[{"key":"a","value":"b"}]}"#;
const GRANT: &str = r#"{"client_id":"{unused}","audience":"{audience}","scope":["a"]}"#;
const SWITCH: &str = r#"[{"client_id":"{client}","status":true}]"#;

/// Every route with scopes.
pub(super) const CASES: &[Case] = &[
    // v2: users
    case("GET /api/v2/users/{id}", "/api/v2/users/{user}", "", "read:users"),
    case("PATCH /api/v2/users/{id}", "/api/v2/users/{user}", r#"{"name":"x"}"#, "update:users"),
    case("DELETE /api/v2/users/{id}", "/api/v2/users/{user}", "", "delete:users"),
    case("GET /api/v2/users", "/api/v2/users", "", "read:users"),
    case("POST /api/v2/users", "/api/v2/users", r#"{"email":"new@example.com"}"#, "create:users"),
    case("GET /api/v2/events", "/api/v2/events", "", "read:events"),
    case("GET /api/v2/users-by-email", "/api/v2/users-by-email?email={email}", "", "read:users"),
    case(
        "POST /api/v2/users/{id}/identities",
        "/api/v2/users/{user}/identities",
        LINK,
        "update:users",
    ),
    case(
        "DELETE /api/v2/users/{id}/identities/{provider}/{user_id}",
        "/api/v2/users/{user}/identities/auth0/{account}",
        "",
        "update:users",
    ),
    case("GET /api/v2/users/{id}/roles", "/api/v2/users/{user}/roles", "", "read:roles"),
    case(
        "POST /api/v2/users/{id}/roles",
        "/api/v2/users/{user}/roles",
        r#"{"roles":["rol_1"]}"#,
        "create:role_members",
    ),
    case(
        "DELETE /api/v2/users/{id}/roles",
        "/api/v2/users/{user}/roles",
        r#"{"roles":["rol_1"]}"#,
        "delete:role_members",
    ),
    case(
        "POST /api/v2/users/{id}/permissions",
        "/api/v2/users/{user}/permissions",
        PERMISSIONS,
        "update:users",
    ),
    case(
        "DELETE /api/v2/users/{id}/permissions",
        "/api/v2/users/{user}/permissions",
        PERMISSIONS,
        "update:users",
    ),
    case(
        "GET /api/v2/users/{id}/permissions",
        "/api/v2/users/{user}/permissions",
        "",
        "read:users",
    ),
    case(
        "GET /api/v2/users/{id}/organizations",
        "/api/v2/users/{user}/organizations",
        "",
        "read:organizations",
    ),
    case("GET /api/v2/users/{id}/logs", "/api/v2/users/{user}/logs", "", "read:logs_users"),
    case(
        "GET /api/v2/users/{id}/enrollments",
        "/api/v2/users/{user}/enrollments",
        "",
        "read:users",
    ),
    case("GET /api/v2/user-blocks/{id}", "/api/v2/user-blocks/{user}", "", "read:users"),
    case("DELETE /api/v2/user-blocks/{id}", "/api/v2/user-blocks/{user}", "", "update:users"),
    case("GET /api/v2/user-blocks", "/api/v2/user-blocks?identifier={email}", "", "read:users"),
    case(
        "DELETE /api/v2/user-blocks",
        "/api/v2/user-blocks?identifier={email}",
        "",
        "update:users",
    ),
    // v2: jobs and tickets
    case("POST /api/v2/jobs/users-imports", "/api/v2/jobs/users-imports", IMPORT, "create:users"),
    case("POST /api/v2/jobs/users-exports", "/api/v2/jobs/users-exports", "{}", "read:users"),
    case(
        "POST /api/v2/jobs/verification-email",
        "/api/v2/jobs/verification-email",
        r#"{"user_id":"{user}"}"#,
        "update:users",
    ),
    case("GET /api/v2/jobs/{id}", "/api/v2/jobs/{job}", "", "read:users"),
    case("GET /api/v2/jobs/{id}/errors", "/api/v2/jobs/{job}/errors", "", "read:users"),
    case(
        "POST /api/v2/tickets/email-verification",
        "/api/v2/tickets/email-verification",
        r#"{"user_id":"{user}"}"#,
        "create:user_tickets",
    ),
    case(
        "POST /api/v2/tickets/password-change",
        "/api/v2/tickets/password-change",
        r#"{"user_id":"{user}"}"#,
        "create:user_tickets",
    ),
    case("GET /api/v2/actions/actions", "/api/v2/actions/actions", "", "read:actions"),
    // v2: clients, by three names
    case("GET /api/v2/clients", "/api/v2/clients", "", "read:client_summary"),
    case("POST /api/v2/clients", "/api/v2/clients", r#"{"name":"x"}"#, "create:clients"),
    case("GET /api/v2/clients/{id}", "/api/v2/clients/{client}", "", "read:client_summary"),
    case(
        "PATCH /api/v2/clients/{id}",
        "/api/v2/clients/{client}",
        r#"{"name":"y"}"#,
        "update:clients",
    ),
    case("DELETE /api/v2/clients/{id}", "/api/v2/clients/{client}", "", "delete:clients"),
    case(
        "POST /api/v2/clients/{id}/rotate-secret",
        "/api/v2/clients/{client}/rotate-secret",
        "{}",
        "update:client_keys",
    ),
    case(
        "GET /api/v2/clients/{id}/credentials",
        "/api/v2/clients/{client}/credentials",
        "",
        "read:client_credentials",
    ),
    case(
        "POST /api/v2/clients/{id}/credentials",
        "/api/v2/clients/{client}/credentials",
        CREDENTIAL,
        "create:client_credentials",
    ),
    case(
        "GET /api/v2/clients/{id}/credentials/{credential}",
        "/api/v2/clients/{client}/credentials/{credential}",
        "",
        "read:client_credentials",
    ),
    case(
        "PATCH /api/v2/clients/{id}/credentials/{credential}",
        "/api/v2/clients/{client}/credentials/{credential}",
        r#"{"expires_at":null}"#,
        "update:client_credentials",
    ),
    case(
        "DELETE /api/v2/clients/{id}/credentials/{credential}",
        "/api/v2/clients/{client}/credentials/{credential}",
        "",
        "delete:client_credentials",
    ),
    case(
        "GET /api/v2/clients/{id}/connections",
        "/api/v2/clients/{client}/connections",
        "",
        "read:connections",
    ),
    case("GET /api/v2/applications", "/api/v2/applications", "", "read:client_summary"),
    case("POST /api/v2/applications", "/api/v2/applications", r#"{"name":"x"}"#, "create:clients"),
    case("GET /api/v2/applications/{id}", "/api/v2/applications/{client}", "", "read:clients"),
    case(
        "PATCH /api/v2/applications/{id}",
        "/api/v2/applications/{client}",
        r#"{"name":"y"}"#,
        "update:clients",
    ),
    case("DELETE /api/v2/applications/{id}", "/api/v2/applications/{client}", "", "delete:clients"),
    case("GET /api/v2/client/{id}", "/api/v2/client/{client}", "", "read:clients"),
    case(
        "PATCH /api/v2/client/{id}",
        "/api/v2/client/{client}",
        r#"{"name":"y"}"#,
        "update:clients",
    ),
    case("DELETE /api/v2/client/{id}", "/api/v2/client/{client}", "", "delete:clients"),
    // v2: connections, grants, APIs, settings
    case("GET /api/v2/connections", "/api/v2/connections", "", "read:connections"),
    case(
        "POST /api/v2/connections",
        "/api/v2/connections",
        r#"{"name":"other","strategy":"auth0"}"#,
        "create:connections",
    ),
    case(
        "GET /api/v2/connections/{id}",
        "/api/v2/connections/{connection}",
        "",
        "read:connections",
    ),
    case(
        "PATCH /api/v2/connections/{id}",
        "/api/v2/connections/{connection}",
        r#"{"display_name":"x"}"#,
        "update:connections",
    ),
    case(
        "DELETE /api/v2/connections/{id}",
        "/api/v2/connections/{connection}",
        "",
        "delete:connections",
    ),
    case(
        "DELETE /api/v2/connections/{id}/users",
        "/api/v2/connections/{database}/users?email={email}",
        "",
        "delete:users",
    ),
    case(
        "GET /api/v2/connections/{id}/clients",
        "/api/v2/connections/{connection}/clients",
        "",
        "read:connections",
    ),
    case(
        "PATCH /api/v2/connections/{id}/clients",
        "/api/v2/connections/{connection}/clients",
        SWITCH,
        "update:connections",
    ),
    case("GET /api/v2/client-grants", "/api/v2/client-grants", "", "read:client_grants"),
    case("POST /api/v2/client-grants", "/api/v2/client-grants", GRANT, "create:client_grants"),
    case(
        "GET /api/v2/client-grants/{id}",
        "/api/v2/client-grants/{grant}",
        "",
        "read:client_grants",
    ),
    case(
        "PATCH /api/v2/client-grants/{id}",
        "/api/v2/client-grants/{grant}",
        r#"{"scope":[]}"#,
        "update:client_grants",
    ),
    case(
        "DELETE /api/v2/client-grants/{id}",
        "/api/v2/client-grants/{grant}",
        "",
        "delete:client_grants",
    ),
    case("GET /api/v2/resource-servers", "/api/v2/resource-servers", "", "read:resource_servers"),
    case(
        "POST /api/v2/resource-servers",
        "/api/v2/resource-servers",
        r#"{"identifier":"urn:new"}"#,
        "create:resource_servers",
    ),
    case(
        "GET /api/v2/resource-servers/{id}",
        "/api/v2/resource-servers/{api}",
        "",
        "read:resource_servers",
    ),
    case(
        "PATCH /api/v2/resource-servers/{id}",
        "/api/v2/resource-servers/{api}",
        r#"{"name":"x"}"#,
        "update:resource_servers",
    ),
    case(
        "DELETE /api/v2/resource-servers/{id}",
        "/api/v2/resource-servers/{api}",
        "",
        "delete:resource_servers",
    ),
    case("GET /api/v2/tenants/settings", "/api/v2/tenants/settings", "", "read:tenant_settings"),
    case(
        "PATCH /api/v2/tenants/settings",
        "/api/v2/tenants/settings",
        r#"{"friendly_name":"x"}"#,
        "update:tenant_settings",
    ),
    // key/value metadata
    case("GET /api/user/{userId}/metadata", "/api/user/{user}/metadata", "", "iam/"),
    case("PUT /api/user/{userId}/metadata", "/api/user/{user}/metadata", PUT_ENTRIES, "iam/"),
    case("GET /api/user/{userId}/metadata/{key}", "/api/user/{user}/metadata/key", "", "iam/"),
    case(
        "PUT /api/user/{userId}/metadata/{key}",
        "/api/user/{user}/metadata/key",
        r#"{"value":"v"}"#,
        "iam/",
    ),
    case("DELETE /api/user/{userId}/metadata/{key}", "/api/user/{user}/metadata/key", "", "iam/"),
    // v1
    case("GET /api/users", "/api/users", "", "read:users"),
    case("GET /api/users/", "/api/users/", "", "read:users"),
    case("POST /api/users", "/api/users", V1_USER, "create:users"),
    case("POST /api/users/", "/api/users/", V1_USER, "create:users"),
    case("GET /api/users/{id}", "/api/users/{user}", "", "read:users"),
    case("DELETE /api/users/{id}", "/api/users/{user}", "", "delete:users"),
    case("GET /api/users/{id}/metadata", "/api/users/{user}/metadata", "", "read:users"),
    case(
        "PUT /api/users/{id}/metadata",
        "/api/users/{user}/metadata",
        r#"{"a":1}"#,
        "update:users_app_metadata",
    ),
    case(
        "PATCH /api/users/{id}/metadata",
        "/api/users/{user}/metadata",
        r#"{"a":1}"#,
        "update:users_app_metadata",
    ),
    case(
        "PUT /api/users/{id}/email",
        "/api/users/{user}/email",
        r#"{"email":"other@example.com"}"#,
        "update:users",
    ),
    case(
        "PUT /api/users/{id}/password",
        "/api/users/{user}/password",
        r#"{"password":"Long-enough-1!"}"#,
        "update:users",
    ),
    case(
        "GET /api/connections/{name}/users",
        "/api/connections/{connection_name}/users",
        "",
        "read:users",
    ),
    case("GET /api/socialconnections/users", "/api/socialconnections/users", "", "read:users"),
    case(
        "GET /api/enterpriseconnections/users",
        "/api/enterpriseconnections/users",
        "",
        "read:users",
    ),
    case("GET /api/clients/{id}/users", "/api/clients/{client}/users", "", "read:users"),
    case("GET /api/clients", "/api/clients", "", "read:clients"),
    case("POST /api/clients", "/api/clients", r#"{"name":"x"}"#, "create:clients"),
    case(
        "PATCH /api/clients/{client-id}",
        "/api/clients/{client}",
        r#"{"name":"y"}"#,
        "update:clients",
    ),
    case(
        "PUT /api/clients/{client-id}",
        "/api/clients/{client}",
        r#"{"name":"y"}"#,
        "update:clients",
    ),
    // Dossier's own
    case(
        "GET /dossier/v1/users/{id}/effective",
        "/dossier/v1/users/{user}/effective",
        "",
        "read:users",
    ),
    case("GET /dossier/v1/users/{id}", "/dossier/v1/users/{user}", "", "read:users"),
    case("GET /dossier/v1/users/{id}/bundle", "/dossier/v1/users/{user}/bundle", "", "read:users"),
    case(
        "DELETE /dossier/v1/users/{id}",
        "/dossier/v1/users/{user}?erase=true",
        "",
        "delete:users",
    ),
    case("GET /dossier/v1/history", "/dossier/v1/history", "", "read:users"),
    case("GET /dossier/v1/search/fields", "/dossier/v1/search/fields", "", "read:users"),
    case(
        "GET /dossier/v1/search/values",
        "/dossier/v1/search/values?field=email",
        "",
        "read:users",
    ),
    case(
        "GET /dossier/v1/users/{id}/history",
        "/dossier/v1/users/{user}/history",
        "",
        "read:users",
    ),
    case(
        "GET /dossier/v1/users/{id}/diff",
        "/dossier/v1/users/{user}/diff?from=1",
        "",
        "read:users",
    ),
    case("GET /dossier/v1/users/{id}/blame", "/dossier/v1/users/{user}/blame", "", "read:users"),
    case(
        "POST /dossier/v1/users/{id}/revert",
        "/dossier/v1/users/{user}/revert",
        REVERT,
        "update:users",
    ),
    case("GET /dossier/v1/clients/{id}", "/dossier/v1/clients/{client}", "", "read:clients"),
    case(
        "GET /dossier/v1/clients/{id}/history",
        "/dossier/v1/clients/{client}/history",
        "",
        "read:clients",
    ),
    case(
        "GET /dossier/v1/clients/{id}/diff",
        "/dossier/v1/clients/{client}/diff?from=1",
        "",
        "read:clients",
    ),
    case(
        "GET /dossier/v1/clients/{id}/blame",
        "/dossier/v1/clients/{client}/blame",
        "",
        "read:clients",
    ),
    case(
        "POST /dossier/v1/clients/{id}/revert",
        "/dossier/v1/clients/{client}/revert",
        REVERT,
        "update:clients",
    ),
    case(
        "POST /dossier/v1/connections/{connection}/logins",
        "/dossier/v1/connections/{connection_name}/logins",
        r#"{"user_id":"1","profile":{"name":"x"}}"#,
        "create:users",
    ),
    case(
        "GET /dossier/v1/users/{id}/{bag}",
        "/dossier/v1/users/{user}/user_metadata",
        "",
        "read:users",
    ),
    case(
        "GET /dossier/v1/clients/{id}/client_metadata",
        "/dossier/v1/clients/{client}/client_metadata",
        "",
        "read:clients",
    ),
    case(
        "PUT /dossier/v1/users/{id}/{bag}",
        "/dossier/v1/users/{user}/user_metadata",
        r#"{"a":"b"}"#,
        "update:users",
    ),
    case(
        "PUT /dossier/v1/clients/{id}/client_metadata",
        "/dossier/v1/clients/{client}/client_metadata",
        r#"{"a":"b"}"#,
        "update:clients",
    ),
    case(
        "DELETE /dossier/v1/users/{id}/{bag}",
        "/dossier/v1/users/{user}/user_metadata",
        "",
        "update:users",
    ),
    case(
        "DELETE /dossier/v1/clients/{id}/client_metadata",
        "/dossier/v1/clients/{client}/client_metadata",
        "",
        "update:clients",
    ),
    case(
        "GET /dossier/v1/users/{id}/{bag}/{key}",
        "/dossier/v1/users/{user}/user_metadata/k",
        "",
        "read:users",
    ),
    case(
        "PUT /dossier/v1/users/{id}/{bag}/{key}",
        "/dossier/v1/users/{user}/app_metadata/k",
        "2",
        "update:users_app_metadata",
    ),
    case(
        "DELETE /dossier/v1/users/{id}/{bag}/{key}",
        "/dossier/v1/users/{user}/user_metadata/k",
        "",
        "update:users",
    ),
    case(
        "GET /dossier/v1/clients/{id}/client_metadata/{key}",
        "/dossier/v1/clients/{client}/client_metadata/k",
        "",
        "read:clients",
    ),
    case(
        "PUT /dossier/v1/clients/{id}/client_metadata/{key}",
        "/dossier/v1/clients/{client}/client_metadata/k",
        r#""v""#,
        "update:clients",
    ),
    case(
        "DELETE /dossier/v1/clients/{id}/client_metadata/{key}",
        "/dossier/v1/clients/{client}/client_metadata/k",
        "",
        "update:clients",
    ),
    case("POST /dossier/v1/login-links", "/dossier/v1/login-links", "{}", "dossier:operator"),
    case("GET /dossier/v1/overview", "/dossier/v1/overview", "", "read:users"),
    case("GET /dossier/v1/requests", "/dossier/v1/requests", "", "read:logs"),
    case("DELETE /dossier/v1/requests", "/dossier/v1/requests", "", "update:tenant_settings"),
    case(
        "POST /dossier/v1/tokens",
        "/dossier/v1/tokens",
        r#"{"client_id":"{machine}","scopes":[]}"#,
        "read:client_keys",
    ),
    case(
        "POST /dossier/v1/tokens/inspect",
        "/dossier/v1/tokens/inspect",
        r#"{"token":"x"}"#,
        "read:clients",
    ),
    case("GET /dossier/v1/config", "/dossier/v1/config", "", "dossier:operator"),
    case("GET /dossier/v1/tenants", "/dossier/v1/tenants", "", "dossier:operator"),
    case("POST /dossier/v1/tenants", "/dossier/v1/tenants", r#"{"id":"beta"}"#, "dossier:operator"),
    case("GET /dossier/v1/tenants/{id}", "/dossier/v1/tenants/alpha", "", "dossier:operator"),
    case(
        "PATCH /dossier/v1/tenants/{id}",
        "/dossier/v1/tenants/alpha",
        r#"{"compat":"strict"}"#,
        "dossier:operator",
    ),
    case(
        "POST /dossier/v1/tenants/{id}/fork",
        "/dossier/v1/tenants/default/fork",
        r#"{"id":"gamma"}"#,
        "dossier:operator",
    ),
    case("DELETE /dossier/v1/tenants/{id}", "/dossier/v1/tenants/alpha", "", "dossier:operator"),
    case("POST /dossier/v1/keys/rotate", "/dossier/v1/keys/rotate", "", "dossier:operator"),
    case("POST /dossier/v1/snapshots", "/dossier/v1/snapshots", "", "dossier:operator"),
    case("GET /dossier/v1/snapshots", "/dossier/v1/snapshots", "", "dossier:operator"),
    case(
        "GET /dossier/v1/snapshots/{file}",
        "/dossier/v1/snapshots/0-1.snap",
        "",
        "dossier:snapshots",
    ),
    case(
        "POST /dossier/v1/snapshots/{file}/verify",
        "/dossier/v1/snapshots/0-1.snap/verify",
        "",
        "dossier:snapshots",
    ),
    case("POST /dossier/v1/config/reload", "/dossier/v1/config/reload", "", "dossier:operator"),
];

const V1_USER: &str = r#"{"email":"new@example.com","connection":"Username-Password-Authentication","password":"Long-enough-1!"}"#;

/// A public key nobody uses.
pub(super) const CREDENTIAL: &str = r#"{"credential_type":"public_key","pem":"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAlNiV87eF8Mys0mRxsshu\n2iNHxdR8MU84HZJmHelD1QB8lV3nZaAvMj3+wNFkpQxxltlJRCNYmuHWG5ZG1iRH\nljX/PtB/vz44j12RYm9aD4otpD50lJJ9ybzTufN1/EcTnyCOujWVAgh7MKcSQl14\nUYtLCfk3iX9nK8sGWXPghmYzEL5Fm5CqxQqwSTIZWtDhQ9pUw0X+mejUFwWRQdb8\nF/1EpBO0JLu8jUlRwctp2KAHs8l+KWVpn3KchScX2K9G8pux7wiPTMEZYFNgZqzt\naeG3g7n8vmQiUuAA7hIHQyVpNO6RbX2KzyOvi+WuBYiKHACxcBmfMsb+h+doZigF\nSQIDAQAB\n-----END PUBLIC KEY-----\n"}"#;

const IMPORT: &str = concat!(
    "--x\r\nContent-Disposition: form-data; name=\"connection_id\"\r\n\r\ncon_0000000000000000\r\n",
    "--x\r\nContent-Disposition: form-data; name=\"users\"; filename=\"users.json\"\r\n",
    "Content-Type: application/json\r\n\r\n[{\"email\":\"imported@example.com\"}]\r\n--x--\r\n",
);
