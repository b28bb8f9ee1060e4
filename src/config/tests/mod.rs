//! The floor as a whole: from sources to settings, and to messages.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;

mod laws;
mod reload;
mod secrets;
mod tenants;

/// A world in which only the named files exist.
struct World<'a> {
    files: HashMap<&'a str, &'a str>,
    env: Vec<(&'a str, &'a str)>,
    sets: Vec<&'a str>,
}

impl<'a> World<'a> {
    fn new(file: &'a str) -> Self {
        Self { files: HashMap::from([("dossier.toml", file)]), env: vec![], sets: vec![] }
    }

    fn load(&self) -> Result<Loaded, Errors> {
        let read = |path: &Path| {
            let found = path.to_str().and_then(|path| self.files.get(path));
            found.map(|text| (*text).to_owned()).ok_or(io::Error::from(io::ErrorKind::NotFound))
        };
        load(&Sources {
            file: None,
            search: &[PathBuf::from("dossier.toml")],
            sets: self.sets.iter().map(|set| (*set).to_owned()).collect(),
            listen: None,
            data_dir: None,
            env: self
                .env
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
            read: &read,
        })
    }
}

fn good(file: &str) -> Loaded {
    World::new(file).load().unwrap()
}

/// The messages, each without its excerpt.
#[track_caller]
fn check(file: &str, expected: &[&str]) {
    let found = World::new(file).load().unwrap_err();
    let lines: Vec<_> =
        found.0.iter().map(|problem| format!("{}  {}", problem.place, problem.message)).collect();
    assert_eq!(lines, expected);
}

#[test]
fn the_committed_file_is_the_written_one_and_holds_the_defaults() {
    let committed = include_str!("../../../config/dossier.toml");
    assert!(
        committed == init(),
        "config/dossier.toml is out of date: write the text of init() to it"
    );
    let loaded = good(committed);
    assert_eq!(loaded.settings, Settings::default());
    assert_eq!(loaded.warnings, []);
    let committed = include_str!("../../../config/dossier.schema.json");
    assert!(
        committed == schema(),
        "config/dossier.schema.json is out of date: write the text of schema() to it"
    );
    for setting in settings() {
        assert!(matches!(loaded.origins.of(setting.path), Place::Line { .. }), "{}", setting.path);
    }
}

#[test]
fn nothing_given_means_the_defaults() {
    let loaded = World { files: HashMap::new(), env: vec![], sets: vec![] }.load().unwrap();
    assert_eq!(loaded, Loaded::defaults());
    assert_eq!(loaded.settings.server.listen.to_string(), "127.0.0.1:7800");
    assert_eq!(loaded.settings.journal.durability, Durability::Always);
    assert_eq!(loaded.settings.limits.user_metadata_bytes, 1 << 20);
}

#[test]
fn arguments_win_over_environment_over_file_over_default() {
    let mut world = World::new("[log]\nlevel = \"warn\"\nslow = \"1s\"\n[limits]\nper_page = 20");
    world.env = vec![("DOSSIER_LOG__LEVEL", "debug"), ("DOSSIER_LOG__SLOW", "2s")];
    world.sets = vec!["log.level=error", "log.level=trace"];
    let loaded = world.load().unwrap();
    assert_eq!(loaded.settings.log.level, LogLevel::Trace);
    assert_eq!(loaded.settings.log.slow, Duration::from_secs(2));
    assert_eq!(loaded.settings.limits.per_page, 20);
    assert_eq!(loaded.settings.limits.metadata_depth, 64);
    let origin = |path| show::origin(loaded.origins.of(path));
    assert_eq!(origin("log.level"), "--set log.level=trace");
    assert_eq!(origin("log.slow"), "DOSSIER_LOG__SLOW");
    assert_eq!(origin("limits.per_page"), "dossier.toml:5");
    assert_eq!(origin("limits.metadata_depth"), "default");
}

