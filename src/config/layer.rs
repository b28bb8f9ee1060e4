//! What one source says; and reading the two that are not a file.

use std::path::Path;

use super::Sources;
use super::file::unknown_key;
use super::problem::{MASK, Place, Problem, Warning};
use super::suggest::closest;
use super::table::{Setting, section, setting, settings};
use super::value::Value;

/// What one source says.
#[derive(Default)]
pub(super) struct Layer {
    pub(super) given: Vec<Given>,
    /// Settings whose value could not be read.
    pub(super) broken: Vec<&'static str>,
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Warning>,
}

/// A value and where it stands.
pub(super) struct Given {
    pub(super) setting: &'static Setting,
    pub(super) value: Value,
    pub(super) place: Place,
}

impl Layer {
    fn put(&mut self, setting: &'static Setting, text: &str, place: Place) {
        match setting.parse(text) {
            Ok(value) => self.given.push(Given { setting, value, place }),
            Err(message) => self.fail(setting, place, message),
        }
    }

    fn fail(&mut self, setting: &'static Setting, place: Place, message: String) {
        self.broken.push(setting.path);
        self.problems.push(Problem { place, message });
    }
}

/// Variables of other parts of Dossier.
const OTHER_VARIABLES: [&str; 5] =
    ["DOSSIER_CONFIG", "DOSSIER_TOKEN", "DOSSIER_UI_DIR", "DOSSIER_URL", "DOSSIER_WEB_BUILD"];

/// Marks a variable that names a file holding the value.
const FILE_SUFFIX: &str = "__FILE";

/// Reads `DOSSIER_SECTION__KEY` and `DOSSIER_SECTION__KEY__FILE`.
pub(super) fn environment(sources: &Sources<'_>) -> Layer {
    let mut layer = Layer::default();
    let is_ours = |name: &str| name.starts_with("DOSSIER_") && !OTHER_VARIABLES.contains(&name);
    let mut ours: Vec<_> = sources.env.iter().filter(|(name, _)| is_ours(name)).collect();
    ours.sort();
    for (name, value) in &ours {
        let place = Place::Variable(name.clone());
        let direct = name.strip_suffix(FILE_SUFFIX);
        match (by_variable(name), direct, direct.and_then(by_variable)) {
            (Some(setting), _, _) => layer.put(setting, value, place),
            (None, Some(direct), Some(setting)) => {
                if ours.iter().any(|(other, _)| other == direct) {
                    layer.fail(setting, place, format!("{direct} is given too; keep one"));
                } else {
                    put_file(&mut layer, setting, Path::new(value), place, sources);
                }
            }
            (None, _, _) => {
                layer.warnings.push(Warning(Problem { place, message: unknown_variable(name) }));
            }
        }
    }
    layer
}

fn put_file(
    layer: &mut Layer,
    setting: &'static Setting,
    file: &Path,
    place: Place,
    sources: &Sources<'_>,
) {
    match (sources.read)(file) {
        Ok(text) => layer.put(setting, text.trim_end_matches(['\r', '\n']), place),
        Err(error) => {
            layer.fail(setting, place, format!("{} cannot be read: {error}", file.display()));
        }
    }
}

fn by_variable(name: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.variable() == name)
}

fn unknown_variable(name: &str) -> String {
    if name.starts_with("DOSSIER_TENANT") {
        return "unknown variable, ignored; tenants are declared in the file".to_owned();
    }
    let known: Vec<_> = settings().map(Setting::variable).collect();
    let (stem, suffix) =
        name.strip_suffix(FILE_SUFFIX).map_or((name, ""), |stem| (stem, FILE_SUFFIX));
    match closest(stem, known.iter().map(String::as_str)) {
        Some(meant) => format!("unknown variable, ignored; did you mean {meant}{suffix}?"),
        None => "unknown variable, ignored; names are DOSSIER_SECTION__KEY".to_owned(),
    }
}

/// Reads `--set`, then the flags that have a name of their own.
pub(super) fn arguments(sources: &Sources<'_>) -> Layer {
    let mut layer = Layer::default();
    for argument in &sources.sets {
        let Some((path, value)) = argument.split_once('=') else {
            let place = Place::Argument("--set".to_owned());
            layer.problems.push(Problem {
                place,
                message: "wanted section.key=value, found no =".to_owned(),
            });
            continue;
        };
        let path = path.trim();
        if let Some(setting) = setting(path) {
            let shown = if setting.secret { MASK } else { value };
            layer.put(setting, value, Place::Argument(format!("--set {path}={shown}")));
        } else {
            // The value is not shown: it may be a secret under a misspelt name.
            let place = Place::Argument(format!("--set {path}=..."));
            layer.problems.push(Problem { place, message: unknown_path(path) });
        }
    }
    let data_dir = sources.data_dir.as_ref().map(|path| path.to_string_lossy().into_owned());
    let flags = [
        ("--listen", "server.listen", sources.listen.clone()),
        ("--data-dir", "storage.data_dir", data_dir),
    ];
    for (flag, path, value) in flags {
        if let Some(value) = value {
            let setting = setting(path).expect("the flag names a row of the table");
            layer.put(setting, &value, Place::Argument(format!("{flag} {value}")));
        }
    }
    layer
}

/// Says which setting may have been meant.
pub(super) fn unknown_path(path: &str) -> String {
    if path.starts_with("tenant.") {
        return "tenants are declared in the file".to_owned();
    }
    if let Some((name, key)) = path.split_once('.')
        && let Some(section) = section(name)
    {
        let rows: Vec<_> = section.settings.iter().collect();
        return unknown_key(section.name, &rows, key);
    }
    let by_path = closest(path, settings().map(|setting| setting.path));
    let by_key = || settings().find(|setting| setting.key() == path).map(|setting| setting.path);
    match by_path.or_else(by_key) {
        Some(meant) => format!("unknown setting `{path}`; did you mean `{meant}`?"),
        None => format!("unknown setting `{path}`; `dossier config print` lists all"),
    }
}
