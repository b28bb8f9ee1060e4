//! The `dossier` command.

use std::process::ExitCode;

/// Its pages are spread over the cores; PERFORMANCE.md §1.5 was measured with it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    dossier::cli::main()
}