#[test]
fn all_problems_are_shown_together_with_place_and_line() {
    let mut world = World::new(
        "[snapshot]\nintervall = \"60s\"\nmax_changes = -1\n\n[journal]\ndurability = \"sometimes\"\nflush_interval = \"30\"\n",
    );
    world.env = vec![("DOSSIER_SERVER__MAX_BODY", "2")];
    world.sets = vec!["actor.mailbox=5"];
    let expected = "\
dossier.toml:2:1  unknown key `intervall` in [snapshot]; did you mean `interval`?
  2 | intervall = \"60s\"
    | ^^^^^^^^^
dossier.toml:3:15  -1 is too small, allowed: 100 to 1000000000
  3 | max_changes = -1
    |               ^^
dossier.toml:6:14  unknown value \"sometimes\", expected one of \"always\", \"interval\", \"snapshot\"
  6 | durability = \"sometimes\"
    |              ^^^^^^^^^^^
dossier.toml:7:18  duration \"30\" has no unit; did you mean \"30s\"?
  7 | flush_interval = \"30\"
    |                  ^^^^
DOSSIER_SERVER__MAX_BODY  size \"2\" has no unit; did you mean \"2MiB\"?
--set actor.mailbox=5  5 is too small, allowed: 16 to 1048576
6 problems in the configuration";
    assert_eq!(world.load().unwrap_err().to_string(), expected);
}

#[test]
fn unknown_names_are_refused_with_a_suggestion() {
    check(
        "listen = \"a:1\"",
        &[
            "dossier.toml:1:1  unknown key `listen` outside a section; did you mean `server.listen`?",
        ],
    );
    check(
        "[sever]\nlisten = \"a:1\"",
        &["dossier.toml:1:2  unknown section [sever]; did you mean [server]?"],
    );
    check(
        "[server]\ndata_dir = \"a\"",
        &["dossier.toml:2:1  unknown key `data_dir` in [server]; did you mean `storage.data_dir`?"],
    );
    check(
        "[test]\nzebra = 1",
        &["dossier.toml:2:1  unknown key `zebra` in [test], expected one of `enabled`, `requests`"],
    );
    check(
        "server = 1",
        &["dossier.toml:1:1  `server` is a section: write [server] and its keys below"],
    );
    check(
        "[tenants]\n",
        &["dossier.toml:1:2  unknown section [tenants]; did you mean [[tenant]]?"],
    );
    check(
        "[tenant]\nid = \"a\"",
        &["dossier.toml:1:1  there can be several: write [[tenant]] instead of [tenant]"],
    );
}

#[test]
fn wrong_kinds_are_named() {
    let at = "dossier.toml:2:";
    check(
        "[log]\nlevel = 1",
        &[&format!(
            "{at}9  wanted one of \"error\", \"warn\", \"info\", \"debug\", \"trace\", found a whole number"
        )],
    );
    check(
        "[log]\nslow = true",
        &[&format!("{at}8  wanted a duration such as \"30s\", found true or false")],
    );
    check(
        "[log]\nslow = 50",
        &[&format!("{at}8  duration \"50\" has no unit; did you mean \"50ms\"?")],
    );
    check(
        "[server]\nworkers = \"4\"",
        &[&format!("{at}11  wanted a whole number, found text; write it without quotes")],
    );
    check(
        "[server]\nworkers = 1.5",
        &[&format!("{at}11  wanted a whole number, found a number with a point")],
    );
    check(
        "[cors]\norigins = \"*\"",
        &[&format!("{at}11  wanted a list of texts, found text; put it in [ ]")],
    );
    check(
        "[cors]\norigins = [1]",
        &[&format!("{at}11  wanted a list of texts, found something else in it")],
    );
    check(
        "[server]\nlisten = \"7800\"",
        &[&format!(
            "{at}10  address \"7800\" has no port; write host:port, such as \"127.0.0.1:7800\""
        )],
    );
}

#[test]
fn settings_are_checked_against_each_other() {
    check(
        "[server]\ntls = \"files\"\ntls_cert = \"a.pem\"",
        &["dossier.toml:2:7  tls is \"files\", but server.tls_key names no file"],
    );
    check(
        "[server]\nhttps_listen = \"127.0.0.1:7800\"",
        &["dossier.toml:2:16  server.listen and server.https_listen are both 127.0.0.1:7800"],
    );
    check(
        "[auth]\ntoken_ttl = \"31d\"",
        &["dossier.toml:2:13  auth.token_ttl is longer than auth.max_token_ttl"],
    );
    check(
        "[auth]\nmax_token_ttl = \"3h\"",
        &["dossier.toml:2:17  auth.token_ttl is longer than auth.max_token_ttl"],
    );
    check(
        "[journal]\nmax_bytes = \"64MiB\"",
        &["dossier.toml:2:13  journal.max_bytes holds fewer than two files of journal.segment"],
    );
    good("[server]\ntls = \"off\"\nhttps_listen = \"127.0.0.1:7800\"");
    good("[server]\nlisten = \"127.0.0.1:0\"\nhttps_listen = \"127.0.0.1:0\"");
}

