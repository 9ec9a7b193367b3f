//! Name resolution: the current addresses of a server's name, and a connection to one of them.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::{Notify, OnceCell};
use tokio::time::{Instant, sleep, timeout};

use super::local_fault::is_local_fault;
use crate::config::metadata::is_metadata;

/// The interval between two lookups of a name.
const REFRESH: Duration = Duration::from_secs(30);
/// The minimum interval between two lookups, however many connections fail.
const MIN_REFRESH: Duration = Duration::from_secs(1);
/// The maximum number of addresses used per name.
const MAX_ADDRESSES: usize = 32;

/// A host and a port, and their addresses.
///
/// `getaddrinfo` blocks, so it runs on threads that carry no traffic. While lookups fail, the last result
/// stays in use.
#[derive(Debug)]
pub(crate) struct Resolver {
    host: Box<str>,
    port: u16,
    /// The address, if the host is an IP address and needs no lookup.
    literal: Option<SocketAddr>,
    addresses: OnceCell<ArcSwap<Addresses>>,
    /// The last failure of the first lookup. Requests that follow immediately fail without another lookup.
    failed: Mutex<Option<(Instant, io::ErrorKind)>>,
    /// Requests a lookup: a connection failed, so the name may have a new address.
    refresh_requested: Notify,
    /// Counts the lookups that removed an address.
    removals: AtomicU32,
    next: AtomicUsize,
}

/// The address of a connection, and the count of removals at which the address was last known to be current.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResolvedAddr {
    peer: SocketAddr,
    removals: u32,
}

impl ResolvedAddr {
    /// Returns the address of a connection that no lookup can make stale: one to a Unix socket.
    pub(crate) fn fixed() -> Self {
        Self { peer: SocketAddr::from(([127, 0, 0, 1], 80)), removals: 0 }
    }

    /// Returns whether the name still has this address. Without this check, a busy connection to a removed
    /// address would be reused forever.
    pub(crate) fn is_current(&mut self, resolver: &Resolver) -> bool {
        let removals = resolver.removals.load(Ordering::Relaxed);
        if self.removals == removals {
            return true;
        }
        self.removals = removals;
        resolver.has(self.peer)
    }
}

/// The addresses of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Addresses {
    preferred: Vec<SocketAddr>,
    /// Addresses that refused a connection since the last lookup: tried last.
    demoted: Vec<SocketAddr>,
}

impl Addresses {
    fn new(found: Vec<SocketAddr>) -> Self {
        Self { preferred: found, demoted: Vec::new() }
    }

    fn iter(&self) -> impl Iterator<Item = &SocketAddr> {
        self.preferred.iter().chain(&self.demoted)
    }
}

