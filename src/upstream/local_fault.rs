//! Faults of this machine, which say nothing about a server.

use std::io;

use rustix::io::Errno;

/// Returns whether a connection failed because this machine lacked something: descriptors, memory or ports.
pub(crate) fn is_our_own(error: &io::Error) -> bool {
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL];
    Errno::from_io_error(error).is_some_and(|errno| ours.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_descriptors_is_not_the_server_s_fault() {
        assert!(is_our_own(&Errno::MFILE.into()) && is_our_own(&Errno::ADDRNOTAVAIL.into()));
        assert!(!is_our_own(&Errno::CONNREFUSED.into()) && !is_our_own(&io::ErrorKind::TimedOut.into()));
    }
}
