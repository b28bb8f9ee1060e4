//! The configuration: one table of settings, filled from flags, environment,
//! file and defaults, in this order of precedence.
//!
//! [`load`] reads and checks everything and reports all problems together.
//! Outside this floor settings are typed fields of [`Settings`]; names and texts
//! of settings stay inside. Paths are relative to the working directory.

mod change;
mod check;
mod choice;
mod explain;
mod file;
mod layer;
mod problem;
mod schema;
mod sections;
mod show;
mod suggest;
mod table;
mod template;
mod tenant;
mod tenant_file;
#[cfg(test)]
mod tests;
mod value;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use change::{Changes, diff, merge_live};
pub use choice::{
    AccessLog, ClientSecrets, Compat, Durability, LogFormat, LogLevel, OnIoError, RootAttributes,
    StorageMode, StrictKeys, TlsMode,
};
pub use explain::{UnknownKey, explain};
pub use problem::{Errors, Excerpt, Place, Problem, Warning};
pub use schema::schema;
pub use sections::{
    Actor, Auth, Claims, Cors, Dashboard, History, Journal, Limits, Log, RateLimit, SECTIONS,
    Search, Server, Settings, Snapshot, Storage, Test,
};
pub use show::{print, print_json, shown};
pub use table::{Section, Setting, setting, settings};
pub use template::init;
pub use tenant::{
    CLIENT, CONNECTION, ClientSettings, ConnectionSettings, ENTITIES, Entity, Overridable, TENANT,
    TenantSettings,
};
pub use value::{Address, InvalidAddress, Kind, MIN_SECRET_CHARS, Secret, parse_duration};

use layer::{Given, Layer};
use table::Values;

/// The files that are looked for when none is named.
pub const SEARCH: [&str; 2] = ["./dossier.toml", "/etc/dossier/dossier.toml"];

/// Fetches the text of a file.
pub type ReadText<'a> = dyn Fn(&Path) -> io::Result<String> + 'a;

/// Where settings come from.
pub struct Sources<'a> {
    /// The file named with `--config`; it must exist.
    pub file: Option<PathBuf>,
    /// The files looked for when none is named; the first that exists is read.
    pub search: &'a [PathBuf],
    /// The arguments of `--set`, each `section.key=value`; the last one for a key wins.
    pub sets: Vec<String>,
    /// The argument of `--listen`; it wins over `--set`.
    pub listen: Option<String>,
    /// The argument of `--data-dir`; it wins over `--set`.
    pub data_dir: Option<PathBuf>,
    /// The environment; only names beginning with `DOSSIER_` matter.
    pub env: Vec<(String, String)>,
    /// Fetches the text of a file.
    pub read: &'a ReadText<'a>,
}

impl fmt::Debug for Sources<'_> {
    /// Names only: values may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("search", &self.search)
            .finish_non_exhaustive()
    }
}

/// A configuration that has been read and found good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Where each of them comes from.
    pub origins: Origins,
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// What works, but probably not as meant.
    pub warnings: Vec<Warning>,
}

/// Where the value of each setting comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins(BTreeMap<&'static str, Place>);

impl Origins {
    /// The origin of the setting with this full name.
    pub fn of(&self, path: &str) -> &Place {
        self.0.get(path).unwrap_or(&Place::Default)
    }

    fn set(&mut self, path: &'static str, place: Place) {
        if place == Place::Default {
            self.0.remove(path);
        } else {
            self.0.insert(path, place);
        }
    }
}

impl Loaded {
    /// Every setting at its default, from nowhere.
    pub fn defaults() -> Self {
        Self {
            settings: Settings::default(),
            origins: Origins::default(),
            file: None,
            warnings: Vec::new(),
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::from_values(&Values::default(), Vec::new())
    }
}

/// Reads and checks all sources.
///
/// # Errors
/// Everything that is wrong, in all sources, at once.
pub fn load(sources: &Sources<'_>) -> Result<Loaded, Errors> {
    let mut gathered = Gathered::default();
    let mut drafts = Vec::new();
    let mut file = None;
    match find_file(sources) {
        Ok(Some((found, text))) => {
            let (layer, tenants) = file::read(&found, &text, sources.read);
            gathered.add(layer);
            drafts = tenants;
            file = Some(found);
        }
        Ok(None) => {}
        Err(problem) => gathered.problems.push(problem),
    }
    gathered.add(layer::environment(sources));
    gathered.add(layer::arguments(sources));
    check::together(&mut gathered);
    if !gathered.problems.is_empty() {
        return Err(Errors(gathered.problems));
    }
    let Gathered { values, origins, warnings, .. } = gathered;
    let tenants = drafts.into_iter().map(|draft| draft.finish(&values)).collect();
    Ok(Loaded { settings: Settings::from_values(&values, tenants), origins, file, warnings })
}

/// What has been read so far; a later layer wins over an earlier one.
#[derive(Default)]
struct Gathered {
    values: Values,
    origins: Origins,
    /// Settings whose value could not be read, so that no conclusion is drawn from their default.
    broken: Vec<&'static str>,
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl Gathered {
    fn add(&mut self, layer: Layer) {
        for Given { setting, value, place } in layer.given {
            self.values.set(setting.path, value);
            self.origins.set(setting.path, place);
        }
        self.broken.extend(layer.broken);
        self.problems.extend(layer.problems);
        self.warnings.extend(layer.warnings);
    }
}

/// The file to read and its text; none when nothing was named and nothing found.
fn find_file(sources: &Sources<'_>) -> Result<Option<(PathBuf, String)>, Problem> {
    let unreadable = |file: &Path, error: &io::Error| {
        let place = Place::File(file.to_owned());
        Problem { place, message: format!("the configuration file cannot be read: {error}") }
    };
    if let Some(file) = &sources.file {
        let text = (sources.read)(file).map_err(|error| unreadable(file, &error))?;
        return Ok(Some((file.clone(), text)));
    }
    for file in sources.search {
        match (sources.read)(file) {
            Ok(text) => return Ok(Some((file.clone(), text))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unreadable(file, &error)),
        }
    }
    Ok(None)
}
