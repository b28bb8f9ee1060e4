//! Scopes: what a token lets its bearer do.
//!
//! The names this service knows are numbered here, so that a rule is a test of a
//! bit. The numbers live in memory only: what is stored and sent is the text, and
//! the list may be reordered at any time. A name we do not know (an API of the
//! tenant's own may define any) stays in the text and opens nothing here.

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

const WORDS: usize = 5;
const WORD_BITS: u16 = 64;

/// One scope that this service knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(u16);

macro_rules! known_scopes {
    ($($name:ident = $text:literal,)+) => {
        /// Gives every scope its place in the list.
        #[expect(non_camel_case_types, clippy::upper_case_acronyms, reason = "named like the constants they number")]
        #[repr(u16)]
        enum Place { $($name),+ }

        #[expect(clippy::as_conversions, reason = "the one way from a C-like enum to its number in a constant")]
        impl Scope {
            $(
                #[doc = concat!("`", $text, "`")]
                pub const $name: Self = Self(Place::$name as u16);
            )+
        }

        const NAMES: &[&str] = &[$($text),+];
    };
}

known_scopes! {
    // users
    READ_USERS = "read:users",
    CREATE_USERS = "create:users",
    UPDATE_USERS = "update:users",
    DELETE_USERS = "delete:users",
    READ_USERS_APP_METADATA = "read:users_app_metadata",
    CREATE_USERS_APP_METADATA = "create:users_app_metadata",
    UPDATE_USERS_APP_METADATA = "update:users_app_metadata",
    DELETE_USERS_APP_METADATA = "delete:users_app_metadata",
    READ_USER_IDP_TOKENS = "read:user_idp_tokens",
    DELETE_USER_IDP_TOKENS = "delete:user_idp_tokens",
    CREATE_USER_TICKETS = "create:user_tickets",
    READ_USER_CUSTOM_BLOCKS = "read:user_custom_blocks",
    CREATE_USER_CUSTOM_BLOCKS = "create:user_custom_blocks",
    DELETE_USER_CUSTOM_BLOCKS = "delete:user_custom_blocks",
    // users over themselves
    READ_CURRENT_USER = "read:current_user",
    UPDATE_CURRENT_USER_METADATA = "update:current_user_metadata",
    CREATE_CURRENT_USER_METADATA = "create:current_user_metadata",
    DELETE_CURRENT_USER_METADATA = "delete:current_user_metadata",
    UPDATE_CURRENT_USER_IDENTITIES = "update:current_user_identities",
    CREATE_CURRENT_USER_DEVICE_CREDENTIALS = "create:current_user_device_credentials",
    DELETE_CURRENT_USER_DEVICE_CREDENTIALS = "delete:current_user_device_credentials",
    DELETE_CURRENT_USER = "delete:current_user",
    // clients
    READ_CLIENTS = "read:clients",
    CREATE_CLIENTS = "create:clients",
    UPDATE_CLIENTS = "update:clients",
    DELETE_CLIENTS = "delete:clients",
    READ_CLIENT_KEYS = "read:client_keys",
    CREATE_CLIENT_KEYS = "create:client_keys",
    UPDATE_CLIENT_KEYS = "update:client_keys",
    DELETE_CLIENT_KEYS = "delete:client_keys",
    READ_CLIENT_CREDENTIALS = "read:client_credentials",
    CREATE_CLIENT_CREDENTIALS = "create:client_credentials",
    UPDATE_CLIENT_CREDENTIALS = "update:client_credentials",
    DELETE_CLIENT_CREDENTIALS = "delete:client_credentials",
    READ_CLIENT_SUMMARY = "read:client_summary",
    READ_CLIENT_GRANTS = "read:client_grants",
    CREATE_CLIENT_GRANTS = "create:client_grants",
    UPDATE_CLIENT_GRANTS = "update:client_grants",
    DELETE_CLIENT_GRANTS = "delete:client_grants",
    // connections
    READ_CONNECTIONS = "read:connections",
    CREATE_CONNECTIONS = "create:connections",
    UPDATE_CONNECTIONS = "update:connections",
    DELETE_CONNECTIONS = "delete:connections",
    READ_CONNECTIONS_OPTIONS = "read:connections_options",
    UPDATE_CONNECTIONS_OPTIONS = "update:connections_options",
    READ_CONNECTIONS_KEYS = "read:connections_keys",
    CREATE_CONNECTIONS_KEYS = "create:connections_keys",
    UPDATE_CONNECTIONS_KEYS = "update:connections_keys",
    READ_DIRECTORY_PROVISIONINGS = "read:directory_provisionings",
    CREATE_DIRECTORY_PROVISIONINGS = "create:directory_provisionings",
    UPDATE_DIRECTORY_PROVISIONINGS = "update:directory_provisionings",
    DELETE_DIRECTORY_PROVISIONINGS = "delete:directory_provisionings",
    READ_SCIM_CONFIG = "read:scim_config",
    CREATE_SCIM_CONFIG = "create:scim_config",
    UPDATE_SCIM_CONFIG = "update:scim_config",
    DELETE_SCIM_CONFIG = "delete:scim_config",
    CREATE_SCIM_TOKEN = "create:scim_token",
    READ_SCIM_TOKEN = "read:scim_token",
    DELETE_SCIM_TOKEN = "delete:scim_token",
    READ_CONNECTION_PROFILES = "read:connection_profiles",
    CREATE_CONNECTION_PROFILES = "create:connection_profiles",
    UPDATE_CONNECTION_PROFILES = "update:connection_profiles",
    DELETE_CONNECTION_PROFILES = "delete:connection_profiles",
    READ_USER_ATTRIBUTE_PROFILES = "read:user_attribute_profiles",
    CREATE_USER_ATTRIBUTE_PROFILES = "create:user_attribute_profiles",
    UPDATE_USER_ATTRIBUTE_PROFILES = "update:user_attribute_profiles",
    DELETE_USER_ATTRIBUTE_PROFILES = "delete:user_attribute_profiles",
    // APIs
    READ_RESOURCE_SERVERS = "read:resource_servers",
    CREATE_RESOURCE_SERVERS = "create:resource_servers",
    UPDATE_RESOURCE_SERVERS = "update:resource_servers",
    DELETE_RESOURCE_SERVERS = "delete:resource_servers",
    READ_TOKEN_EXCHANGE_PROFILES = "read:token_exchange_profiles",
    CREATE_TOKEN_EXCHANGE_PROFILES = "create:token_exchange_profiles",
    UPDATE_TOKEN_EXCHANGE_PROFILES = "update:token_exchange_profiles",
    DELETE_TOKEN_EXCHANGE_PROFILES = "delete:token_exchange_profiles",
    READ_GROUP_MEMBERS = "read:group_members",
    CREATE_GROUP_MEMBERS = "create:group_members",
    DELETE_GROUP_MEMBERS = "delete:group_members",
    // roles, organizations and groups
    READ_ROLES = "read:roles",
    CREATE_ROLES = "create:roles",
    UPDATE_ROLES = "update:roles",
    DELETE_ROLES = "delete:roles",
    READ_ROLE_MEMBERS = "read:role_members",
    CREATE_ROLE_MEMBERS = "create:role_members",
    DELETE_ROLE_MEMBERS = "delete:role_members",
    READ_ORGANIZATIONS = "read:organizations",
    CREATE_ORGANIZATIONS = "create:organizations",
    UPDATE_ORGANIZATIONS = "update:organizations",
    DELETE_ORGANIZATIONS = "delete:organizations",
    READ_ORGANIZATION_MEMBERS = "read:organization_members",
    CREATE_ORGANIZATION_MEMBERS = "create:organization_members",
    UPDATE_ORGANIZATION_MEMBERS = "update:organization_members",
    DELETE_ORGANIZATION_MEMBERS = "delete:organization_members",
    READ_ORGANIZATION_CONNECTIONS = "read:organization_connections",
    CREATE_ORGANIZATION_CONNECTIONS = "create:organization_connections",
    UPDATE_ORGANIZATION_CONNECTIONS = "update:organization_connections",
    DELETE_ORGANIZATION_CONNECTIONS = "delete:organization_connections",
    READ_ORGANIZATION_MEMBER_ROLES = "read:organization_member_roles",
    CREATE_ORGANIZATION_MEMBER_ROLES = "create:organization_member_roles",
    UPDATE_ORGANIZATION_MEMBER_ROLES = "update:organization_member_roles",
    DELETE_ORGANIZATION_MEMBER_ROLES = "delete:organization_member_roles",
    READ_ORGANIZATION_INVITATIONS = "read:organization_invitations",
    CREATE_ORGANIZATION_INVITATIONS = "create:organization_invitations",
    DELETE_ORGANIZATION_INVITATIONS = "delete:organization_invitations",
    READ_ORGANIZATIONS_SUMMARY = "read:organizations_summary",
    READ_ORGANIZATION_CLIENT_GRANTS = "read:organization_client_grants",
    CREATE_ORGANIZATION_CLIENT_GRANTS = "create:organization_client_grants",
    DELETE_ORGANIZATION_CLIENT_GRANTS = "delete:organization_client_grants",
    READ_ORGANIZATION_DISCOVERY_DOMAINS = "read:organization_discovery_domains",
    CREATE_ORGANIZATION_DISCOVERY_DOMAINS = "create:organization_discovery_domains",
    UPDATE_ORGANIZATION_DISCOVERY_DOMAINS = "update:organization_discovery_domains",
    DELETE_ORGANIZATION_DISCOVERY_DOMAINS = "delete:organization_discovery_domains",
    READ_GROUPS = "read:groups",
    CREATE_GROUPS = "create:groups",
    UPDATE_GROUPS = "update:groups",
    DELETE_GROUPS = "delete:groups",
    // the tenant
    READ_TENANT_SETTINGS = "read:tenant_settings",
    UPDATE_TENANT_SETTINGS = "update:tenant_settings",
    READ_BRANDING = "read:branding",
    UPDATE_BRANDING = "update:branding",
    DELETE_BRANDING = "delete:branding",
    READ_CUSTOM_DOMAINS = "read:custom_domains",
    CREATE_CUSTOM_DOMAINS = "create:custom_domains",
    UPDATE_CUSTOM_DOMAINS = "update:custom_domains",
    DELETE_CUSTOM_DOMAINS = "delete:custom_domains",
    READ_ENTITLEMENTS = "read:entitlements",
    READ_LIMITS = "read:limits",
    UPDATE_LIMITS = "update:limits",
    // rules, hooks and actions
    READ_RULES = "read:rules",
    CREATE_RULES = "create:rules",
    UPDATE_RULES = "update:rules",
    DELETE_RULES = "delete:rules",
    READ_RULES_CONFIGS = "read:rules_configs",
    CREATE_RULES_CONFIGS = "create:rules_configs",
    UPDATE_RULES_CONFIGS = "update:rules_configs",
    DELETE_RULES_CONFIGS = "delete:rules_configs",
    READ_HOOKS = "read:hooks",
    CREATE_HOOKS = "create:hooks",
    UPDATE_HOOKS = "update:hooks",
    DELETE_HOOKS = "delete:hooks",
    READ_ACTIONS = "read:actions",
    CREATE_ACTIONS = "create:actions",
    UPDATE_ACTIONS = "update:actions",
    DELETE_ACTIONS = "delete:actions",
    READ_TRIGGERS = "read:triggers",
    UPDATE_TRIGGERS = "update:triggers",
    READ_FORMS = "read:forms",
    CREATE_FORMS = "create:forms",
    UPDATE_FORMS = "update:forms",
    DELETE_FORMS = "delete:forms",
    READ_FLOWS = "read:flows",
    CREATE_FLOWS = "create:flows",
    UPDATE_FLOWS = "update:flows",
    DELETE_FLOWS = "delete:flows",
    READ_FLOWS_VAULT_CONNECTIONS = "read:flows_vault_connections",
    CREATE_FLOWS_VAULT_CONNECTIONS = "create:flows_vault_connections",
    UPDATE_FLOWS_VAULT_CONNECTIONS = "update:flows_vault_connections",
    DELETE_FLOWS_VAULT_CONNECTIONS = "delete:flows_vault_connections",
    READ_FLOWS_EXECUTIONS = "read:flows_executions",
    DELETE_FLOWS_EXECUTIONS = "delete:flows_executions",
    // logs and numbers
    READ_LOGS = "read:logs",
    READ_LOGS_USERS = "read:logs_users",
    READ_LOG_STREAMS = "read:log_streams",
    CREATE_LOG_STREAMS = "create:log_streams",
    UPDATE_LOG_STREAMS = "update:log_streams",
    DELETE_LOG_STREAMS = "delete:log_streams",
    READ_STATS = "read:stats",
    READ_INSIGHTS = "read:insights",
    READ_EVENT_STREAMS = "read:event_streams",
    CREATE_EVENT_STREAMS = "create:event_streams",
    UPDATE_EVENT_STREAMS = "update:event_streams",
    DELETE_EVENT_STREAMS = "delete:event_streams",
    READ_EVENT_DELIVERIES = "read:event_deliveries",
    UPDATE_EVENT_DELIVERIES = "update:event_deliveries",
    // mail, text messages and prompts
    READ_EMAIL_TEMPLATES = "read:email_templates",
    CREATE_EMAIL_TEMPLATES = "create:email_templates",
    UPDATE_EMAIL_TEMPLATES = "update:email_templates",
    DELETE_EMAIL_TEMPLATES = "delete:email_templates",
    READ_EMAIL_PROVIDER = "read:email_provider",
    CREATE_EMAIL_PROVIDER = "create:email_provider",
    UPDATE_EMAIL_PROVIDER = "update:email_provider",
    DELETE_EMAIL_PROVIDER = "delete:email_provider",
    READ_PHONE_PROVIDERS = "read:phone_providers",
    CREATE_PHONE_PROVIDERS = "create:phone_providers",
    UPDATE_PHONE_PROVIDERS = "update:phone_providers",
    DELETE_PHONE_PROVIDERS = "delete:phone_providers",
    READ_PHONE_TEMPLATES = "read:phone_templates",
    CREATE_PHONE_TEMPLATES = "create:phone_templates",
    UPDATE_PHONE_TEMPLATES = "update:phone_templates",
    DELETE_PHONE_TEMPLATES = "delete:phone_templates",
    READ_PROMPTS = "read:prompts",
    UPDATE_PROMPTS = "update:prompts",
    // protection
    READ_SHIELDS = "read:shields",
    CREATE_SHIELDS = "create:shields",
    UPDATE_SHIELDS = "update:shields",
    DELETE_SHIELDS = "delete:shields",
    READ_ANOMALY_BLOCKS = "read:anomaly_blocks",
    DELETE_ANOMALY_BLOCKS = "delete:anomaly_blocks",
    READ_ATTACK_PROTECTION = "read:attack_protection",
    UPDATE_ATTACK_PROTECTION = "update:attack_protection",
    READ_NETWORK_ACLS = "read:network_acls",
    CREATE_NETWORK_ACLS = "create:network_acls",
    UPDATE_NETWORK_ACLS = "update:network_acls",
    DELETE_NETWORK_ACLS = "delete:network_acls",
    BLACKLIST_TOKENS = "blacklist:tokens",
    // second factors
    READ_GUARDIAN_FACTORS = "read:guardian_factors",
    UPDATE_GUARDIAN_FACTORS = "update:guardian_factors",
    READ_GUARDIAN_ENROLLMENTS = "read:guardian_enrollments",
    CREATE_GUARDIAN_ENROLLMENT_TICKETS = "create:guardian_enrollment_tickets",
    DELETE_GUARDIAN_ENROLLMENTS = "delete:guardian_enrollments",
    READ_MFA_POLICIES = "read:mfa_policies",
    UPDATE_MFA_POLICIES = "update:mfa_policies",
    READ_AUTHENTICATION_METHODS = "read:authentication_methods",
    CREATE_AUTHENTICATION_METHODS = "create:authentication_methods",
    UPDATE_AUTHENTICATION_METHODS = "update:authentication_methods",
    DELETE_AUTHENTICATION_METHODS = "delete:authentication_methods",
    READ_GRANTS = "read:grants",
    DELETE_GRANTS = "delete:grants",
    READ_SESSIONS = "read:sessions",
    UPDATE_SESSIONS = "update:sessions",
    DELETE_SESSIONS = "delete:sessions",
    READ_REFRESH_TOKENS = "read:refresh_tokens",
    UPDATE_REFRESH_TOKENS = "update:refresh_tokens",
    DELETE_REFRESH_TOKENS = "delete:refresh_tokens",
    READ_DEVICE_CREDENTIALS = "read:device_credentials",
    CREATE_DEVICE_CREDENTIALS = "create:device_credentials",
    DELETE_DEVICE_CREDENTIALS = "delete:device_credentials",
    // keys
    READ_ENCRYPTION_KEYS = "read:encryption_keys",
    CREATE_ENCRYPTION_KEYS = "create:encryption_keys",
    UPDATE_ENCRYPTION_KEYS = "update:encryption_keys",
    DELETE_ENCRYPTION_KEYS = "delete:encryption_keys",
    READ_SIGNING_KEYS = "read:signing_keys",
    CREATE_SIGNING_KEYS = "create:signing_keys",
    UPDATE_SIGNING_KEYS = "update:signing_keys",
    READ_VDCS_TEMPLATES = "read:vdcs_templates",
    CREATE_VDCS_TEMPLATES = "create:vdcs_templates",
    UPDATE_VDCS_TEMPLATES = "update:vdcs_templates",
    DELETE_VDCS_TEMPLATES = "delete:vdcs_templates",
    // self service
    READ_SELF_SERVICE_PROFILES = "read:self_service_profiles",
    CREATE_SELF_SERVICE_PROFILES = "create:self_service_profiles",
    UPDATE_SELF_SERVICE_PROFILES = "update:self_service_profiles",
    DELETE_SELF_SERVICE_PROFILES = "delete:self_service_profiles",
    READ_SELF_SERVICE_PROFILE_CUSTOM_TEXTS = "read:self_service_profile_custom_texts",
    UPDATE_SELF_SERVICE_PROFILE_CUSTOM_TEXTS = "update:self_service_profile_custom_texts",
    CREATE_SSO_ACCESS_TICKETS = "create:sso_access_tickets",
    DELETE_SSO_ACCESS_TICKETS = "delete:sso_access_tickets",
    // checks of passwords
    CREATE_PASSWORDS_CHECKING_JOB = "create:passwords_checking_job",
    DELETE_PASSWORDS_CHECKING_JOB = "delete:passwords_checking_job",
    // Dossier's own: tenants, and the way to all of them
    READ_TENANTS = "read:tenants",
    CREATE_TENANTS = "create:tenants",
    DELETE_TENANTS = "delete:tenants",
    DOSSIER_OPERATOR = "dossier:operator",
    // Bizzkit's API
    IAM = "iam/",
}

