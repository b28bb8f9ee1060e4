//! `dossier check`.

use super::args::Global;
use super::{Failure, settings};
use crate::app::check::{Findings, check, repair};

pub(super) fn run(global: &Global, is_repair: bool) -> Result<(), Failure> {
    let data_dir = settings(global)?.settings.storage.data_dir;
    let Findings { facts, problems, repairs, beyond_repair } =
        if is_repair { repair(&data_dir) } else { check(&data_dir) }?;
    for fact in &facts {
        println!("  ✓ {fact}");
    }
    for problem in &problems {
        println!("  ✗ {problem}");
    }
    for done in &repairs {
        println!("  → {done}");
    }
    if is_repair && !beyond_repair.is_empty() {
        return Err(Failure::new(5, format!("not to be repaired: {}", beyond_repair.join("; "))));
    }
    match (problems.is_empty(), is_repair) {
        (true, _) => println!("everything is as it was written"),
        (false, true) => println!("repaired: start the server, then take a snapshot"),
        (false, false) => {
            let count = problems.len();
            return Err(Failure::new(
                5,
                format!(
                    "{count} problems; `dossier check --repair` does the least that makes it open"
                ),
            ));
        }
    }
    Ok(())
}
