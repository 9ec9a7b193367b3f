//! Limits on the number of connections, in total and per client address.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::{SystemTime, UNIX_EPOCH};

use dashmap::DashMap;

use crate::config::Limits;
use crate::gate::network;
use crate::telemetry::{Event, count};

/// The minimum interval in seconds between two log lines about refused connections, so that a flood of
/// connections does not flood the log.
const LOG_EVERY: u64 = 10;

/// Counts and limits the open connections of all threads.
pub(crate) struct ConnectionSlots {
    open: AtomicUsize,
    max: AtomicUsize,
    /// The number of connections for which the process has enough file descriptors.
    most: usize,
    per_address: PerAddress,
    refused: AtomicU64,
    logged_at: AtomicU64,
}

struct PerAddress {
    /// The maximum per address. `usize::MAX` means no limit; connections are then not counted per address.
    max: AtomicUsize,
    open: DashMap<IpAddr, usize>,
}

impl ConnectionSlots {
    /// Creates slots for the connections that `limits` allow, but at most `most`.
    pub(crate) fn new(limits: &Limits, most: usize) -> Arc<Self> {
        let per_address = PerAddress { max: AtomicUsize::new(usize::MAX), open: DashMap::new() };
        let slots = Self {
            open: AtomicUsize::new(0),
            max: AtomicUsize::new(0),
            most,
            per_address,
            refused: AtomicU64::new(0),
            logged_at: AtomicU64::new(0),
        };
        slots.set(limits);
        Arc::new(slots)
    }

    /// Changes the limits. They apply to new connections.
    pub(crate) fn set(&self, limits: &Limits) {
        let max = limits.max_connections.min(self.most);
        self.max.store(max, Relaxed);
        self.per_address.max.store(limits.max_connections_per_address.of(max), Relaxed);
    }

    /// Returns the number of open connections.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Relaxed)
    }

    /// Takes a slot for a new connection, or returns `None` if the limit is reached. The client's address is
    /// claimed separately: with the PROXY protocol it is known only after the header was read, and the number
    /// of connections in that state must be limited too.
    pub(crate) fn take(self: &Arc<Self>) -> Option<ConnectionSlot> {
        let slot = ConnectionSlot { slots: Arc::clone(self), address: None };
        count(Event::ConnectionOpened);
        // The counter is incremented before the check, and decremented when the slot is dropped. Two threads
        // therefore cannot both take the last slot.
        if self.open.fetch_add(1, Relaxed) >= self.max.load(Relaxed) {
            self.record_refusal(&"max_connections is reached");
            return None;
        }
        Some(slot)
    }

    /// Counts a refused connection, and logs the reason at a limited rate.
    fn record_refusal(&self, why: &dyn fmt::Display) {
        count(Event::ConnectionRefused);
        let refused = self.refused.fetch_add(1, Relaxed) + 1;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let logged_at = self.logged_at.load(Relaxed);
        let due = now >= logged_at.saturating_add(LOG_EVERY);
        if due && self.logged_at.compare_exchange(logged_at, now, Relaxed, Relaxed).is_ok() {
            log::warn!("connections refused: {why} ({refused} refused since start, {} open)", self.open());
        }
    }
}

/// The slot of one connection. It is held as long as the socket is open, including after an upgrade.
pub(crate) struct ConnectionSlot {
    slots: Arc<ConnectionSlots>,
    address: Option<IpAddr>,
}

impl ConnectionSlot {
    /// Counts a refused connection, and logs the reason at a limited rate.
    pub(crate) fn record_refusal(&self, why: &dyn fmt::Display) {
        self.slots.record_refusal(why);
    }

    /// Counts the connection for the client's address. Returns false if the address has too many connections.
    pub(crate) fn claim(&mut self, address: IpAddr) -> bool {
        let per_address = &self.slots.per_address;
        let max = per_address.max.load(Relaxed);
        if max == usize::MAX {
            return true;
        }
        let key = network(address);
        let mut open = per_address.open.entry(key).or_insert(0);
        if *open >= max {
            drop(open);
            self.record_refusal(&format_args!("max_connections_per_address is reached by {key}"));
            return false;
        }
        *open += 1;
        self.address = Some(key);
        true
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        count(Event::ConnectionClosed);
        self.slots.open.fetch_sub(1, Relaxed);
        let Some(key) = self.address else { return };
        self.slots.per_address.open.remove_if_mut(&key, |_, open| {
            *open = open.saturating_sub(1);
            *open == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::*;
    use crate::config::ConnectionsPerAddress;

    #[test]
    fn a_dropped_slot_is_free_again() {
        let slots = ConnectionSlots::new(&Limits { max_connections: 1, ..Limits::default() }, 10);
        let first = slots.take().unwrap();
        assert!(slots.take().is_none());
        assert_eq!(slots.open(), 1);
        drop(first);
        assert!(slots.take().is_some());
    }

    #[test]
    fn a_lower_limit_counts_the_open_connections() {
        let limits = |max_connections| Limits { max_connections, ..Limits::default() };
        let slots = ConnectionSlots::new(&limits(2), 10);
        let (first, second) = (slots.take().unwrap(), slots.take().unwrap());
        slots.set(&limits(1));
        drop(first);
        assert!(slots.take().is_none());
        drop(second);
        assert!(slots.take().is_some());
    }

    #[test]
    fn ipv6_addresses_of_one_network_share_a_limit() {
        let one = ConnectionsPerAddress::AtMost(NonZeroUsize::MIN);
        let limits = Limits { max_connections_per_address: one, ..Limits::default() };
        let slots = ConnectionSlots::new(&limits, 10);
        let mut one = slots.take().unwrap();
        assert!(one.claim("2001:db8::1".parse().unwrap()));
        let mut two = slots.take().unwrap();
        assert!(!two.claim("2001:db8::2".parse().unwrap()));
        assert!(two.claim("2001:db8:0:1::1".parse().unwrap()));
        drop(one);
        assert!(slots.take().unwrap().claim("2001:db8::2".parse().unwrap()));
    }

    #[test]
    fn there_are_no_more_connections_than_descriptors_for_them() {
        let slots = ConnectionSlots::new(&Limits::default(), 2);
        let _open = (slots.take().unwrap(), slots.take().unwrap());
        assert!(slots.take().is_none());
        slots.set(&Limits { max_connections: 1_000, ..Limits::default() });
        assert!(slots.take().is_none());
    }
}