const _: () = assert!(NAMES.len() <= WORDS * 64, "more scopes than bits: raise WORDS");

static BY_NAME: LazyLock<HashMap<&'static str, Scope>> =
    LazyLock::new(|| Scope::all().map(|scope| (scope.name(), scope)).collect());

impl Scope {
    /// The scope with this name, if we know it. Names are compared whole.
    pub fn parse(name: &str) -> Option<Self> {
        BY_NAME.get(name).copied()
    }

    /// The name, as it stands in a token.
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().expect("a scope is made from its place in the list")
    }

    /// Every scope there is, in the order of the list.
    pub fn all() -> impl Iterator<Item = Self> {
        (0_u16..).take(NAMES.len()).map(Self)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of known scopes, small enough to be copied into every caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ScopeSet([u64; WORDS]);

impl ScopeSet {
    /// The set without any scope.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Adds one scope.
    pub fn insert(&mut self, scope: Scope) {
        if let Some(word) = self.0.get_mut(usize::from(scope.0 / WORD_BITS)) {
            *word |= 1 << (scope.0 % WORD_BITS);
        }
    }

    /// Whether the scope is in the set.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0
            .get(usize::from(scope.0 / WORD_BITS))
            .is_some_and(|word| word & (1 << (scope.0 % WORD_BITS)) != 0)
    }

    /// Whether at least one of these is in the set. An empty list is never
    /// satisfied: a rule that names no scope opens nothing by accident.
    pub fn contains_any(&self, scopes: &[Scope]) -> bool {
        scopes.iter().any(|scope| self.contains(*scope))
    }

    /// Whether all of these are in the set.
    pub fn contains_all(&self, scopes: &[Scope]) -> bool {
        scopes.iter().all(|scope| self.contains(*scope))
    }

    /// Whether there is nothing in the set.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// What is in the set, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        let set = *self;
        Scope::all().filter(move |scope| set.contains(*scope))
    }

    /// Every scope there is.
    pub fn all() -> Self {
        Scope::all().collect()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::EMPTY;
        scopes.into_iter().for_each(|scope| set.insert(scope));
        set
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The scopes of one token or grant: the text as it was given, and what we know
/// of it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Scopes {
    text: Box<str>,
    known: ScopeSet,
}

