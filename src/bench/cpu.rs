//! The processor time of the gateway and of the load.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// A process of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) id: u32,
}

/// Processor time used, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct CpuTime {
    pub(crate) user: f64,
    pub(crate) system: f64,
}

impl CpuTime {
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { user: self.user - earlier.user, system: self.system - earlier.system }
    }

    pub(crate) fn total(self) -> f64 {
        self.user + self.system
    }
}

impl Process {
    /// Returns the processor time of all its threads, to a precision of one clock tick (usually 10 ms).
    pub(crate) fn used(self) -> Option<CpuTime> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.id)).ok()?;
        of_stat(&stat, rustix::param::clock_ticks_per_second())
    }

    /// Returns the process that listens on an address, if this user may inspect it.
    pub(crate) fn listening_on(address: SocketAddr) -> Option<Self> {
        let tables =
            ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| fs::read_to_string(path).unwrap_or_default());
        let sockets: Vec<String> = tables
            .iter()
            .flat_map(|table| listening(table, address.port()))
            .map(|inode| format!("socket:[{inode}]"))
            .collect();
        if sockets.is_empty() {
            return None;
        }
        let processes = fs::read_dir("/proc").ok()?.flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.map(|id| Self { id }).find(|process| process.has_one_of(&sockets))
    }

    fn has_one_of(self, sockets: &[String]) -> bool {
        let Ok(descriptors) = fs::read_dir(format!("/proc/{}/fd", self.id)) else { return false };
        descriptors
            .flatten()
            .filter_map(|entry| fs::read_link(entry.path()).ok())
            .any(|link| sockets.iter().any(|socket| link == Path::new(socket)))
    }
}

/// Reads fields 14 and 15 of `/proc/PID/stat`. Field 2 is a name in parentheses that may contain any
/// character.
#[expect(clippy::cast_precision_loss)]
fn of_stat(stat: &str, ticks_per_second: u64) -> Option<CpuTime> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut seconds = || Some(fields.next()?.parse::<u64>().ok()? as f64 / ticks_per_second as f64);
    Some(CpuTime { user: seconds()?, system: seconds()? })
}

/// Returns the inodes of the sockets in `/proc/net/tcp` that listen on a port.
fn listening(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (_, local) = fields.get(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(local, 16) == Ok(port) && fields.get(3) == Some(&LISTEN);
        is_it.then(|| fields.get(9)?.parse().ok()).flatten()
    };
    table.lines().skip(1).filter_map(inode).collect()
}

/// Returns the processor time of the calling thread.
pub(super) fn of_this_thread() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(used.tv_sec.try_into().unwrap_or(0), used.tv_nsec.try_into().unwrap_or(0))
}

/// Returns the name of the processor.
pub(crate) fn model() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_stat_line() {
        let line = "4711 (a) name (x) S 1 2 3 4 5 6 7 8 9 10 250 75 0 0 20 0 3 0 99 1 2 3";
        assert_eq!(of_stat(line, 100), Some(CpuTime { user: 2.5, system: 0.75 }));
        assert_eq!(of_stat("4711 (a) S 1 2", 100), None);
        assert_eq!(of_stat("", 100), None);
    }

    #[test]
    fn listening_sockets_of_a_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
             0: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 5551 1 0 100\n\
             1: 0100007F:20FB 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 5552 1 0 100\n\
             2: 0100007F:20FC 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 5553 1 0 100\n\
             3: 0100007F:20FB 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 5554 1 0 100\n\
             garbage\n";
        assert_eq!(listening(table, 8443), [5551, 5554]);
    }

    #[test]
    fn this_process_is_found_by_its_socket() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let found = Process::listening_on(socket.local_addr().unwrap()).unwrap();
        assert_eq!(found.id, std::process::id());
        assert!(found.used().is_some());
    }
}
