//! The order of the floors, read from the sources.
//!
//! A floor may lean on those below it and on nothing above; what each never touches is
//! in `src/ARCHITECTURE.md`. Comments do not count, tests inside the sources do.

use std::fs;
use std::path::{Path, PathBuf};

/// A floor, the floors it may lean on, and words its code never has.
struct Floor {
    name: &'static str,
    below: &'static [&'static str],
    never: &'static [&'static str],
}

/// Ground floor first.
const FLOORS: &[Floor] = &[
    Floor {
        name: "domain",
        below: &[],
        never: &[
            "actix",
            "tokio",
            "std::fs",
            "std::net",
            "std::thread",
            "SystemTime",
            "Instant::now",
            "getrandom",
            "bincode",
            "serde::Serialize",
            "serde::Deserialize",
            "derive(Serialize",
            "jiff::Timestamp::now",
            "Zoned::now",
        ],
    },
    Floor { name: "journal", below: &[], never: &["actix", "bincode", "serde", "SystemTime"] },
    Floor {
        name: "store",
        below: &["domain", "journal"],
        never: &["actix", "tokio", "SystemTime", "jsonwebtoken"],
    },
    Floor {
        name: "tenant",
        below: &["domain", "journal", "store"],
        never: &["actix_web", "serde", "bincode", "SystemTime", "jsonwebtoken"],
    },
    Floor { name: "config", below: &[], never: &["actix", "tokio", "bincode", "SystemTime"] },
    Floor {
        name: "http",
        below: &["domain", "journal", "store", "tenant", "config"],
        never: &["actix::", "std::fs", "File::open", "bincode", "SystemTime"],
    },
    Floor {
        name: "app",
        below: &["domain", "journal", "store", "tenant", "config", "http"],
        never: &["bincode", "println!"],
    },
    Floor {
        name: "cli",
        below: &["domain", "journal", "store", "tenant", "config", "http", "app"],
        never: &["bincode", "actix::"],
    },
];

/// Where a rule is broken on purpose: the one clock, and the one user of bincode.
const ALLOWED: &[(&str, &str)] =
    &[("src/store/format/", "bincode"), ("src/app/clock.rs", "SystemTime")];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every source of a floor as (place, code without comments).
fn sources(floor: &str) -> Vec<(String, String)> {
    let mut folders = vec![root().join("src").join(floor)];
    let mut files = vec![root().join("src").join(format!("{floor}.rs"))];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                files.push(path);
            }
        }
    }
    files.retain(|file| file.exists());
    assert!(!files.is_empty(), "the floor {floor} has no sources");
    files.iter().map(|file| (place_of(file), code_of(&fs::read_to_string(file).unwrap()))).collect()
}

fn place_of(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().to_string_lossy().into_owned()
}

fn code_of(source: &str) -> String {
    let lines = source.lines().map(|line| {
        let is_comment = line.trim_start().starts_with("//");
        if is_comment { "" } else { line.split(" // ").next().unwrap_or_default() }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The floors named after `crate::`, also in `use crate::{a, b::c}`.
fn named(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let mut depth = 0;
                let mut name = String::new();
                for letter in list.chars() {
                    match letter {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.push(std::mem::take(&mut name)),
                        _ if depth == 0 => name.push(letter),
                        _ => {}
                    }
                }
                found.push(name);
            }
            None => found.push(rest.to_owned()),
        }
    }
    let first_word = |text: String| {
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
        text.trim_start().chars().take_while(|&letter| is_part(letter)).collect::<String>()
    };
    found.into_iter().map(first_word).filter(|word| !word.is_empty()).collect()
}

#[test]
fn no_floor_leans_on_a_higher_one() {
    let mut broken = Vec::new();
    for floor in FLOORS {
        for (place, code) in sources(floor.name) {
            for word in named(&code) {
                if word != floor.name && !floor.below.contains(&word.as_str()) {
                    broken.push(format!("{place} leans on {word}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_floor_touches_what_it_never_touches() {
    let mut broken = Vec::new();
    for floor in FLOORS {
        for (place, code) in sources(floor.name) {
            for word in floor.never {
                let is_allowed =
                    ALLOWED.iter().any(|(own, what)| place.starts_with(own) && what == word);
                if code.contains(word) && !is_allowed {
                    broken.push(format!("{place} has {word}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn bincode_stays_inside_the_stored_format() {
    let elsewhere: Vec<String> = FLOORS
        .iter()
        .flat_map(|floor| sources(floor.name))
        .filter(|(place, code)| {
            code.contains("bincode::") && !place.starts_with("src/store/format/")
        })
        .map(|(place, _)| place)
        .collect();
    assert_eq!(elsewhere, [""; 0]);
}

#[test]
fn every_folder_of_the_sources_is_a_floor_of_the_house() {
    for entry in fs::read_dir(root().join("src")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let stem = name.strip_suffix(".rs").unwrap_or(&name);
        let is_known = ["lib", "main", "ARCHITECTURE.md", "COMPATIBILITY.md", "PROMISES.md"]
            .contains(&stem)
            || FLOORS.iter().any(|floor| floor.name == stem);
        assert!(is_known, "src/{name} has no place in the order of floors");
    }
}

#[test]
fn nested_imports_are_seen() {
    let code = "use crate::{domain::{a, b}, store}; let x = crate::http::y();";
    assert_eq!(named(code), ["domain", "store", "http"]);
}