impl Scopes {
    /// Reads names with single spaces between them. Two spaces have an empty name
    /// between them, which is unknown like any other; only a space separates.
    pub fn parse(text: &str) -> Self {
        let known = text.split(' ').filter_map(Scope::parse).collect();
        Self { text: text.into(), known }
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What we know of it.
    pub fn known(&self) -> ScopeSet {
        self.known
    }

    /// Whether this known scope is among them.
    pub fn contains(&self, scope: Scope) -> bool {
        self.known.contains(scope)
    }

    /// Whether at least one of these is among them; see [`ScopeSet::contains_any`].
    pub fn any_of(&self, scopes: &[Scope]) -> bool {
        self.known.contains_any(scopes)
    }

    /// Whether this name, known to us or not, is among them.
    pub fn names(&self, name: &str) -> bool {
        !name.is_empty() && self.text.split(' ').any(|own| own == name)
    }

    /// What of a request is granted: the names that were asked for and are among
    /// these, in the order of the request and each once. Who asks for nothing
    /// gets everything.
    #[must_use]
    pub fn narrowed_to(&self, requested: &str) -> Self {
        if requested.split(' ').all(str::is_empty) {
            return self.clone();
        }
        let mut granted: Vec<&str> = Vec::new();
        for name in requested.split(' ') {
            if self.names(name) && !granted.contains(&name) {
                granted.push(name);
            }
        }
        Self::parse(&granted.join(" "))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_is_there_once_and_leads_back_to_its_scope() {
        let names: HashSet<&str> = NAMES.iter().copied().collect();
        assert_eq!(names.len(), NAMES.len());
        for scope in Scope::all() {
            assert_eq!(Scope::parse(scope.name()), Some(scope));
            assert!(ScopeSet::from_iter([scope]).contains(scope));
            assert_eq!(ScopeSet::from_iter([scope]).iter().collect::<Vec<_>>(), [scope]);
        }
    }

    #[test]
    fn names_are_plain_words() {
        for name in NAMES {
            let plain = |c: char| c.is_ascii_lowercase() || "_:/".contains(c);
            assert!(!name.is_empty() && name.chars().all(plain), "{name}");
        }
    }

    #[test]
    fn constants_carry_their_names() {
        assert_eq!(Scope::READ_USERS.name(), "read:users");
        assert_eq!(Scope::IAM.name(), "iam/");
        assert_eq!(Scope::DOSSIER_OPERATOR.to_string(), "dossier:operator");
    }

    #[test]
    fn text_becomes_bits_and_stays_text() {
        let scopes = Scopes::parse("read:users update:things openid");
        assert_eq!(scopes.text(), "read:users update:things openid");
        assert_eq!(scopes.known(), ScopeSet::from_iter([Scope::READ_USERS]));
        assert!(scopes.contains(Scope::READ_USERS));
        assert!(scopes.names("update:things"));
        assert!(!scopes.names("update:thing"));
    }

    #[track_caller]
    fn opens_nothing(text: &str) {
        assert!(Scopes::parse(text).known().is_empty(), "{text:?}");
    }

    #[test]
    fn a_name_that_is_only_like_one_of_ours_opens_nothing() {
        for text in [
            "", " ", "read:user", "read:userss", "READ:USERS", "read:users,", "read:users,update:users",
            "read:users\tupdate:users", "read:users\nupdate:users", "read:users\0", "read: users",
            "\u{a0}read:users", "*", "read:*", "iam",
        ] {
            opens_nothing(text);
        }
    }

    #[test]
    fn spaces_too_many_do_no_harm() {
        let set = Scopes::parse(" read:users  delete:users ").known();
        assert_eq!(set, ScopeSet::from_iter([Scope::READ_USERS, Scope::DELETE_USERS]));
    }

    #[test]
    fn any_of_nothing_is_never_true() {
        assert!(!ScopeSet::all().contains_any(&[]));
        assert!(ScopeSet::all().contains_any(&[Scope::READ_USERS]));
        assert!(!ScopeSet::EMPTY.contains_any(&[Scope::READ_USERS, Scope::READ_CLIENTS]));
    }

    #[track_caller]
    fn narrowed(granted: &str, requested: &str, result: &str) {
        assert_eq!(Scopes::parse(granted).narrowed_to(requested).text(), result);
    }

    #[test]
    fn a_request_never_gets_more_than_was_granted() {
        narrowed("read:users update:users", "update:users delete:users", "update:users");
        narrowed("read:users update:users", "update:users read:users", "update:users read:users");
        narrowed("read:users own:thing", "own:thing own:thing", "own:thing");
        narrowed("read:users", "delete:users", "");
        narrowed("read:users update:users", "", "read:users update:users");
        narrowed("read:users update:users", "  ", "read:users update:users");
        narrowed("", "read:users", "");
    }

    proptest! {
        #[test]
        fn a_set_holds_what_was_put_in(places in proptest::collection::hash_set(0..NAMES.len(), 0..40)) {
            let scopes: HashSet<Scope> = places.iter().map(|place| Scope(u16::try_from(*place).unwrap())).collect();
            let set: ScopeSet = scopes.iter().copied().collect();
            for scope in Scope::all() {
                prop_assert_eq!(set.contains(scope), scopes.contains(&scope));
            }
            let text: Vec<&str> = set.iter().map(Scope::name).collect();
            prop_assert_eq!(Scopes::parse(&text.join(" ")).known(), set);
        }

        #[test]
        fn narrowing_is_a_subset_of_both(granted in "([ab]:[cd] ?){0,4}", requested in "([ab]:[cd] ?){1,4}") {
            let result = Scopes::parse(&granted).narrowed_to(&requested);
            for name in result.text().split(' ').filter(|name| !name.is_empty()) {
                prop_assert!(Scopes::parse(&granted).names(name));
                prop_assert!(Scopes::parse(&requested).names(name));
            }
        }
    }
}
