//! Bundles the dashboard's JSON editor into `OUT_DIR` when npm is there.
//!
//! `DOSSIER_WEB_BUILD` decides: `auto` (the default) bundles when it can and says so
//! when it cannot, `never` does not try, `require` fails without it. Without the bundle
//! the dashboard has a plain text area with the same checks.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const SOURCES: &str = "src/http/dashboard/web";
const NONE: &str = "Dossier's dashboard was built without third-party code.\n";

fn main() {
    println!("cargo::rerun-if-env-changed=DOSSIER_WEB_BUILD");
    for input in ["package.json", "package-lock.json", "editor"] {
        println!("cargo::rerun-if-changed={SOURCES}/{input}");
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo names the folder"));
    let wish = env::var("DOSSIER_WEB_BUILD").unwrap_or_default();
    let bundled = match wish.as_str() {
        "never" => Err("DOSSIER_WEB_BUILD=never".to_owned()),
        "" | "auto" | "require" => bundle(&out),
        other => panic!("DOSSIER_WEB_BUILD is \"{other}\", wanted auto, never or require"),
    };
    let (editor, licences) = match bundled {
        Ok(made) => made,
        Err(reason) if wish == "require" => {
            panic!("the dashboard's editor was not bundled: {reason}")
        }
        Err(reason) => {
            if wish != "never" {
                println!(
                    "cargo::warning=the dashboard gets a plain text area instead of its editor: {reason}"
                );
            }
            (Vec::new(), NONE.to_owned())
        }
    };
    fs::write(out.join("editor.js"), editor).expect("the folder of cargo takes files");
    fs::write(out.join("licences.txt"), licences).expect("the folder of cargo takes files");
}

/// The bundle and the licences of what is in it.
fn bundle(out: &Path) -> Result<(Vec<u8>, String), String> {
    let work = out.join("web");
    let said = |what: &str| {
        let what = what.to_owned();
        move |error: std::io::Error| format!("{what}: {error}")
    };
    fs::create_dir_all(&work).map_err(said("the work folder"))?;
    install(&work)?;
    // Modules are looked for beside the file that names them, so it is copied there.
    let entry = "codemirror.js";
    fs::copy(Path::new(SOURCES).join("editor").join(entry), work.join(entry))
        .map_err(said(entry))?;
    let made = work.join("bundle.js");
    let mut esbuild = Command::new(work.join("node_modules/.bin/esbuild"));
    esbuild.current_dir(&work).args([
        entry,
        "--bundle",
        "--minify",
        "--format=esm",
        "--target=es2022",
        "--legal-comments=none",
        "--log-level=error",
        "--outfile=bundle.js",
    ]);
    run(esbuild, "esbuild")?;
    Ok((fs::read(&made).map_err(said("the bundle"))?, licences(&work)?))
}

/// Installs exactly what the lock file says, once for each lock file.
fn install(work: &Path) -> Result<(), String> {
    let lock = fs::read(Path::new(SOURCES).join("package-lock.json"))
        .map_err(|error| format!("package-lock.json: {error}"))?;
    let stamp = work.join("installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(Path::new(SOURCES).join(file), work.join(file))
            .map_err(|error| format!("{file}: {error}"))?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(work).args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
        "--omit-lockfile-registry-resolved",
        "--fetch-retries=1",
        "--fetch-timeout=30000",
        "--loglevel=error",
    ]);
    run(npm, "npm ci")?;
    fs::write(stamp, lock).map_err(|error| format!("the stamp: {error}"))
}

fn run(mut command: Command, name: &str) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    Err(format!("{name}: {}: {last}", output.status))
}

/// The licence of every package that goes into the bundle.
fn licences(work: &Path) -> Result<String, String> {
    let mut out = String::from("The dashboard's JSON editor contains these packages.\n");
    let mut packages = Vec::new();
    for scope in ["", "@codemirror", "@lezer", "@marijn"] {
        let folder = work.join("node_modules").join(scope);
        let entries = fs::read_dir(&folder).map_err(|error| format!("node_modules: {error}"))?;
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if !name.starts_with(['@', '.']) && !["esbuild", "axe-core"].contains(&name.as_str()) {
                packages.push((
                    format!("{scope}/{name}").trim_start_matches('/').to_owned(),
                    entry.path(),
                ));
            }
        }
    }
    packages.sort();
    for (name, folder) in packages {
        let text = ["LICENSE", "LICENSE.md", "LICENCE", "license"]
            .iter()
            .find_map(|file| fs::read_to_string(folder.join(file)).ok())
            .ok_or_else(|| format!("the package {name} has no licence text"))?;
        write!(out, "\n--- {name} ---\n\n{}\n", text.trim())
            .expect("writing to a string cannot fail");
    }
    Ok(out)
}
