//! How many connections there may be, in all and from one address.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use dashmap::DashMap;

use super::Limits;
use crate::telemetry::{Event, count};

/// Seconds between two log lines about refused connections: a flood must not become a flood of lines.
const LOG_EVERY: u64 = 10;

/// The counters, shared by all threads.
pub(crate) struct Caps {
    open: AtomicUsize,
    max: AtomicUsize,
    per_address: PerAddress,
    refused: AtomicU64,
    logged_at: AtomicU64,
}

struct PerAddress {
    /// `usize::MAX` is no limit, and nothing is counted.
    max: AtomicUsize,
    open: DashMap<IpAddr, usize>,
}

impl Caps {
    pub(crate) fn new(limits: &Limits) -> Arc<Self> {
        let per_address = PerAddress { max: AtomicUsize::new(usize::MAX), open: DashMap::new() };
        let caps = Self {
            open: AtomicUsize::new(0),
            max: AtomicUsize::new(0),
            per_address,
            refused: AtomicU64::new(0),
            logged_at: AtomicU64::new(0),
        };
        caps.set(limits);
        Arc::new(caps)
    }

    /// Sets how many there may be, from the next one on.
    pub(crate) fn set(&self, limits: &Limits) {
        self.max.store(limits.max_connections, Relaxed);
        let per_address = limits.max_connections_per_address.unwrap_or(usize::MAX);
        self.per_address.max.store(per_address, Relaxed);
    }

    /// Connections that hold a permit.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Counts one more connection, or refuses it. Its address is claimed separately: behind a PROXY protocol header it
    /// is known later, and reading that header must already be bounded.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Permit> {
        let permit = Permit { caps: Arc::clone(self), address: None };
        count(Event::ConnectionOpened);
        // Counted first and given back by the permit's drop, so that two racing threads cannot both take the last one.
        if self.open.fetch_add(1, Relaxed) >= self.max.load(Relaxed) {
            self.note_refusal();
            return None;
        }
        Some(permit)
    }

    fn note_refusal(&self) {
        count(Event::ConnectionRefused);
        let refused = self.refused.fetch_add(1, Relaxed) + 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let logged_at = self.logged_at.load(Relaxed);
        let due = now >= logged_at.saturating_add(LOG_EVERY);
        if due && self.logged_at.compare_exchange(logged_at, now, Relaxed, Relaxed).is_ok() {
            log::warn!(
                "connections refused: limit reached ({refused} refused since start, {} open)",
                self.open()
            );
        }
    }
}

/// One connection's place. Lives as long as its socket, through upgrades too.
pub(crate) struct Permit {
    caps: Arc<Caps>,
    address: Option<IpAddr>,
}

impl Permit {
    /// Counts the connection for its address; false when that has too many.
    pub(crate) fn claim(&mut self, address: IpAddr) -> bool {
        let per_address = &self.caps.per_address;
        let max = per_address.max.load(Relaxed);
        if max == usize::MAX {
            return true;
        }
        let key = network(address);
        let mut open = per_address.open.entry(key).or_insert(0);
        if *open >= max {
            drop(open);
            self.caps.note_refusal();
            return false;
        }
        *open += 1;
        self.address = Some(key);
        true
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        count(Event::ConnectionClosed);
        self.caps.open.fetch_sub(1, Relaxed);
        let Some(key) = self.address else { return };
        self.caps.per_address.open.remove_if_mut(&key, |_, open| {
            *open = open.saturating_sub(1);
            *open == 0
        });
    }
}

/// One subscriber gets a /64 of IPv6, so counting single addresses there would count nothing.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let caps = Caps::new(&Limits { max_connections: 1, ..Limits::default() });
        let first = caps.admit().unwrap();
        assert!(caps.admit().is_none());
        assert_eq!(caps.open(), 1);
        drop(first);
        assert!(caps.admit().is_some());
    }

    #[test]
    fn a_new_limit_counts_what_is_open() {
        let limits = |max_connections| Limits { max_connections, ..Limits::default() };
        let caps = Caps::new(&limits(2));
        let (first, second) = (caps.admit().unwrap(), caps.admit().unwrap());
        caps.set(&limits(1));
        drop(first);
        assert!(caps.admit().is_none());
        drop(second);
        assert!(caps.admit().is_some());
    }

    #[test]
    fn addresses_of_one_network_share() {
        let caps = Caps::new(&Limits { max_connections_per_address: Some(1), ..Limits::default() });
        let mut one = caps.admit().unwrap();
        assert!(one.claim("2001:db8::1".parse().unwrap()));
        let mut two = caps.admit().unwrap();
        assert!(!two.claim("2001:db8::2".parse().unwrap()));
        assert!(two.claim("2001:db8:0:1::1".parse().unwrap()));
        drop(one);
        assert!(caps.admit().unwrap().claim("2001:db8::2".parse().unwrap()));
    }
}
