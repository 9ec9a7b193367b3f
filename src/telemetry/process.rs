//! What the system says of this process.

use std::fs;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// What could be found out; nothing where the system does not tell.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) resident_bytes: Option<u64>,
    pub(super) virtual_bytes: Option<u64>,
    pub(super) threads: Option<u64>,
    pub(super) open_fds: Option<u64>,
    pub(super) max_fds: Option<u64>,
}

impl Process {
    /// Looks now.
    pub(super) fn look() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let kibibytes = |name| field(&status, name)?.checked_mul(1024);
        Self {
            resident_bytes: kibibytes("VmRSS:"),
            virtual_bytes: kibibytes("VmSize:"),
            threads: field(&status, "Threads:"),
            // One of them is this look itself.
            open_fds: fs::read_dir("/proc/self/fd")
                .ok()
                .and_then(|entries| u64::try_from(entries.count().saturating_sub(1)).ok()),
            max_fds: field(&limits, "Max open files"),
        }
    }
}

/// The first number behind a name.
fn field(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

/// When it began, in seconds since 1970: when this was first asked.
pub(crate) fn started() -> f64 {
    static STARTED: OnceLock<f64> = OnceLock::new();
    *STARTED
        .get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells() {
        let process = Process::look();
        assert!(process.resident_bytes.unwrap() > 1 << 20 && process.virtual_bytes >= process.resident_bytes);
        assert!(process.threads.unwrap() >= 1 && process.open_fds.unwrap() >= 3);
        assert!(process.max_fds.unwrap() >= process.open_fds.unwrap());
        assert_eq!(field("A:  12 kB\nB: x\n", "A:"), Some(12));
        assert_eq!(field("A:  12 kB\nB: x\n", "B:"), None);
    }
}
