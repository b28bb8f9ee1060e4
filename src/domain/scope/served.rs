//! The scopes of an administrator: those of what this server serves.

use super::Scope;

/// What the scopes of an administrator are about: everything this server serves. Naming
/// Auth0's other two hundred would make tokens too long for a proxy's header limit.
const SERVED: &[&str] = &[
    "users",
    "users_app_metadata",
    "user_idp_tokens",
    "user_tickets",
    "user_custom_blocks",
    "current_user",
    "current_user_metadata",
    "current_user_identities",
    "clients",
    "client_keys",
    "client_credentials",
    "client_summary",
    "client_grants",
    "connections",
    "connections_options",
    "resource_servers",
    "tenant_settings",
    "refresh_tokens",
    "grants",
    "logs",
    "logs_users",
    "stats",
    "roles",
    "role_members",
    "organizations",
    "organization_members",
    "event_streams",
    "events",
    "custom_domains",
    "branding",
    "email_provider",
    "email_templates",
];

impl Scope {
    /// Scopes over all tenants. Only the default tenant ever gives them.
    pub const OVER_ALL_TENANTS: [Self; 5] = [
        Self::DOSSIER_OPERATOR,
        Self::DOSSIER_SNAPSHOTS,
        Self::READ_TENANTS,
        Self::CREATE_TENANTS,
        Self::DELETE_TENANTS,
    ];

    /// Scopes that nobody gives to others who has them not: the server itself, and copies of
    /// everything with the hashes of passwords in them.
    pub const NOT_TO_BE_LENT: &[Self] = &[Self::DOSSIER_OPERATOR, Self::DOSSIER_SNAPSHOTS];

    /// Every scope an administrator of a tenant has: only the default tenant's may operate the server.
    pub fn served(is_default: bool) -> impl Iterator<Item = Self> {
        let is_theirs = move |scope: &Self| match *scope {
            Self::IAM => true,
            Self::DOSSIER_OPERATOR | Self::DOSSIER_SNAPSHOTS => is_default,
            other => other.name().split_once(':').is_some_and(|(_, about)| SERVED.contains(&about)),
        };
        Self::all().filter(is_theirs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn administrators_operate_the_server_at_the_default_tenant_only() {
        let has = |is_default, scope| Scope::served(is_default).any(|own| own == scope);
        for scope in Scope::NOT_TO_BE_LENT {
            assert!(has(true, *scope) && !has(false, *scope), "{scope}");
            assert!(Scope::OVER_ALL_TENANTS.contains(scope), "{scope}");
        }
        assert!(has(false, Scope::DELETE_USERS) && has(false, Scope::IAM));
        assert!(!has(true, Scope::READ_RULES));
    }
}
