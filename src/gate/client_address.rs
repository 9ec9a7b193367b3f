//! The address of a client that is behind proxies.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::HeaderMap;
use http::header::FORWARDED;

/// Returns the address of the client that a request comes from, for
/// [`OAuthService::address_by`](crate::plugin::OAuthService::address_by).
///
/// `peer` is the other end of the connection, and `is_trusted` says which addresses are those of your
/// proxies. If `peer` is none of them, it is the client, and what the request claims does not matter.
/// Otherwise the client is the last address in `X-Forwarded-For` that is not trusted: each proxy adds the
/// address that it was called from at the end, and whatever is before that address may be invented. Without
/// `X-Forwarded-For`, `Forwarded` (RFC 7239) counts. Where a proxy hides the address (`unknown`), it is the
/// address of the last proxy known.
///
/// A proxy that is trusted must set or remove both headers, or its clients can choose their address.
///
/// ```
/// use std::net::IpAddr;
///
/// use http::HeaderMap;
/// use tollgate::gate::forwarded_address;
///
/// let mut headers = HeaderMap::new();
/// // The client has sent 203.0.113.9, and the proxy has added where the request really came from.
/// headers.insert("x-forwarded-for", "203.0.113.9, 198.51.100.7".parse()?);
/// let proxy = IpAddr::from([10, 0, 0, 2]);
/// let is_trusted = |address| address == proxy;
/// assert_eq!(forwarded_address(proxy, &headers, is_trusted), IpAddr::from([198, 51, 100, 7]));
/// // Anybody else is whoever the connection comes from.
/// let other = IpAddr::from([192, 0, 2, 1]);
/// assert_eq!(forwarded_address(other, &headers, is_trusted), other);
/// # Ok::<(), http::header::InvalidHeaderValue>(())
/// ```
#[must_use]
pub fn forwarded_address(peer: IpAddr, headers: &HeaderMap, is_trusted: impl Fn(IpAddr) -> bool) -> IpAddr {
    let values = |name| headers.get_all(name).iter().map(http::HeaderValue::as_bytes);
    behind_proxies(peer, is_trusted, values("x-forwarded-for"), values(FORWARDED.as_str()))
}

/// The same for headers that are in no map: the values of `X-Forwarded-For` and of `Forwarded`, in their
/// order.
pub(crate) fn behind_proxies<'a>(
    peer: IpAddr,
    is_trusted: impl Fn(IpAddr) -> bool,
    forwarded_for: impl Iterator<Item = &'a [u8]>,
    forwarded: impl Iterator<Item = &'a [u8]>,
) -> IpAddr {
    if !is_trusted(peer) {
        return peer;
    }
    let mut client = Hops { is_trusted: &is_trusted, last: Hop::Start };
    for value in forwarded_for {
        split(value).for_each(|text| client.passes(address(text)));
    }
    if matches!(client.last, Hop::Start) {
        for value in forwarded {
            split(value).for_each(|element| client.passes(forwarded_for_parameter(element)));
        }
    }
    match client.last {
        Hop::Address(address) => address,
        Hop::Start | Hop::Hidden => peer,
    }
}

/// The addresses from the client's to that of the last proxy, read in this order.
struct Hops<'f, F> {
    is_trusted: &'f F,
    last: Hop,
}

/// The client, as far as the addresses have been read.
enum Hop {
    /// No address was read.
    Start,
    /// The last one is not an address.
    Hidden,
    Address(IpAddr),
}

impl<F: Fn(IpAddr) -> bool> Hops<'_, F> {
    /// Reads the next address. If it is trusted, its owner reports the client before it truthfully. Otherwise
    /// it is the client, and all before it may be invented.
    fn passes(&mut self, address: Option<IpAddr>) {
        match address {
            None => self.last = Hop::Hidden,
            Some(address) if matches!(self.last, Hop::Address(_)) && (self.is_trusted)(address) => {}
            Some(address) => self.last = Hop::Address(address),
        }
    }
}

/// Splits a list at its commas. Empty elements do not count (RFC 9110 §5.6.1.2).
fn split(value: &[u8]) -> impl Iterator<Item = &str> {
    value
        .split(|byte| *byte == b',')
        .map(|element| std::str::from_utf8(element).unwrap_or("_").trim_matches([' ', '\t']))
        .filter(|element| !element.is_empty())
}

