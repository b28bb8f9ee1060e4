//! Where the keys that sign tokens are kept: one PEM file for each, and
//! `keyring.toml`, which says which of them is current, next or previous.
//!
//! That file is replaced whole, so a change of keys has happened or has not. A PEM
//! file it does not name is left alone.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::private_files::{self, FileError, SECRET};
use crate::http::tokens::{InvalidKey, KeyRing, SigningKey};

const FOLDER: &str = "keys";
const INDEX: &str = "keyring.toml";
const FORMAT: u32 = 1;
const INDEX_HEAD: &str =
    "# Which key signs tokens. Written by Dossier; keep it together with the files it names.\n";

/// The keys on disk, and the ring made of them.
#[derive(Debug)]
pub struct KeyStore {
    folder: PathBuf,
    index: Index,
    ring: KeyRing,
    was_made: bool,
}

/// Why the keys could not be opened or changed. Every message names the file and
/// what can be done.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// There are files, but nothing says which is which.
    #[error(
        "{} is missing, though there are files beside it; restore it from a backup, or move the whole \
         folder away: new keys are made then and every token issued so far stops working",
        path.display()
    )]
    IndexMissing {
        /// Where it should be.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("{} cannot be used: {reason}; restore it from a backup", path.display())]
    IndexDamaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It was written by a newer version.
    #[error("{} has format {found}, this version knows {FORMAT}; start a newer version", path.display())]
    NewerFormat {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A file is named and not there.
    #[error(
        "{} is missing, but {INDEX} names it as the {role} key; restore it from a backup", path.display()
    )]
    KeyMissing {
        /// Which file.
        path: PathBuf,
        /// `current`, `next` or `previous`.
        role: &'static str,
    },
    /// A file is no key.
    #[error("{}, the {role} key, is damaged: {reason}; restore it from a backup", path.display())]
    KeyDamaged {
        /// Which file.
        path: PathBuf,
        /// `current`, `next` or `previous`.
        role: &'static str,
        /// What is wrong.
        reason: InvalidKey,
    },
    /// A new key could not be made.
    #[error(transparent)]
    NotMade(InvalidKey),
    /// The time given is outside what a date can say.
    #[error("the clock says {now_s} seconds since 1970, which is no date")]
    Clock {
        /// What was given.
        now_s: i64,
    },
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    format: u32,
    current: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    previous: Vec<Retired>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Retired {
    file: String,
    /// When it signed for the last time, for people to read: RFC 3339.
    retired_at: String,
}

impl KeyStore {
    /// Opens the keys of a data directory, or makes the first two. Making them
    /// takes up to a second.
    ///
    /// # Errors
    ///
    /// When a file is missing, damaged, empty or open to others, by name. New keys
    /// are made only where there is no file at all.
    pub fn open(data_dir: &Path, now_s: i64) -> Result<Self, KeysError> {
        let folder = data_dir.join(FOLDER);
        let is_there = private_files::is_filled(&folder)?;
        if !is_there {
            let now = timestamp(now_s)?;
            private_files::make_folder(&folder, |beside| make_first(beside, now))?;
        }
        let index = read_index(&folder)?;
        let ring = read_ring(&folder, &index)?;
        Ok(Self { folder, index, ring, was_made: !is_there })
    }

    /// Reads the keys of a data directory as [`Self::open`] would, and makes none. False if there are none.
    ///
    /// # Errors
    ///
    /// When a file is missing, damaged, empty or open to others, by name.
    pub fn verify(data_dir: &Path) -> Result<bool, KeysError> {
        let folder = data_dir.join(FOLDER);
        let is_there = private_files::is_filled(&folder)?;
        if is_there {
            read_ring(&folder, &read_index(&folder)?)?;
        }
        Ok(is_there)
    }

    /// The ring of all keys.
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// Whether the keys are new, which whoever runs the service should be told: with
    /// them every older token has stopped working.
    pub fn was_made(&self) -> bool {
        self.was_made
    }

    /// Lets the next key sign from now on, keeps the current one to verify with,
    /// and makes a new next one.
    ///
    /// # Errors
    ///
    /// When the new key cannot be made or written; nothing has changed then.
    pub fn rotate(&mut self, now_s: i64) -> Result<&KeyRing, KeysError> {
        let now = timestamp(now_s)?;
        let (file, key) = make_key(&self.folder, now)?;
        let mut index = self.index.clone();
        // What was next signs from now on; a ring without one signs with the new key.
        let (signing, waiting) = match index.next.take() {
            Some(next) => (next, Some(file)),
            None => (file, None),
        };
        let current = std::mem::replace(&mut index.current, signing);
        index.next = waiting;
        index.previous.insert(0, Retired { file: current, retired_at: now.to_string() });
        write_index(&self.folder, &index)?;
        self.index = index;
        self.ring = self.ring.clone().rotated(key);
        Ok(&self.ring)
    }
}

fn make_first(folder: &Path, now: Timestamp) -> Result<(), KeysError> {
    let (current, _) = make_key(folder, now)?;
    let (next, _) = make_key(folder, now)?;
    write_index(folder, &Index { format: FORMAT, current, next: Some(next), previous: Vec::new() })
}

