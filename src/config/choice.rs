//! The words some settings choose from.

use super::value::{Typed, Value};

/// Declares an enum whose variants are words of the configuration.
macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// The words, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// Finds the variant a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The word that stands for this variant.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }
        }

        impl Typed for $name {
            fn from_value(value: &Value) -> Option<Self> {
                String::from_value(value).and_then(|word| Self::from_word(&word))
            }
            fn to_value(&self) -> Value {
                Value::Text(self.word().to_owned())
            }
        }
    };
}

choice! {
    /// Where the certificate of the HTTPS listener comes from.
    TlsMode {
        /// A development authority and certificate, made at the first start.
        Dev = "dev",
        /// `server.tls_cert` and `server.tls_key`.
        Files = "files",
        /// No HTTPS listener.
        Off = "off",
    }
}

choice! {
    /// What a server does after a write or sync of the journal failed.
    OnIoError {
        /// It answers reads, and refuses writes until it is started again.
        Serve = "serve",
        /// It ends, so that whatever watches over it starts it again.
        Exit = "exit",
    }
}

choice! {
    /// Where data lives.
    StorageMode {
        /// In memory, and in the data directory for good.
        Disk = "disk",
        /// In memory only; gone when the process ends.
        Memory = "memory",
    }
}

choice! {
    /// What an acknowledged write has reached.
    Durability {
        /// The disk: the record is synced before the answer.
        Always = "always",
        /// The operating system; synced every `journal.flush_interval`.
        Interval = "interval",
        /// Memory; kept by the next snapshot.
        Snapshot = "snapshot",
    }
}

choice! {
    /// What happens to metadata keys that contain `.` or `$`.
    StrictKeys {
        /// The write is refused, as Auth0 does.
        Reject = "reject",
        /// They are kept like any other.
        Allow = "allow",
    }
}

choice! {
    /// How much is logged.
    LogLevel {
        /// Failures only.
        Error = "error",
        /// And what may become one.
        Warn = "warn",
        /// And what an operator wants to know.
        Info = "info",
        /// And what a developer wants to know.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

choice! {
    /// How a log line looks.
    LogFormat {
        /// For people.
        Text = "text",
        /// For machines, one object a line.
        Json = "json",
    }
}

choice! {
    /// Which requests are logged.
    AccessLog {
        /// Those that took at least `log.slow`.
        Slow = "slow",
        /// None.
        Off = "off",
        /// All of them.
        All = "all",
    }
}

choice! {
    /// How exactly a tenant insists on Auth0's rules where they hinder more than they help.
    Compat {
        /// Fills in what a caller left out (a connection, a password).
        Lenient = "lenient",
        /// Answers exactly as Auth0 does.
        Strict = "strict",
    }
}

choice! {
    /// How a tenant keeps the secrets of its clients.
    ClientSecrets {
        /// They can be read again, as Auth0's API returns them.
        Plain = "plain",
        /// They are shown once and never again.
        Hashed = "hashed",
    }
}

choice! {
    /// When a connection's provider may write the root attributes of a user.
    RootAttributes {
        /// At every login; edits through the API are refused.
        OnEachLogin = "on_each_login",
        /// At the first login; edits are allowed afterwards.
        OnFirstLogin = "on_first_login",
        /// Never.
        NeverOnLogin = "never_on_login",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_and_its_variant_belong_together() {
        for word in Durability::WORDS {
            assert_eq!(Durability::from_word(word).map(Durability::word), Some(*word));
        }
        assert_eq!(Durability::from_word("sometimes"), None);
    }
}
