//! Names, their addresses and the connections to them.

use std::net::Ipv4Addr;

use super::*;
use crate::upstream::http1::pool;
use crate::upstream::server::Server;

fn address(last: u8, port: u16) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::new(127, 0, 0, last).into(), port)
}

fn resolver_with(addresses: &[SocketAddr]) -> Resolver {
    let resolver = Resolver::new("api.example.test", 80);
    resolver.update(addresses.to_vec());
    resolver
}

#[tokio::test]
async fn addresses_are_rotated_and_demoted_ones_come_last() {
    let [a, b, c] = [address(1, 80), address(2, 80), address(3, 80)];
    let resolver = resolver_with(&[a, b, c]);
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
    assert_eq!(resolver.addresses().await.unwrap(), [a, b, c], "if all are demoted, all are tried");
    resolver.update(vec![b, a]);
    assert_eq!(resolver.addresses().await.unwrap().len(), 2, "a new lookup clears the demotions");
}

#[tokio::test]
async fn a_name_is_not_connected_to_at_an_address_with_credentials() {
    for ip in
        ["169.254.169.254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "fe80::1", "100.100.100.200"]
    {
        let resolver = resolver_with(&[SocketAddr::new(ip.parse().unwrap(), 80)]);
        let error = resolver.connect(Duration::from_secs(1)).await.err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied, "{ip}: {error}");
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let link_local = SocketAddr::new([169, 254, 169, 254].into(), 80);
    let resolver = resolver_with(&[link_local, listener.local_addr().unwrap()]);
    let (_, connected) = resolver.connect(Duration::from_secs(1)).await.unwrap();
    assert_eq!(connected.peer, listener.local_addr().unwrap());
}

#[tokio::test]
async fn a_removed_address_is_counted() {
    let [a, b] = [address(1, 80), address(2, 80)];
    let resolver = resolver_with(&[a, b]);
    let before = resolver.removals.load(Ordering::Relaxed);
    resolver.update(vec![b, a]);
    assert_eq!(resolver.removals.load(Ordering::Relaxed), before, "a new order is not a removal");
    resolver.update(vec![b]);
    assert_ne!(resolver.removals.load(Ordering::Relaxed), before);
    assert!(resolver.has(b) && !resolver.has(a));
}

#[tokio::test]
async fn the_next_address_is_tried_if_one_refuses() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let good = listener.local_addr().unwrap();
    let resolver = resolver_with(&[address(2, good.port()), good]);
    for _ in 0..3 {
        let (stream, _) = resolver.connect(Duration::from_secs(5)).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), good);
    }
    drop(listener);
    let refused = resolver.connect(Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn connections_to_a_removed_address_are_not_reused() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    let server = Arc::new(Server::alone("api.example.test", here.port()));
    server.resolver.update(vec![here, address(2, here.port())]);
    let pooled = || pool::idle(&server, Instant::now());
    let connection = pool::open(Arc::clone(&server), Duration::from_secs(1)).await.ok().unwrap();
    pool::give_back(connection);
    // Another address is removed: the connection is reused, twice.
    server.resolver.update(vec![here]);
    pool::give_back(pooled().expect("a connection"));
    pool::give_back(pooled().expect("a connection"));
    server.resolver.update(vec![address(3, here.port())]);
    assert!(pooled().is_none());
}

#[tokio::test]
async fn an_ip_address_needs_no_lookup_and_a_name_does() {
    let six = Resolver::new("::1", 8080);
    assert!(!six.is_name());
    assert_eq!(six.addresses().await.unwrap(), ["[::1]:8080".parse().unwrap()]);
    let name = Resolver::new("localhost", 8080);
    assert!(name.is_name());
    let found = name.addresses().await.unwrap();
    assert!(found.iter().all(|address| address.ip().is_loopback() && address.port() == 8080), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_name_is_looked_up_periodically_and_soon_after_a_failed_connection() {
    let old = address(9, 80);
    for (demoted, seconds, looked_up) in [(false, 29, false), (false, 31, true), (true, 2, true)] {
        let resolver = Resolver::new("localhost", 80);
        resolver.update(vec![old]);
        if demoted {
            resolver.demote(old);
        }
        let _ = timeout(Duration::from_secs(seconds), resolver.refresh()).await;
        assert_eq!(!resolver.has(old), looked_up, "demoted: {demoted}, after {seconds} s");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_addresses_stay_in_use_while_lookups_fail() {
    let resolver = Resolver::new("no-such-name.invalid", 80);
    resolver.update(vec![address(1, 80)]);
    let _ = timeout(Duration::from_secs(65), resolver.refresh()).await;
    assert_eq!(resolver.addresses().await.unwrap(), [address(1, 80)]);
    assert_eq!(resolver.removals.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failed_lookup_is_not_repeated_immediately() {
    let resolver = Resolver::new("no-such-name.invalid", 80);
    *resolver.failed.lock().unwrap() = Some((Instant::now(), io::ErrorKind::NotFound));
    let error = resolver.addresses().await.unwrap_err();
    assert!(error.to_string().contains("a moment ago"), "{error}");
}