/// Makes a key in a new file, named by the day and a number.
fn make_key(folder: &Path, now: Timestamp) -> Result<(String, SigningKey), KeysError> {
    let day = now.to_string().chars().take_while(|letter| *letter != 'T').collect::<String>();
    let file = (1_u32..=u32::MAX)
        .map(|number| format!("{day}-{number}.pem"))
        .find(|file| !folder.join(file).exists())
        .expect("numbers do not end before files do");
    let pem = SigningKey::generate_pem().map_err(KeysError::NotMade)?;
    let key = SigningKey::from_pem(&pem).map_err(KeysError::NotMade)?;
    private_files::write(&folder.join(&file), &pem, SECRET)?;
    Ok((file, key))
}

fn read_ring(folder: &Path, index: &Index) -> Result<KeyRing, KeysError> {
    let current = read_key(folder, &index.current, "current")?;
    let next = index.next.as_ref().map(|file| read_key(folder, file, "next")).transpose()?;
    let previous = index
        .previous
        .iter()
        .map(|retired| read_key(folder, &retired.file, "previous"))
        .collect::<Result<_, _>>()?;
    Ok(KeyRing::new(current, next, previous))
}

fn read_key(folder: &Path, file: &str, role: &'static str) -> Result<SigningKey, KeysError> {
    let path = folder.join(file);
    let pem = match private_files::read_secret(&path) {
        Err(error) if error.is_missing() => return Err(KeysError::KeyMissing { path, role }),
        other => other?,
    };
    SigningKey::from_pem(&pem).map_err(|reason| KeysError::KeyDamaged { path, role, reason })
}

fn read_index(folder: &Path) -> Result<Index, KeysError> {
    let path = folder.join(INDEX);
    let text = match private_files::read_secret(&path) {
        Err(error) if error.is_missing() => return Err(KeysError::IndexMissing { path }),
        other => other?,
    };
    // The format first: a newer one may have members that are unknown here.
    let table: toml::Table = toml::from_str(&text)
        .map_err(|error| KeysError::IndexDamaged { path: path.clone(), reason: short(&error) })?;
    if let Some(found) = table.get("format").and_then(toml::Value::as_integer)
        && let Ok(found) = u32::try_from(found)
        && found > FORMAT
    {
        return Err(KeysError::NewerFormat { path, found });
    }
    let index: Index = toml::from_str(&text)
        .map_err(|error| KeysError::IndexDamaged { path: path.clone(), reason: short(&error) })?;
    check_index(&index).map_err(|reason| KeysError::IndexDamaged { path, reason })?;
    Ok(index)
}

fn check_index(index: &Index) -> Result<(), String> {
    if index.format != FORMAT {
        return Err(format!("format is {}, {FORMAT} is wanted", index.format));
    }
    let previous = index.previous.iter().map(|retired| &retired.file);
    for file in std::iter::once(&index.current).chain(&index.next).chain(previous) {
        let is_plain = Path::new(file).file_name().is_some_and(|name| name == file.as_str());
        if !is_plain {
            return Err(format!("{file:?} is not the name of a file in this folder"));
        }
    }
    match index.previous.iter().find(|retired| retired.retired_at.parse::<Timestamp>().is_err()) {
        Some(retired) => {
            Err(format!("{:?} is no time like 2026-11-21T09:30:00Z", retired.retired_at))
        }
        None => Ok(()),
    }
}

fn write_index(folder: &Path, index: &Index) -> Result<(), KeysError> {
    let text = toml::to_string(index).expect("the index is texts and a number");
    Ok(private_files::write(&folder.join(INDEX), &format!("{INDEX_HEAD}{text}"), SECRET)?)
}

fn timestamp(now_s: i64) -> Result<Timestamp, KeysError> {
    Timestamp::from_second(now_s).map_err(|_| KeysError::Clock { now_s })
}

