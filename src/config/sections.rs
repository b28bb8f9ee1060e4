//! Every setting, declared once: a row of the table and a field of its struct.
//!
//! A line reads: field (key in the file, when it differs): type = kind "default"
//! `["unit"]` "smallest" to "largest" zero "what zero means", live or restart.

use std::path::PathBuf;
use std::time::Duration;

use super::choice::{
    AccessLog, Durability, LogFormat, LogLevel, OnIoError, StorageMode, StrictKeys, TlsMode,
};
use super::table::{Section, Setting, Values};
use super::value::{Address, Kind};

/// Makes the structs and the table out of one list.
macro_rules! sections {
    (@kind text $ty:ty) => { Kind::Text };
    (@kind address $ty:ty) => { Kind::Address };
    (@kind path $ty:ty) => { Kind::Path };
    (@kind flag $ty:ty) => { Kind::Flag };
    (@kind count $ty:ty) => { Kind::Count };
    (@kind duration $ty:ty) => { Kind::Duration };
    (@kind size $ty:ty) => { Kind::Size };
    (@kind choice $ty:ty) => { Kind::Choice(<$ty>::WORDS) };
    (@kind list $ty:ty) => { Kind::List };
    (@live live) => { true };
    (@live restart) => { false };
    (@path $section:ident $field:ident) => { concat!(stringify!($section), ".", stringify!($field)) };
    (@path $section:ident $field:ident $key:literal) => { concat!(stringify!($section), ".", $key) };
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $struct:ident {$(
            $(#[doc = $doc:literal])+
            $field:ident $(($key:literal))?: $ty:ty = $kind:ident $default:literal
                $([$unit:literal])? $($min:literal to $max:literal)? $(zero $zero:literal)?, $live:ident;
        )+}
    )+) => {
        /// The sections of the file, in order.
        pub const SECTIONS: &[Section] = &[$(
            Section {
                name: stringify!($section),
                doc: concat!($($section_doc),+),
                settings: &[$(
                    Setting {
                        path: sections!(@path $section $field $($key)?),
                        kind: sections!(@kind $kind $ty),
                        unit: concat!($($unit)?),
                        default: $default,
                        min: concat!($($min)?),
                        max: concat!($($max)?),
                        zero: concat!($($zero)?),
                        live: sections!(@live $live),
                        secret: false,
                        doc: concat!($($doc),+),
                    },
                )+],
            },
        )+];

        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $struct {$(
                $(#[doc = $doc])+
                #[doc = ""]
                #[doc = concat!(
                    "Default `", $default, "`", $(" ", $unit,)? $(", from `", $min, "` to `", $max, "`",)?
                    $("; zero: ", $zero,)? "; ", stringify!($live), "."
                )]
                pub $field: $ty,
            )+}

            impl $struct {
                /// Takes the section's values out of the table's.
                pub(super) fn from_values(values: &Values) -> Self {
                    Self { $($field: values.typed(sections!(@path $section $field $($key)?)),)+ }
                }

                /// Puts them back.
                pub(super) fn write(&self, values: &mut Values) {
                    $(values.set(
                        sections!(@path $section $field $($key)?),
                        super::value::Typed::to_value(&self.$field),
                    );)+
                }
            }
        )+

        /// Everything that can be set, found and checked.
        ///
        /// Sizes are in bytes. Build one with [`load`](super::load), or take the defaults.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Settings {
            $($(#[doc = $section_doc])+ pub $section: $struct,)+
            /// The tenants declared in the file.
            pub tenants: Vec<super::tenant::TenantSettings>,
        }

        impl Settings {
            pub(super) fn from_values(values: &Values, tenants: Vec<super::tenant::TenantSettings>) -> Self {
                Self { $($section: $struct::from_values(values),)+ tenants }
            }

            pub(super) fn values(&self) -> Values {
                let mut values = Values::empty();
                $(self.$section.write(&mut values);)+
                values
            }
        }
    };
}

