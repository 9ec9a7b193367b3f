//! Where a server is now: the addresses of its name, looked up again and again, and a connection to one of them.

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

/// How often a name is looked up again.
const REFRESH: Duration = Duration::from_secs(30);
/// How soon again at most, however many connections fail.
const SOONEST: Duration = Duration::from_secs(1);
/// How many addresses of a name are used.
const MOST: usize = 32;

/// A host and a port, and the addresses behind them.
///
/// getaddrinfo blocks, so it runs on threads that carry no traffic. What it found last stays in use while it fails.
#[derive(Debug)]
pub(crate) struct Resolver {
    host: Box<str>,
    port: u16,
    /// The host is an address: nothing to look up.
    literal: Option<SocketAddr>,
    known: OnceCell<ArcSwap<Known>>,
    /// When a look-up failed while nothing was known: those who come right after it need not wait for another.
    failed: Mutex<Option<(Instant, io::ErrorKind)>>,
    /// A connection failed: perhaps the name means another address now.
    refresh_requested: Notify,
    /// Counts the answers in which an address was missing that had been there.
    removals: AtomicU32,
    turn: AtomicUsize,
}

/// Where a connection leads, and how often addresses had gone from the name when it was last seen to be one of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResolvedAddr {
    peer: SocketAddr,
    removals: u32,
}

