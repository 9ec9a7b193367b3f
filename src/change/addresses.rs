//! Addresses that only an owner may use as a target of requests.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use serde_json::Value as Json;

use super::raw;
use crate::config::Host;
use crate::config::metadata::{embedded, is_metadata, is_metadata_name};

/// The addresses that the gateway listens on.
pub(super) struct OwnAddresses {
    ports: BTreeSet<u16>,
    addresses: BTreeSet<IpAddr>,
    /// Whether a listener is bound to all addresses of the machine.
    any: bool,
    host_name: String,
}

impl OwnAddresses {
    /// Collects the listeners of configurations: those for clients, the metrics and the admin side.
    pub(super) fn of(roots: &[&Json]) -> Self {
        let mut own =
            Self { ports: BTreeSet::new(), addresses: BTreeSet::new(), any: false, host_name: host_name() };
        for root in roots {
            for table in ["server", "metrics", "admin"] {
                let listen = root.get(table).and_then(|table| table.get("listen"));
                raw::items(listen).iter().for_each(|listener| own.add(listener));
            }
        }
        own
    }

    fn add(&mut self, listener: &Json) {
        let text = match listener {
            Json::String(text) => Some(text.as_str()),
            table => ["url", "address"].iter().find_map(|key| table.get(key)?.as_str()),
        };
        let Some(text) = text else { return };
        let address = text.split_once("://").map_or(text, |(_, address)| address);
        if let Ok(address) = address.parse::<SocketAddr>() {
            self.ports.insert(address.port());
            let ip = address.ip().to_canonical();
            self.any |= ip.is_unspecified();
            self.addresses.insert(ip);
        }
    }

    /// Returns whether only an owner may send requests to this host and port.
    pub(super) fn forbid(&self, host: &Host, port: u16) -> bool {
        match host {
            Host::Address(ip) => {
                let ip = embedded(*ip);
                is_metadata(ip)
                    || is_multicast(ip)
                    || self.ports.contains(&port)
                        && (ip.is_loopback()
                            || ip.is_unspecified()
                            || self.any
                            || self.addresses.contains(&ip))
            }
            Host::Name(name) => {
                is_metadata_name(name)
                    || resolves_to_number(name)
                    || self.ports.contains(&port) && self.is_own_name(name)
            }
        }
    }

    fn is_own_name(&self, name: &str) -> bool {
        let first = |name: &str| name.split('.').next().unwrap_or_default().to_owned();
        name == "localhost"
            || name.ends_with(".localhost")
            || ["ip6-localhost", "ip6-loopback"].contains(&name)
            || !self.host_name.is_empty() && first(name) == first(&self.host_name)
    }
}

/// Returns the name of this machine; empty if it is not known.
fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_ascii_lowercase()
}

fn is_multicast(ip: IpAddr) -> bool {
    ip.is_multicast() || ip == IpAddr::V4(std::net::Ipv4Addr::BROADCAST)
}

/// Returns whether a resolver parses a name as a number, such as `0xa9fea9fe`, and so as an address.
fn resolves_to_number(name: &str) -> bool {
    name.rsplit('.').next().is_some_and(|last| {
        let hex = last.strip_prefix("0x").is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
        hex || last.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::config::Origin;

    #[test]
    fn own_and_link_local_addresses_are_forbidden_in_every_spelling() {
        let root = json!({
            "server": { "listen": ["https://0.0.0.0:8443", { "url": "http://127.0.0.1:8080" }] },
            "admin": { "listen": "http://127.0.0.1:9465" },
            "metrics": { "listen": "127.0.0.1:9464" },
        });
        let own = OwnAddresses::of(&[&root]);
        let forbidden = |url: &str| {
            let (origin, _) = Origin::parse_with_rest(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            own.forbid(&origin.host, origin.port)
        };
        for url in [
            "http://169.254.169.254",
            "http://[::ffff:169.254.169.254]/latest",
            "http://[::169.254.169.254]",
            "http://[64:ff9b::a9fe:a9fe]",
            "http://[2002:a9fe:a9fe::]",
            "http://[fe80::1]",
            "http://[fd00:ec2::254]",
            "http://0xa9fea9fe",
            "http://a.0xfe",
            "http://metadata.google.internal",
            "http://METADATA.goog",
            "http://instance-data.ec2.internal",
            "http://100.100.100.200",
            "http://127.0.0.1:9465",
            "http://127.1.2.3:9465",
            "http://localhost:9465",
            "http://x.LOCALHOST:9464",
            "http://0.0.0.0:8443",
            "http://[::]:9465",
            "http://[::1]:8080",
            "http://10.1.2.3:8443",
        ] {
            assert!(forbidden(url), "{url}");
        }
        for url in
            ["http://127.0.0.1:9000", "http://10.0.0.1:80", "http://api.internal:9465", "http://localhost"]
        {
            assert!(!forbidden(url), "{url}");
        }
    }
}