#[test]
fn no_conclusion_is_drawn_from_a_broken_value() {
    check(
        "[auth]\ntoken_ttl = \"40d\"\nmax_token_ttl = \"60\"",
        &["dossier.toml:3:17  duration \"60\" has no unit; did you mean \"60d\"?"],
    );
}

#[test]
fn special_values_are_checked_alone() {
    check(
        "[claims]\nprefix = \"\"",
        &["dossier.toml:2:10  an empty prefix would let metadata take the names of other claims"],
    );
    check(
        "[storage]\ndata_dir = \"\"",
        &["dossier.toml:2:12  wanted a folder, found an empty text"],
    );
    check(
        "[server]\npublic_url = \"a.example\"",
        &[
            "dossier.toml:2:14  wanted a URL such as \"https://profiles.example.com\", without query",
        ],
    );
    check(
        "[cors]\norigins = [\"*\", \"https://a/\"]",
        &[
            "dossier.toml:2:11  \"https://a/\" is not an origin; write one such as \"https://app.example.com\", or \"*\"",
        ],
    );
    good(
        "[cors]\norigins = [\"https://a.example:8443\"]\n[server]\npublic_url = \"https://a.example/base\"",
    );
}

#[test]
fn zero_is_allowed_where_it_means_something() {
    let settings = good(
        "[snapshot]\ninterval = \"0s\"\nbytes_per_second = \"0B\"\n[limits]\npaging_window = 0",
    )
    .settings;
    assert_eq!((settings.snapshot.interval, settings.limits.paging_window), (Duration::ZERO, 0));
    check("[limits]\nper_page = 0", &["dossier.toml:2:12  0 is too small, allowed: 1 to 1000"]);
    check(
        "[auth]\nsession_ttl = \"0s\"",
        &["dossier.toml:2:15  0s is too small, allowed: 60s to 30d"],
    );
}

#[test]
fn broken_text_is_reported_with_the_rest_of_the_file() {
    check(
        "[log]\nlevel = \nslow = \"1\"\n",
        &[
            "dossier.toml:2:9  string values must be quoted, expected literal string",
            "dossier.toml:3:8  duration \"1\" has no unit; did you mean \"1ms\"?",
        ],
    );
    check("[log]\nslow = \"1s\"\nslow = \"2s\"", &["dossier.toml:3:1  duplicate key"]);
}

#[test]
fn after_a_broken_header_nothing_is_concluded() {
    check("[log\nslow = \"1\"\n", &["dossier.toml:1:5  unclosed table, expected `]`"]);
    check(
        "[log]\nslow = \"1\"\n[[tenant]\nid = \"A\"\n[search]\ntimeout = 1\n",
        &[
            "dossier.toml:2:8  duration \"1\" has no unit; did you mean \"1ms\"?",
            "dossier.toml:3:10  unclosed array table, expected `]`",
        ],
    );
}

#[test]
fn line_ends_of_another_system_and_a_byte_order_mark_do_no_harm() {
    let loaded = good("\u{feff}[log]\r\nslow = \"1s\"\r\n");
    assert_eq!(loaded.settings.log.slow, Duration::from_secs(1));
    check(
        "[log]\r\nslow = \"1\"\r\n",
        &["dossier.toml:2:8  duration \"1\" has no unit; did you mean \"1ms\"?"],
    );
}

#[test]
fn a_variable_can_name_a_file_that_holds_the_value() {
    let mut world = World::new("");
    world.files.insert("/run/title", "Our profiles\n");
    world.env = vec![("DOSSIER_DASHBOARD__TITLE__FILE", "/run/title")];
    assert_eq!(world.load().unwrap().settings.dashboard.title, "Our profiles");
    world.env.push(("DOSSIER_DASHBOARD__TITLE", "x"));
    world.env.push(("DOSSIER_LOG__LEVEL__FILE", "/run/none"));
    let expected = "\
DOSSIER_DASHBOARD__TITLE__FILE  DOSSIER_DASHBOARD__TITLE is given too; keep one
DOSSIER_LOG__LEVEL__FILE  /run/none cannot be read: entity not found
2 problems in the configuration";
    assert_eq!(world.load().unwrap_err().to_string(), expected);
}