/// Parses an address, alone or with a port. Some proxies write IPv6 addresses without brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    let address: IpAddr = text.parse().ok().or_else(bracketed).or_else(with_port)?;
    // 0.0.0.0 is not the address of a client.
    (address != IpAddr::V4(Ipv4Addr::UNSPECIFIED)).then(|| address.to_canonical())
}

/// Returns the address in the parameter `for` of an element of `Forwarded` (RFC 7239 §4, §6).
fn forwarded_for_parameter(element: &str) -> Option<IpAddr> {
    let mut parameters = element.split(';').filter_map(|parameter| parameter.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("for"))?;
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    address(quoted.unwrap_or(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The proxies are 10.0.0.0/8 and ::1.
    fn client(peer: &str, forwarded_for: &[&str], forwarded: &[&str]) -> String {
        let is_trusted = |address: IpAddr| match address.to_canonical() {
            IpAddr::V4(v4) => v4.octets()[0] == 10,
            IpAddr::V6(v6) => v6.is_loopback(),
        };
        let bytes = |values: &[&str]| -> Vec<Vec<u8>> {
            values.iter().map(|value| value.as_bytes().to_vec()).collect()
        };
        let (forwarded_for, forwarded) = (bytes(forwarded_for), bytes(forwarded));
        behind_proxies(
            peer.parse().unwrap(),
            is_trusted,
            forwarded_for.iter().map(Vec::as_slice),
            forwarded.iter().map(Vec::as_slice),
        )
        .to_string()
    }

    #[test]
    fn a_claim_of_anybody_but_a_trusted_proxy_does_not_matter() {
        assert_eq!(client("192.0.2.1", &["198.51.100.1"], &["for=198.51.100.2"]), "192.0.2.1");
        assert_eq!(client("2001:db8::1", &["10.0.0.1"], &[]), "2001:db8::1");
    }

    #[test]
    fn the_last_address_that_is_not_a_proxy_is_the_client() {
        for (forwarded_for, expected) in [
            (&["198.51.100.1"][..], "198.51.100.1"),
            // The client itself has sent the first.
            (&["6.6.6.6, 198.51.100.1"], "198.51.100.1"),
            (&["6.6.6.6", "198.51.100.1"], "198.51.100.1"),
            // A chain of proxies.
            (&["6.6.6.6, 198.51.100.1, 10.0.0.7,10.0.0.8"], "198.51.100.1"),
            (&["198.51.100.1, 10.0.0.7", "10.0.0.8"], "198.51.100.1"),
            // A client inside of the network of the proxies.
            (&["10.0.0.7, 10.0.0.8"], "10.0.0.7"),
            (&["6.6.6.6, 10.0.0.7, 10.0.0.8"], "6.6.6.6"),
            // Ports, brackets, empty elements.
            (&["198.51.100.1:4711"], "198.51.100.1"),
            (&["[2001:db8::7]:4711, 10.0.0.8"], "2001:db8::7"),
            (&["[2001:db8::7]"], "2001:db8::7"),
            (&["2001:db8::7, ,"], "2001:db8::7"),
            (&["::ffff:198.51.100.1"], "198.51.100.1"),
            // A proxy that hides its client is the last known address.
            (&["198.51.100.1, unknown"], "10.0.0.2"),
            (&["198.51.100.1, unknown, 10.0.0.8"], "10.0.0.8"),
            (&["unknown, 198.51.100.1"], "198.51.100.1"),
            (&["0.0.0.0"], "10.0.0.2"),
            (&[""], "10.0.0.2"),
            (&[], "10.0.0.2"),
        ] {
            assert_eq!(client("10.0.0.2", forwarded_for, &[]), expected, "{forwarded_for:?}");
        }
        assert_eq!(client("::1", &["198.51.100.1"], &[]), "198.51.100.1");
    }

    #[test]
    fn forwarded_counts_where_there_is_no_x_forwarded_for() {
        for (forwarded, expected) in [
            (&["for=198.51.100.1;proto=https;by=203.0.113.9"][..], "198.51.100.1"),
            (&["For=\"[2001:db8::7]:4711\"", "for=10.0.0.8"], "2001:db8::7"),
            (&["for=6.6.6.6, proto=http; for=\"198.51.100.1:80\""], "198.51.100.1"),
            (&["for=_hidden"], "10.0.0.2"),
            (&["proto=https"], "10.0.0.2"),
        ] {
            assert_eq!(client("10.0.0.2", &[], forwarded), expected, "{forwarded:?}");
        }
        assert_eq!(client("10.0.0.2", &["198.51.100.1"], &["for=6.6.6.6"]), "198.51.100.1");
    }
}