/// The first line of what the TOML reader says, without its drawing of the place.
fn short(error: &toml::de::Error) -> String {
    error.message().lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::http::tokens::{Claims, Expect, TokenError, TokenTenant};

    /// 2026-11-21, in the morning.
    const NOW: i64 = 1_795_253_400;
    const HERE: TokenTenant<'static> = TokenTenant { uid: 1, id: "acme" };

    /// The names of all files in the folder of keys, for a test to look at.
    fn files(data_dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(data_dir.join(FOLDER))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn token(store: &KeyStore) -> String {
        store.ring().sign(HERE, &claims())
    }

    fn claims() -> Claims {
        serde_json::from_value(
            serde_json::json!({"iss": "i", "sub": "s", "aud": "a", "iat": NOW, "exp": NOW + 60}),
        )
        .unwrap()
    }

    fn verify(store: &KeyStore, token: &str) -> Result<Claims, TokenError> {
        let expect = Expect { issuers: &["i"], audiences: &["a"], now: NOW, leeway: 0 };
        store.ring().verify(HERE, token, &expect)
    }

    #[test]
    fn the_first_start_makes_two_keys_and_the_next_one_finds_them() {
        let data = tempfile::tempdir().unwrap();
        let first = KeyStore::open(data.path(), NOW).unwrap();
        assert!(first.was_made());
        assert_eq!(files(data.path()), ["2026-11-21-1.pem", "2026-11-21-2.pem", "keyring.toml"]);
        let second = KeyStore::open(data.path(), NOW + 100).unwrap();
        assert!(!second.was_made());
        assert_eq!(first.ring().fingerprint(), second.ring().fingerprint());
        assert_eq!(verify(&second, &token(&first)), Ok(claims()));
        for file in files(data.path()) {
            let mode =
                fs::metadata(data.path().join("keys").join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
        }
        let mode = fs::metadata(data.path().join("keys")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o700);
    }

    #[test]
    fn a_rotation_is_there_after_a_restart_and_old_tokens_stay_good() {
        let data = tempfile::tempdir().unwrap();
        let mut store = KeyStore::open(data.path(), NOW).unwrap();
        let old = token(&store);
        store.rotate(NOW + 10).unwrap();
        let new = token(&store);
        for store in [&store, &KeyStore::open(data.path(), NOW).unwrap()] {
            assert_eq!(verify(store, &old), Ok(claims()));
            assert_eq!(verify(store, &new), Ok(claims()));
            assert_eq!(token(store), new, "the same key signs");
        }
        assert_eq!(files(data.path()).len(), 4);
    }

    #[test]
    fn a_ring_on_disk_is_the_ring_in_memory() {
        let data = tempfile::tempdir().unwrap();
        let mut store = KeyStore::open(data.path(), NOW).unwrap();
        for turn in 1..4 {
            store.rotate(NOW + turn).unwrap();
            let again = KeyStore::open(data.path(), NOW).unwrap();
            assert_eq!(again.ring().fingerprint(), store.ring().fingerprint());
        }
    }

    #[test]
    fn a_start_that_was_cut_short_leaves_no_half_ring() {
        let data = tempfile::tempdir().unwrap();
        let beside = data.path().join("keys.tmp");
        fs::create_dir(&beside).unwrap();
        fs::write(beside.join("2026-11-21-1.pem"), "half a k").unwrap();
        KeyStore::open(data.path(), NOW).unwrap();
        assert!(!beside.exists());
    }

    /// Opens keys with one thing wrong and looks for words in what is said.
    #[track_caller]
    fn refused(data: &Path, words: &[&str]) {
        let before = files(data);
        let error = KeyStore::open(data, NOW).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} is missing in: {error}");
        }
        assert_eq!(files(data), before, "a refusal changes nothing");
    }

    #[test]
    fn what_is_wrong_is_named_with_a_remedy() {
        let data = tempfile::tempdir().unwrap();
        KeyStore::open(data.path(), NOW).unwrap();
        let keys = data.path().join("keys");
        let (current, index) = (keys.join("2026-11-21-1.pem"), keys.join(INDEX));
        let (pem, text) =
            (fs::read_to_string(&current).unwrap(), fs::read_to_string(&index).unwrap());

        for bad in [&pem[..pem.len() / 2], &pem.replacen("MII", "AII", 1), "hello"] {
            fs::write(&current, bad).unwrap();
            refused(data.path(), &["2026-11-21-1.pem", "current", "damaged", "backup"]);
        }
        fs::write(&current, "").unwrap();
        refused(data.path(), &["2026-11-21-1.pem", "empty", "backup"]);
        fs::remove_file(&current).unwrap();
        refused(data.path(), &["2026-11-21-1.pem", "missing", "current", "backup"]);
        fs::write(&current, &pem).unwrap();
        fs::set_permissions(&current, fs::Permissions::from_mode(0o644)).unwrap();
        refused(data.path(), &["2026-11-21-1.pem", "0644", "chmod 600 '"]);
        fs::set_permissions(&current, fs::Permissions::from_mode(0o600)).unwrap();

        for (bad, word) in [
            (String::new(), "empty"),
            ("format = ".to_owned(), "cannot be used"),
            ("format = 1".to_owned(), "current"),
            (text.replace("format = 1", "format = 2"), "newer version"),
            (text.replace("format = 1", "format = 2\nmore = 1"), "newer version"),
            (text.replace("format = 1", "format = 0"), "format is 0"),
            (format!("more = 1\n{text}"), "more"),
            (text.replace("2026-11-21-1.pem", "../secret.pem"), "not the name of a file"),
            (format!("{text}[[previous]]\nfile = \"a\"\nretired_at = \"x\"\n"), "no time"),
        ] {
            fs::write(&index, bad).unwrap();
            refused(data.path(), &["keyring.toml", word]);
        }
        fs::remove_file(&index).unwrap();
        refused(data.path(), &["keyring.toml", "missing", "backup", "every token"]);
        fs::write(&index, &text).unwrap();
        fs::set_permissions(&index, fs::Permissions::from_mode(0o600)).unwrap();
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o750)).unwrap();
        refused(data.path(), &["keys", "chmod 700 '"]);
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).unwrap();
        KeyStore::open(data.path(), NOW).unwrap();
    }
}