#[test]
fn an_unknown_variable_is_a_warning_with_a_suggestion() {
    let mut world = World::new("");
    world.env = vec![
        ("DOSSIER_ZEBRA__COLOUR", "x"),
        ("DOSSIER_TENANT__ID", "x"),
        ("DOSSIER_LOG_LEVEL", "debug"),
        ("DOSSIER_LOG__LEVLE__FILE", "x"),
        ("DOSSIER_URL", "x"),
        ("DOSSIER_TOKEN", "x"),
        ("DOSSIER_WEB_BUILD", "x"),
        ("DOSSIER_UI_DIR", "x"),
        ("DOSSIER_CONFIG", "x"),
        ("PATH", "x"),
    ];
    let warnings: Vec<_> = world.load().unwrap().warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "DOSSIER_LOG_LEVEL  unknown variable, ignored; did you mean DOSSIER_LOG__LEVEL?",
            "DOSSIER_LOG__LEVLE__FILE  unknown variable, ignored; did you mean DOSSIER_LOG__LEVEL__FILE?",
            "DOSSIER_TENANT__ID  unknown variable, ignored; tenants are declared in the file",
            "DOSSIER_ZEBRA__COLOUR  unknown variable, ignored; names are DOSSIER_SECTION__KEY",
        ]
    );
}

#[test]
fn a_list_in_a_variable_is_json() {
    let mut world = World::new("");
    world.env = vec![("DOSSIER_CORS__ORIGINS", r#"["https://a.example"]"#)];
    assert_eq!(world.load().unwrap().settings.cors.origins, ["https://a.example"]);
}

#[test]
fn the_named_file_must_exist_and_the_searched_need_not() {
    let read = |path: &Path| match path.to_str() {
        Some("b.toml") => Ok("[log]\nlevel = \"warn\"".to_owned()),
        Some("locked.toml") => Err(io::Error::from(io::ErrorKind::PermissionDenied)),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    let load = |file: Option<&str>, search: &[&str]| {
        let search: Vec<_> = search.iter().map(PathBuf::from).collect();
        let file = file.map(PathBuf::from);
        let (sets, env) = (vec![], vec![]);
        load(&Sources {
            file,
            search: &search,
            sets,
            listen: None,
            data_dir: None,
            env,
            read: &read,
        })
    };
    assert_eq!(load(None, &["a.toml", "b.toml"]).unwrap().file, Some("b.toml".into()));
    assert_eq!(load(None, &["a.toml"]).unwrap().file, None);
    let message = |result: Result<Loaded, Errors>| result.unwrap_err().0[0].to_string();
    assert_eq!(
        message(load(Some("a.toml"), &["b.toml"])),
        "a.toml  the configuration file cannot be read: entity not found"
    );
    assert_eq!(
        message(load(None, &["locked.toml", "b.toml"])),
        "locked.toml  the configuration file cannot be read: permission denied"
    );
}

#[test]
fn flags_of_their_own_win_over_set() {
    let read = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
    let loaded = load(&Sources {
        file: None,
        search: &[],
        sets: vec!["server.listen=a:1".to_owned()],
        listen: Some("[::1]:2".to_owned()),
        data_dir: Some("/data".into()),
        env: vec![],
        read: &read,
    })
    .unwrap();
    assert_eq!(loaded.settings.server.listen.to_string(), "[::1]:2");
    assert_eq!(loaded.settings.storage.data_dir, PathBuf::from("/data"));
    assert_eq!(show::origin(loaded.origins.of("server.listen")), "--listen [::1]:2");
}

#[test]
fn what_works_but_does_nothing_is_a_warning() {
    let warnings = |file| {
        good(file).warnings.iter().map(|warning| warning.0.message.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        warnings("[server]\ntls_key = \"k\""),
        ["tls_key is not used while server.tls is \"dev\""]
    );
    assert_eq!(
        warnings("[journal]\ndurability = \"snapshot\"\n[snapshot]\ninterval = \"0s\"").len(),
        1
    );
}