impl ResolvedAddr {
    /// Whether the resolver still is there. A connection to an address that left would stay as long as there are requests.
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
struct Known {
    good: Vec<SocketAddr>,
    /// Those that took no connection since the last look-up: tried last.
    poor: Vec<SocketAddr>,
}

impl Resolver {
    pub(crate) fn new(host: &str, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            literal: host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, port)),
            known: OnceCell::new(),
            failed: Mutex::default(),
            refresh_requested: Notify::new(),
            removals: AtomicU32::new(0),
            turn: AtomicUsize::new(0),
        }
    }

    /// Whether there is a name to look up again.
    pub(crate) fn is_name(&self) -> bool {
        self.literal.is_none()
    }

    /// The addresses, in the order in which to try them: in turn, and last those that took no connection.
    ///
    /// # Errors
    /// Nothing is known yet, and the name cannot be looked up.
    pub(crate) async fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        if let Some(address) = self.literal {
            return Ok(vec![address]);
        }
        let known = self.known.get_or_try_init(|| self.first()).await?.load();
        let mut addresses = known.good.clone();
        if let Some(start) = self.turn.fetch_add(1, Ordering::Relaxed).checked_rem(addresses.len()) {
            addresses.rotate_left(start);
        }
        addresses.extend(&known.poor);
        Ok(addresses)
    }

    async fn first(&self) -> io::Result<ArcSwap<Known>> {
        let failed = *self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, kind)) = failed
            && at.elapsed() < SOONEST
        {
            return Err(io::Error::new(kind, "the name was looked up in vain a moment ago"));
        }
        match self.look_up().await {
            Ok(good) => Ok(ArcSwap::from_pointee(Known { good, poor: Vec::new() })),
            Err(error) => {
                let failure = Some((Instant::now(), error.kind()));
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failure;
                Err(error)
            }
        }
    }

    async fn look_up(&self) -> io::Result<Vec<SocketAddr>> {
        let mut found: Vec<SocketAddr> = Vec::new();
        for address in lookup_host((&*self.host, self.port)).await? {
            if found.len() < MOST && !found.contains(&address) {
                found.push(address);
            }
        }
        if found.is_empty() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
        }
        Ok(found)
    }

    /// Takes up what a look-up found.
    fn update(&self, found: Vec<SocketAddr>) {
        let Some(known) = self.known.get() else {
            // The first request, context at the same time, may have been quicker.
            let _ = self.known.set(ArcSwap::from_pointee(Known { good: found, poor: Vec::new() }));
            return;
        };
        let before = known.swap(Arc::new(Known { good: found.clone(), poor: Vec::new() }));
        if before.good.iter().chain(&before.poor).any(|address| !found.contains(address)) {
            self.removals.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// An address took no connection.
    fn demote(&self, address: SocketAddr) {
        if let Some(known) = self.known.get() {
            known.rcu(|known| {
                let mut known = Known::clone(known);
                if let Some(at) = known.good.iter().position(|good| *good == address) {
                    known.good.remove(at);
                    known.poor.push(address);
                }
                known
            });
            self.refresh_soon();
        }
    }

    /// Has the name looked up again soon: it may mean another address by now.
    pub(crate) fn refresh_soon(&self) {
        self.refresh_requested.notify_one();
    }

    /// Whether the name still means this address.
    fn has(&self, address: SocketAddr) -> bool {
        match (self.literal, self.known.get()) {
            (Some(literal), _) => literal == address,
            (None, None) => true,
            (None, Some(known)) => {
                let known = known.load();
                known.good.contains(&address) || known.poor.contains(&address)
            }
        }
    }

    /// A connection to one of the addresses: the next one where one refuses, or takes more than its share of the time.
    ///
    /// # Errors
    /// The name cannot be looked up; or none takes a connection: what the last one said.
    pub(crate) async fn connect(&self, within: Duration) -> io::Result<(TcpStream, ResolvedAddr)> {
        let removals = self.removals.load(Ordering::Relaxed);
        let until = Instant::now() + within;
        let addresses = self.addresses().await?;
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for (tried, address) in addresses.iter().enumerate() {
            let connecting = TcpStream::connect(address);
            let others = u32::try_from(addresses.len() - tried - 1).unwrap_or(u32::MAX);
            let connected = if others == 0 {
                // The rest of the time, which the caller keeps.
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

    /// Keeps the addresses fresh, for as long as it is polled.
    pub(crate) async fn refresh(&self) {
        let mut fails = false;
        loop {
            sleep(SOONEST).await;
            let _ = timeout(REFRESH - SOONEST, self.refresh_requested.notified()).await;
            match self.look_up().await {
                Ok(found) => {
                    self.update(found);
                    if std::mem::take(&mut fails) {
                        log::info!("{} can be looked up again", self.host);
                    }
                }
                // Those known last stay: a name server that is away must not take the API along.
                Err(error) if !fails => {
                    log::warn!("{} cannot be looked up, what was known of it stays: {error}", self.host);
                    fails = true;
                }
                Err(_) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::upstream::http1::pool;
    use crate::upstream::server::Server;

    fn address(last: u8, port: u16) -> SocketAddr {
        SocketAddr::new(Ipv4Addr::new(127, 0, 0, last).into(), port)
    }

    fn known(addresses: &[SocketAddr]) -> Resolver {
        let resolver = Resolver::new("api.example.test", 80);
        resolver.update(addresses.to_vec());
        resolver
    }

    #[tokio::test]
    async fn all_addresses_in_turn_and_the_poor_last() {
        let [a, b, c] = [address(1, 80), address(2, 80), address(3, 80)];
        let resolver = known(&[a, b, c]);
        let firsts = [
            resolver.addresses().await.unwrap()[0],
            resolver.addresses().await.unwrap()[0],
            resolver.addresses().await.unwrap()[0],
        ];
        assert_eq!(firsts, [a, b, c]);
        resolver.demote(a);
        for _ in 0..4 {
            assert_eq!(resolver.addresses().await.unwrap()[2], a);
        }
        resolver.demote(b);
        resolver.demote(c);
        assert_eq!(resolver.addresses().await.unwrap(), [a, b, c], "when none is good, all are tried");
        resolver.update(vec![b, a]);
        assert_eq!(resolver.addresses().await.unwrap().len(), 2, "a new answer forgets what failed");
    }

    #[tokio::test]
    async fn who_left_is_known_to_connections() {
        let [a, b] = [address(1, 80), address(2, 80)];
        let resolver = known(&[a, b]);
        let before = resolver.removals.load(Ordering::Relaxed);
        resolver.update(vec![b, a]);
        assert_eq!(resolver.removals.load(Ordering::Relaxed), before, "the order is no departure");
        resolver.update(vec![b]);
        assert_ne!(resolver.removals.load(Ordering::Relaxed), before);
        assert!(resolver.has(b) && !resolver.has(a));
    }

    #[tokio::test]
    async fn the_next_address_where_one_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let resolver = known(&[address(2, good.port()), good]);
        for _ in 0..3 {
            let (stream, _) = resolver.connect(Duration::from_secs(5)).await.unwrap();
            assert_eq!(stream.peer_addr().unwrap(), good);
        }
        drop(listener);
        let refused = resolver.connect(Duration::from_secs(5)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn connections_to_an_address_that_left_are_not_used_again() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let here = listener.local_addr().unwrap();
        let server = Arc::new(Server::alone("api.example.test", here.port()));
        server.resolver.update(vec![here, address(2, here.port())]);
        let pooled = || pool::idle(&server, Instant::now());
        let connection = pool::open(Arc::clone(&server), Duration::from_secs(1)).await.ok().unwrap();
        pool::give_back(connection);
        // Another address leaves: it is kept, and once more without being asked for.
        server.resolver.update(vec![here]);
        pool::give_back(pooled().expect("a connection"));
        pool::give_back(pooled().expect("a connection"));
        server.resolver.update(vec![address(3, here.port())]);
        assert!(pooled().is_none());
    }

    #[tokio::test]
    async fn names_and_addresses() {
        let six = Resolver::new("::1", 8080);
        assert!(!six.is_name());
        assert_eq!(six.addresses().await.unwrap(), ["[::1]:8080".parse().unwrap()]);
        let name = Resolver::new("localhost", 8080);
        assert!(name.is_name());
        let found = name.addresses().await.unwrap();
        assert!(
            found.iter().all(|address| address.ip().is_loopback() && address.port() == 8080),
            "{found:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_is_looked_up_again_now_and_then_and_soon_when_in_doubt() {
        let old = address(9, 80);
        for (refresh_requested, seconds, looked_up) in
            [(false, 29, false), (false, 31, true), (true, 2, true)]
        {
            let resolver = Resolver::new("localhost", 80);
            resolver.update(vec![old]);
            if refresh_requested {
                resolver.demote(old);
            }
            let _ = timeout(Duration::from_secs(seconds), resolver.refresh()).await;
            assert_eq!(
                !resolver.has(old),
                looked_up,
                "refresh_requested: {refresh_requested}, after {seconds} s"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_stays_while_a_name_cannot_be_looked_up() {
        let resolver = Resolver::new("no-such-name.invalid", 80);
        resolver.update(vec![address(1, 80)]);
        let _ = timeout(Duration::from_secs(65), resolver.refresh()).await;
        assert_eq!(resolver.addresses().await.unwrap(), [address(1, 80)]);
        assert_eq!(resolver.removals.load(Ordering::Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_look_up_is_not_repeated_at_once() {
        let resolver = Resolver::new("no-such-name.invalid", 80);
        *resolver.failed.lock().unwrap() = Some((Instant::now(), io::ErrorKind::NotFound));
        let error = resolver.addresses().await.unwrap_err();
        assert!(error.to_string().contains("a moment ago"), "{error}");
    }
}
