//! The addresses and names at which clouds give a machine its credentials. Requests for others must not lead
//! there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Addresses of such services outside of the link-local ranges: of Alibaba Cloud, of Azure and of AWS.
const ADDRESSES: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];
/// Names of such services, in lower case.
const NAMES: [&str; 7] = [
    "metadata",
    "metadata.google.internal",
    "metadata.goog",
    "instance-data",
    "instance-data.ec2.internal",
    "metadata.tencentyun.com",
    "metadata.platformequinix.com",
];

/// Returns whether an address is of this network segment alone, or one of a service with credentials.
pub(crate) fn is_metadata(ip: IpAddr) -> bool {
    let ip = embedded(ip);
    ADDRESSES.contains(&ip)
        || match ip {
            IpAddr::V4(ip) => ip.is_link_local(),
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
        }
}

/// Returns whether a host name is that of a service with credentials.
pub(crate) fn is_metadata_name(name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// Returns the IPv4 address that an IPv6 address contains: mapped, compatible, or translated (NAT64, 6to4).
/// Other addresses stay as they are.
pub(crate) fn embedded(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip.to_canonical() else { return ip.to_canonical() };
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match six.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if high != 0 => v4(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => v4(high, low),
        [0x2002, high, low, ..] => v4(high, low),
        _ => ip.to_canonical(),
    }
}