impl Resolver {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            literal: host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port)),
            addresses: OnceCell::new(),
            failed: Mutex::default(),
            refresh_requested: Notify::new(),
            removals: AtomicU32::new(0),
            next: AtomicUsize::new(0),
        }
    }

    /// Returns whether the host is a name, which needs lookups.
    pub(crate) fn is_name(&self) -> bool {
        self.literal.is_none()
    }

    /// Returns the addresses in the order to try them: rotated on each call, with demoted ones last.
    ///
    /// # Errors
    /// Fails if the name cannot be resolved and never could.
    pub(crate) async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        if let Some(address) = self.literal {
            return Ok(vec![address]);
        }
        let current = self.addresses.get_or_try_init(|| self.first_lookup()).await?.load();
        let mut addresses = current.preferred.clone();
        if let Some(start) = self.next.fetch_add(1, Ordering::Relaxed).checked_rem(addresses.len()) {
            addresses.rotate_left(start);
        }
        addresses.extend(&current.demoted);
        Ok(addresses)
    }

    async fn first_lookup(&self) -> io::Result<ArcSwap<Addresses>> {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, kind)) = failed
            && at.elapsed() < MIN_REFRESH
        {
            return Err(io::Error::new(kind, "the lookup of the name failed a moment ago"));
        }
        match self.lookup().await {
            Ok(found) => Ok(ArcSwap::from_pointee(Addresses::new(found))),
            Err(error) => {
                let failure = Some((Instant::now(), error.kind()));
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failure;
                Err(error)
            }
        }
    }

    async fn lookup(&self) -> io::Result<Vec<SocketAddr>> {
        let mut found: Vec<SocketAddr> = Vec::new();
        for address in lookup_host((&*self.host, self.port)).await? {
            if found.len() < MAX_ADDRESSES && !found.contains(&address) {
                found.push(address);
            }
        }
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(found)
    }

    /// Replaces the addresses with the result of a lookup.
    fn update(&self, found: Vec<SocketAddr>) {
        let Some(current) = self.addresses.get() else {
            // The first request may set it at the same time: either result will do.
            let _ = self.addresses.set(ArcSwap::from_pointee(Addresses::new(found)));
            return;
        };
        let before = current.swap(Arc::new(Addresses::new(found.clone())));
        if before.iter().any(|address| !found.contains(address)) {
            self.removals.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Moves an address that refused a connection to the end.
    fn demote(&self, address: SocketAddr) {
        if let Some(current) = self.addresses.get() {
            current.rcu(|current| {
                let mut addresses = Addresses::clone(current);
                if let Some(at) = addresses.preferred.iter().position(|preferred| *preferred == address) {
                    addresses.preferred.remove(at);
                    addresses.demoted.push(address);
                }
                addresses
            });
            self.refresh_soon();
        }
    }

    /// Requests a lookup soon, because the name may have a new address.
    pub(crate) fn refresh_soon(&self) {
        self.refresh_requested.notify_one();
    }

    fn has(&self, address: SocketAddr) -> bool {
        match (self.literal, self.addresses.get()) {
            (Some(literal), _) => literal == address,
            (None, None) => true,
            (None, Some(current)) => current.load().iter().any(|current| *current == address),
        }
    }

    /// Connects to one of the addresses. An address that refuses, or exceeds its share of the time, is
    /// skipped.
    ///
    /// # Errors
    /// Fails if the name cannot be resolved, or with the error of the last address if none accepts a
    /// connection.
    pub(crate) async fn connect(&self, within: Duration) -> io::Result<(TcpStream, ResolvedAddr)> {
        let removals = self.removals.load(Ordering::Relaxed);
        let until = Instant::now() + within;
        let addresses = self.addresses().await?;
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for (tried, address) in addresses.iter().enumerate() {
            // A DNS server could return such an address. It is allowed only if the configuration contains it.
            if self.is_name() && is_metadata(address.ip()) {
                failure = io::Error::new(
                    io::ErrorKind::PermissionDenied,
                    format!(
                        "the name {} has the address {}, at which clouds have credentials, so it is not connected to",
                        self.host,
                        address.ip()
                    ),
                );
                self.demote(*address);
                continue;
            }
            let connecting = TcpStream::connect(address);
            let others = u32::try_from(addresses.len() - tried - 1).unwrap_or(u32::MAX);
            let connected = if others == 0 {
                // The caller's timeout bounds the last attempt.
                connecting.await
            } else {
                let left = until.saturating_duration_since(Instant::now());
                let share = timeout(left / (others + 1), connecting);
                share.await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            };
            match connected {
                Ok(stream) => return Ok((stream, ResolvedAddr { peer: *address, removals })),
                Err(error) if is_local_fault(&error) => return Err(error),
                Err(error) => failure = error,
            }
            self.demote(*address);
        }
        Err(failure)
    }

    /// Refreshes the addresses periodically. Never completes.
    pub(crate) async fn refresh(&self) {
        let mut failing = false;
        loop {
            sleep(MIN_REFRESH).await;
            let _ = timeout(REFRESH - MIN_REFRESH, self.refresh_requested.notified()).await;
            match self.lookup().await {
                Ok(found) => {
                    self.update(found);
                    if std::mem::take(&mut failing) {
                        log::info!("the name {} can be resolved again", self.host);
                    }
                }
                // The last addresses stay in use: an outage of DNS must not become one of the API.
                Err(error) if !failing => {
                    log::warn!("cannot resolve {}, its last known addresses stay in use: {error}", self.host);
                    failing = true;
                }
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests;
