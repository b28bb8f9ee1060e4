//! `dossier check`.

use super::args::{Global, Output};
use super::{Failure, settings};
use crate::app::check::{Findings, check, repair};

pub(super) fn run(global: &Global, is_repair: bool) -> Result<(), Failure> {
    let data_dir = settings(global)?.settings.storage.data_dir;
    let findings = if is_repair { repair(&data_dir) } else { check(&data_dir) }?;
    if global.output == Output::Json {
        println!("{:#}", json(&findings, is_repair));
    }
    let Findings { facts, problems, repairs, beyond_repair, opens } = findings;
    if global.output == Output::Text {
        tell(&facts, &problems, &repairs);
    }
    if is_repair && !beyond_repair.is_empty() {
        return Err(Failure::new(5, format!("not to be repaired: {}", beyond_repair.join("; "))));
    }
    if !is_repair && !problems.is_empty() {
        let count = problems.len();
        let remedy = if opens {
            "a start finds everything all the same; `dossier check --repair` puts aside what is damaged"
        } else {
            "`dossier check --repair` does the least that makes it open"
        };
        return Err(Failure::new(5, format!("{count} problems; {remedy}")));
    }
    if global.output == Output::Text {
        println!(
            "{}",
            if problems.is_empty() {
                "everything is as it was written"
            } else {
                "repaired: start the server, then take a snapshot"
            }
        );
    }
    Ok(())
}

/// What was found, for programs; `is_good` says what the exit code says.
fn json(findings: &Findings, is_repair: bool) -> serde_json::Value {
    let Findings { facts, problems, repairs, beyond_repair, opens } = findings;
    let is_good = if is_repair { beyond_repair.is_empty() } else { problems.is_empty() };
    serde_json::json!({
        "is_good": is_good,
        "opens": opens,
        "facts": facts,
        "problems": problems,
        "repairs": repairs,
        "beyond_repair": beyond_repair,
    })
}

fn tell(facts: &[String], problems: &[String], repairs: &[String]) {
    for fact in facts {
        println!("  ✓ {fact}");
    }
    for problem in problems {
        println!("  ✗ {problem}");
    }
    for done in repairs {
        println!("  → {done}");
    }
}
