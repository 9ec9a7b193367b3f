//! Faults of this machine, which say nothing about a server.

use std::io;

use rustix::io::Errno;

/// Returns whether a connection failed because this machine lacked something: descriptors, memory or ports.
pub(crate) fn is_local_fault(error: &io::Error) -> bool {
    let ours = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS, Errno::ADDRNOTAVAIL];
    Errno::from_io_error(error).is_some_and(|errno| ours.contains(&errno))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_descriptors_is_not_the_server_s_fault() {
        assert!(is_local_fault(&Errno::MFILE.into()) && is_local_fault(&Errno::ADDRNOTAVAIL.into()));
        assert!(
            !is_local_fault(&Errno::CONNREFUSED.into()) && !is_local_fault(&io::ErrorKind::TimedOut.into())
        );
    }
}
