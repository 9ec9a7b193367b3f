//! The limit on file descriptors, and the number of connections that it allows.

use std::fmt;
use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// File descriptors that are reserved for other purposes than connections: files that a reload reads, the
/// access log, metrics, and name resolution.
const OTHER_FILES: u64 = 24;
/// The file descriptors that the runtime of one worker thread uses.
const OF_A_THREAD: u64 = 4;

/// The file descriptors of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Descriptors {
    /// The maximum number of file descriptors of the process.
    limit: u64,
    /// The number of file descriptors that are not available for connections.
    reserved: u64,
}

impl Descriptors {
    /// Raises the soft limit to the hard limit, and counts the descriptors that are already open.
    ///
    /// It is called after all sockets are bound. The usual soft limit of 1,024 exists for programs that use
    /// `select`.
    pub(super) fn raise(threads: usize) -> Self {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: maximum, maximum };
        let current = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => maximum,
            Err(error) => {
                log::debug!("the limit of open files stays as it is: {error}");
                current
            }
        };
        let open = fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        let of_threads = u64::try_from(threads).unwrap_or(u64::MAX).saturating_mul(OF_A_THREAD);
        let open = u64::try_from(open).unwrap_or(u64::MAX);
        Self {
            limit: current.unwrap_or(u64::MAX),
            reserved: open.saturating_add(of_threads).saturating_add(OTHER_FILES),
        }
    }

    /// Returns the maximum number of client connections. Each request may need a second descriptor for its
    /// connection to an upstream server, so half of the available descriptors are reserved for those.
    pub(super) fn connections(self) -> usize {
        let most = self.limit.saturating_sub(self.reserved) / 2;
        usize::try_from(most).unwrap_or(usize::MAX).max(1)
    }

    /// Returns a warning for the operator if `wanted` connections do not fit.
    pub(super) fn shortage(self, wanted: usize) -> Option<Shortage> {
        (self.connections() < wanted).then_some(Shortage { descriptors: self, wanted })
    }
}

/// The limit of open files is too low for `max_connections`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shortage {
    descriptors: Descriptors,
    wanted: usize,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptors, wanted } = *self;
        let wanted_files =
            u64::try_from(wanted).unwrap_or(u64::MAX).saturating_mul(2).saturating_add(descriptors.reserved);
        write!(
            f,
            "at most {} connections are accepted instead of {wanted} (max_connections), because the process may open {} \
             files only: raise the limit to {wanted_files} (LimitNOFILE, ulimit -Hn)",
            descriptors.connections(),
            descriptors.limit,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_what_is_free_is_for_clients() {
        let descriptors = Descriptors { limit: 1_024, reserved: 64 };
        assert_eq!(descriptors.connections(), 480);
        assert!(descriptors.shortage(480).is_none());
        let shortage = descriptors.shortage(20_000).unwrap().to_string();
        for part in ["at most 480 connections", "may open 1024 files", "to 40064"] {
            assert!(shortage.contains(part), "{shortage}");
        }
        // The limit is too low for regular operation, but still allows one connection.
        assert_eq!(Descriptors { limit: 8, reserved: 64 }.connections(), 1);
        assert!(Descriptors { limit: u64::MAX, reserved: 64 }.shortage(10_000_000).is_none());
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let descriptors = Descriptors::raise(2);
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert_eq!(descriptors.limit, maximum.unwrap_or(u64::MAX));
        assert!(descriptors.reserved > OTHER_FILES);
    }
}
