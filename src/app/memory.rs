//! How much memory the process has in use, as the system counts it.

use std::fs;

/// The process's resident bytes; none where the system does not tell.
pub fn resident_bytes() -> Option<u64> {
    of_status(&fs::read_to_string("/proc/self/status").ok()?)
}

fn of_status(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_memory_is_read_from_the_systems_line() {
        assert_eq!(of_status("Name:\tx\nVmRSS:\t    1536 kB\nThreads:\t1\n"), Some(1_572_864));
        assert_eq!(of_status("Name:\tx\n"), None);
        assert_eq!(of_status("VmRSS:\tmany kB\n"), None);
    }
}