/// The sections of which a tenant may override the live keys.
pub(super) const OVERRIDABLE: &[&str] = &["limits", "rate_limit", "search", "history", "claims"];

sections! {
    /// Where and how Dossier listens.
    server: Server {
        /// Address of plain HTTP, host:port; port 0 lets the system choose.
        listen: Address = address "127.0.0.1:7800", restart;
        /// Address of HTTPS, host:port; used unless tls is "off".
        https_listen: Address = address "127.0.0.1:7843", restart;
        /// Certificate of HTTPS: made for development, from files, or no HTTPS at all.
        tls: TlsMode = choice "dev", restart;
        /// Certificate chain (PEM); needed when tls is "files".
        tls_cert: Option<PathBuf> = path "", restart;
        /// Private key of the certificate (PEM); needed when tls is "files".
        tls_key: Option<PathBuf> = path "", restart;
        /// Base of links and curl lines, such as `https://profiles.example.com`; empty means from listen.
        public_url: String = text "", live;
        /// Threads that serve requests.
        workers: usize = count "0" ["threads"] "1" to "256" zero "one for each CPU core", restart;
        /// Open connections for each worker, fewer where descriptors are short (`ulimit -n`); more
        /// wait in the system's queue.
        max_connections: usize = count "10000" ["connections"] "1" to "1000000", restart;
        /// How long an idle connection stays open.
        keep_alive: Duration = duration "30s" "1s" to "2h" zero "close after each answer", restart;
        /// Time a client has to send the head of a request.
        head_timeout: Duration = duration "5s" "100ms" to "10m", restart;
        /// Time a client has to send the whole body of a request.
        body_timeout: Duration = duration "10s" "100ms" to "10m", live;
        /// Time requests have to finish when Dossier stops.
        shutdown_grace: Duration = duration "10s" "0s" to "10m", live;
        /// Largest body of a request.
        max_body_bytes ("max_body"): u64 = size "1MiB" "1KiB" to "64MiB", live;
        /// Longest path and query of a request.
        max_uri_bytes ("max_uri"): u64 = size "8KiB" "1KiB" to "64KiB", live;
    }

    /// Where data is kept.
    storage: Storage {
        /// Folder of journal, snapshots and keys; only one process may use it.
        data_dir: PathBuf = path "./dossier-data", restart;
        /// Kept in memory and on disk, or in memory only (gone at the end).
        mode: StorageMode = choice "disk", restart;
        /// Space held for a full disk while a server runs, at most a sixteenth of it. When no other is
        /// left it is given back, for removals, snapshots and a clean end.
        reserve_bytes ("reserve"): u64 = size "16MiB" "64KiB" to "1GiB" zero "none", restart;
    }

    /// When the state is written as a whole, so that the journal can be cut and a start is fast.
    snapshot: Snapshot {
        /// Time between two snapshots.
        interval: Duration = duration "60s" "1s" to "24h" zero "off", live;
        /// Takes one early after this many changes.
        max_changes: u64 = count "100000" ["changes"] "100" to "1000000000", live;
        /// Takes one when Dossier stops.
        on_shutdown: bool = flag "true", live;
        /// Bytes written in a second, so that a snapshot does not slow down writes.
        bytes_per_second: u64 = size "64MiB" "1MiB" to "64GiB" zero "as fast as the disk can", live;
    }

    /// The durable order of changes.
    journal: Journal {
        /// What an acknowledged write has reached: the disk, the operating system (synced every
        /// `flush_interval`), or memory until the next snapshot.
        durability: Durability = choice "always", restart;
        /// Time between two syncs when durability is "interval"; what a power cut may take back.
        flush_interval: Duration = duration "1s" "10ms" to "60s", restart;
        /// Size of one journal file.
        segment_bytes ("segment"): u64 = size "64MiB" "1MiB" to "1GiB", restart;
        /// Largest size of all journal files; a snapshot is taken early to stay below it.
        max_bytes: u64 = size "4GiB" "8MiB" to "1024GiB", live;
        /// Records that may wait for the disk; beyond, writes are answered 503.
        queue_records: usize = count "65536" ["records"] "64" to "16777216", restart;
        /// Bytes that may wait for the disk; beyond, writes are answered 503.
        queue_bytes: u64 = size "256MiB" "1MiB" to "64GiB", restart;
        /// After a write or sync failed nothing is written until a restart: reads go on until an
        /// operator restarts it, or it ends with code 1.
        on_io_error: OnIoError = choice "serve", restart;
    }

    /// One actor for each tenant.
    actor: Actor {
        /// Messages that may wait for a tenant; beyond, requests are answered 503.
        mailbox: usize = count "8192" ["messages"] "16" to "1048576", restart;
        /// Time a write waits for its turn, and is then not made, and from its turn on for the disk: beyond
        /// that it is answered 503, outcome unknown.
        reply_timeout: Duration = duration "2s" "10ms" to "60s", restart;
        /// Bytes of request bodies of one tenant that are worked on at the same time, each body as at
        /// least 16 KiB; more wait, and beyond 64 times as much requests are answered 503.
        in_flight_bytes ("in_flight"): u64 = size "1MiB" "64KiB" to "1GiB", restart;
        /// Threads that run tenants.
        arbiters: usize = count "0" ["threads"] "1" to "256" zero "one for each CPU core", restart;
    }

    /// How much may be kept. A tenant may override these.
    limits: Limits {
        /// Largest `user_metadata` of one user.
        user_metadata_bytes ("user_metadata"): u64 = size "1MiB" "1KiB" to "16MiB", live;
        /// Largest `app_metadata` of one user.
        app_metadata_bytes ("app_metadata"): u64 = size "1MiB" "1KiB" to "16MiB", live;
        /// Logs and counts a user whose metadata is larger than this; Auth0 advises at most 10 KiB.
        profile_warn_bytes ("profile_warn"): u64 = size "10KiB" "1KiB" to "32MiB" zero "never", live;
        /// Deepest nesting of objects and lists in metadata.
        metadata_depth: usize = count "64" ["levels"] "1" to "128", live;
        /// Most keys in the `client_metadata` of one client.
        client_metadata_keys: usize = count "10" ["keys"] "1" to "1000", live;
        /// Longest key or value in `client_metadata`.
        client_metadata_chars: usize = count "255" ["characters"] "1" to "65536", live;
        /// Most users of one tenant.
        users_per_tenant: u64 = count "0" ["users"] "1" to "1000000000" zero "no limit", live;
        /// Most users on one page of a list.
        per_page: usize = count "100" ["users"] "1" to "1000", live;
        /// How far a list can be paged through; a request beyond is refused, as Auth0 does.
        paging_window: usize = count "1000" ["users"] "50" to "1000000" zero "no limit", live;
        /// What happens to metadata keys that contain a dot or a dollar sign.
        strict_keys: StrictKeys = choice "reject", live;
        /// Most entries of one user in the key/value dialect.
        entries_per_user: usize = count "1000" ["entries"] "1" to "100000", live;
        /// Most tenants.
        tenants: usize = count "10000" ["tenants"] "1" to "1000000", live;
    }

    /// Tokens, sessions and passwords.
    auth: Auth {
        /// How long a machine's token is valid.
        token_ttl: Duration = duration "24h" "60s" to "365d", live;
        /// Longest validity that can be asked for.
        max_token_ttl: Duration = duration "30d" "60s" to "3650d", live;
        /// How long a user's token is valid.
        user_token_ttl: Duration = duration "2h" "60s" to "30d", live;
        /// How far the clocks of two machines may differ.
        leeway: Duration = duration "5s" "0s" to "5m", live;
        /// Verified tokens remembered, so that a signature is checked once.
        token_cache: usize = count "100000" ["tokens"] "1" to "10000000" zero "none", restart;
        /// How long a one-time link to the dashboard is valid.
        login_link_ttl: Duration = duration "30m" "60s" to "24h", live;
        /// How long a dashboard session lasts.
        session_ttl: Duration = duration "8h" "60s" to "30d", live;
        /// Threads that hash passwords.
        password_hash_threads: usize =
            count "0" ["threads"] "1" to "64" zero "one for each CPU core", restart;
    }

    /// How often one token may ask. A tenant may override these.
    rate_limit: RateLimit {
        /// Whether there is a limit; without one, `x-ratelimit-*` headers name one nobody reaches.
        enabled: bool = flag "false", live;
        /// Requests a second in the long run.
        rps: u32 = count "50" ["requests"] "1" to "1000000", live;
        /// Requests at once after a pause.
        burst: u32 = count "100" ["requests"] "1" to "1000000", live;
    }

    /// Searching users. A tenant may override these.
    search: Search {
        /// Longest time a search may take; beyond, it is answered 503.
        timeout: Duration = duration "2s" "10ms" to "60s", live;
        /// Whether `*` and `?` work in metadata fields; off is as strict as Auth0.
        metadata_wildcards: bool = flag "true", live;
        /// Whether `[a TO b]` works in metadata fields; off is as strict as Auth0.
        metadata_ranges: bool = flag "true", live;
        /// Users from which on a search that cannot do without has an index made, some hundred bytes of
        /// memory for each user; below, users are asked one by one.
        index_from: u64 = count "5000" ["users"] "1" to "4000000000" zero "never", live;
    }

    /// What users and clients were before: history, blame, undo, events. A tenant may override how
    /// much is kept.
    history: History {
        /// Whether it is kept.
        enabled: bool = flag "true", restart;
        /// Changes kept of each user and client.
        keep_versions: usize = count "100" ["changes"] "1" to "1000000" zero "no limit", live;
        /// How long changes are kept.
        keep_for: Duration = duration "90d" "1s" to "3650d" zero "no limit", live;
        /// Most bytes kept of one user or client, uncompressed.
        max_bytes_per_user: u64 = size "256KiB" "1KiB" to "1GiB" zero "no limit", live;
    }

    /// Metadata in tokens. A tenant may override these.
    claims: Claims {
        /// What the name of such a claim begins with.
        prefix: String = text "metadata_", live;
        /// Most bytes of metadata in one token.
        max_bytes: u64 = size "4KiB" "64B" to "64KiB", live;
    }

    /// Requests from pages of other origins.
    cors: Cors {
        /// Origins that may ask, such as `https://app.example.com`; `*` means any.
        origins: Vec<String> = list "[\"*\"]", live;
    }

    /// The dashboard under /ui/.
    dashboard: Dashboard {
        /// Whether it is served.
        enabled: bool = flag "true", restart;
        /// Whether pictures are loaded from where users say; they tell strangers who is looking.
        remote_images: bool = flag "false", live;
        /// What it is called.
        title: String = text "Dossier", live;
    }

    /// What is written to standard error.
    log: Log {
        /// Least important line that is written.
        level: LogLevel = choice "info", live;
        /// For people or for machines.
        format: LogFormat = choice "text", restart;
        /// Which requests are logged.
        access: AccessLog = choice "slow", live;
        /// A request that takes at least this long is slow.
        slow: Duration = duration "50ms" "1ms" to "60s", live;
    }

    /// For tests of your own programs; never in production.
    test: Test {
        /// Whether the endpoints that set clocks and reset tenants exist.
        enabled: bool = flag "false", restart;
        /// Requests of each tenant that are kept in memory, to be looked at; secrets are left out.
        requests: usize = count "1000" ["requests"] "1" to "10000" zero "none are kept", live;
    }
}
