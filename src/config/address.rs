//! Hosts, URLs and address ranges as the file writes them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

/// `http` or `https`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// Without TLS.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// Returns the scheme as a URL has it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// Returns the port of a URL that has none.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host: an address, or a DNS name in lower case. Displays as in a URL, IPv6 in brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An IP address.
    Address(IpAddr),
    /// A DNS name, lower case, without a trailing dot.
    Name(Box<str>),
}

impl Host {
    /// Parses the host of a URL: a DNS name, an IPv4 address, or an IPv6 address in brackets.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(inner) = text.strip_prefix('[') {
            return inner.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(|ip| Self::Address(ip.into()));
        }
        if let Ok(ip) = text.parse::<Ipv4Addr>() {
            return Some(Self::Address(ip.into()));
        }
        let label_is_good = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // A last label of digits is an address that was mistyped, not a name.
        let ends_in_number =
            text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        let good = text.len() <= 253 && text.split('.').all(label_is_good) && !ends_in_number;
        good.then(|| Self::Name(text.to_ascii_lowercase().into()))
    }

    /// Returns whether it can only be this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match self {
            Self::Address(ip) => ip.to_canonical().is_loopback(),
            Self::Name(name) => &**name == "localhost",
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(ip)) => write!(f, "[{ip}]"),
            Self::Address(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// A scheme, a host and a port: everything in a URL that names a server.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The scheme.
    pub scheme: Scheme,
    /// The host.
    pub host: Host,
    /// The port; the default of the scheme if the URL has none.
    pub port: u16,
}

impl fmt::Display for Origin {
    /// Writes a URL, without the port if it is the default of the scheme.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Why a text is not a URL of the expected kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum UrlError {
    /// The text begins with neither `http://` nor `https://`.
    Scheme,
    /// The text has a user name or password before the host.
    UserInformation,
    /// The host is missing or malformed.
    Host,
    /// The port is not a number from 0 to 65535.
    Port,
    /// Something follows the host and port.
    Path,
    /// A byte that is not allowed in a URL.
    Byte,
}

impl Origin {
    /// Parses a URL that names a server and nothing on it.
    ///
    /// # Errors
    /// Any other text, also one with the path `/`.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        match Self::parse_with_rest(text)? {
            (origin, "") => Ok(origin),
            _ => Err(UrlError::Path),
        }
    }

    /// Parses a URL into its origin and the rest after it.
    ///
    /// # Errors
    /// A bad origin, user information, or a byte outside printable ASCII.
    pub fn parse_with_rest(text: &str) -> Result<(Self, &str), UrlError> {
        if text.bytes().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'\\' | b'"' | b'<' | b'>')) {
            return Err(UrlError::Byte);
        }
        let (scheme, after) = match text.split_once("://") {
            Some((scheme, after)) if scheme.eq_ignore_ascii_case("http") => (Scheme::Http, after),
            Some((scheme, after)) if scheme.eq_ignore_ascii_case("https") => (Scheme::Https, after),
            _ => return Err(UrlError::Scheme),
        };
        let (authority, rest) = after.split_at(after.find(['/', '?', '#']).unwrap_or(after.len()));
        if authority.contains('@') {
            return Err(UrlError::UserInformation);
        }
        let port_at = match authority.rfind(']') {
            Some(bracket) => authority[bracket..].find(':').map(|colon| bracket + colon),
            None => authority.find(':'),
        };
        let (host, port) = match port_at {
            Some(colon) => (&authority[..colon], Some(&authority[colon + 1..])),
            None => (authority, None),
        };
        let host = Host::parse(host).ok_or(UrlError::Host)?;
        let port = match port {
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| UrlError::Port)?
            }
            Some(_) => return Err(UrlError::Port),
            None => scheme.default_port(),
        };
        Ok((Self { scheme, host, port }, rest))
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "must begin with http:// or https://",
            Self::UserInformation => "must not contain a user name or password",
            Self::Host => "must name a host: a DNS name, an IPv4 address, or an IPv6 address in [ ]",
            Self::Port => "must have a port from 0 to 65535, or none",
            Self::Path => "must end with the host and port: no path, no query, no fragment",
            Self::Byte => "must be printable ASCII, without spaces, quotes or backslashes",
        })
    }
}

impl std::error::Error for UrlError {}

/// A range of addresses, such as `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AddressRange {
    /// The network address: every bit after the prefix is zero.
    pub network: IpAddr,
    /// The length of the prefix in bits.
    pub prefix: u8,
}

/// Why a text is not a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RangeError {
    /// Not an IP address, or not a prefix length.
    Malformed,
    /// More bits than the address has.
    TooLong,
    /// Bits after the prefix are set. This is the range that contains the address.
    HostBits(AddressRange),
}

impl AddressRange {
    /// Parses `10.0.0.0/8`, `2001:db8::/32`, or an address alone.
    ///
    /// # Errors
    /// Any other text, and an address with bits set after the prefix.
    pub fn parse(text: &str) -> Result<Self, RangeError> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| RangeError::Malformed)?;
        let bits = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                digits.parse().map_err(|_| RangeError::TooLong)?
            }
            Some(_) => return Err(RangeError::Malformed),
            None => bits,
        };
        if prefix > bits {
            return Err(RangeError::TooLong);
        }
        let range = Self { network: mask(address, prefix), prefix };
        if range.network == address { Ok(range) } else { Err(RangeError::HostBits(range)) }
    }

    /// Returns the IPv4 range that a range of IPv4-mapped IPv6 addresses (`::ffff:10.0.0.0/104`) was meant to
    /// be. Such a range contains no address, because [`contains`](Self::contains) compares them as IPv4.
    pub(in crate::config) fn as_ipv4_mapped(&self) -> Option<Self> {
        let IpAddr::V6(network) = self.network else { return None };
        let prefix = self.prefix.checked_sub(96)?;
        Some(Self { network: network.to_ipv4_mapped()?.into(), prefix })
    }

    /// Returns whether every address of the range is in `other`, too.
    #[cfg(feature = "gateway")]
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.prefix >= other.prefix && other.contains(self.network)
    }

    /// Returns whether `address` is in the range. An IPv4 address inside IPv6 (`::ffff:10.0.0.1`) counts as
    /// IPv4.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.network.is_ipv4() && mask(address, self.prefix) == self.network
    }
}

fn mask(address: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match address {
        IpAddr::V4(ip) => {
            Ipv4Addr::from_bits(ip.to_bits() & u32::MAX.checked_shl(32 - prefix).unwrap_or(0)).into()
        }
        IpAddr::V6(ip) => {
            Ipv6Addr::from_bits(ip.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)).into()
        }
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, self.prefix)
    }
}

impl fmt::Display for RangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => {
                f.write_str("must be a range of addresses such as \"10.0.0.0/8\" or \"2001:db8::/32\"")
            }
            Self::TooLong => {
                f.write_str("has a longer prefix than the address has bits (32, or 128 for IPv6)")
            }
            Self::HostBits(range) => write!(f, "has bits set after the prefix; the range is \"{range}\""),
        }
    }
}

impl std::error::Error for RangeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins() {
        let table = [
            ("https://127.0.0.1:8443", Ok("https://127.0.0.1:8443")),
            ("HTTP://Example.COM", Ok("http://example.com")),
            ("https://[::1]:443", Ok("https://[::1]")),
            ("ftp://x", Err(UrlError::Scheme)),
            ("127.0.0.1:80", Err(UrlError::Scheme)),
            ("http://u:p@x", Err(UrlError::UserInformation)),
            ("http://", Err(UrlError::Host)),
            ("http://256.1.1.1", Err(UrlError::Host)),
            ("http://::1", Err(UrlError::Host)),
            ("http://-a", Err(UrlError::Host)),
            ("http://a..b", Err(UrlError::Host)),
            ("http://x:", Err(UrlError::Port)),
            ("http://x:70000", Err(UrlError::Port)),
            ("http://x:+1", Err(UrlError::Port)),
            ("http://x/", Err(UrlError::Path)),
            ("http://x?q", Err(UrlError::Path)),
            ("http://x y", Err(UrlError::Byte)),
            ("http://é", Err(UrlError::Byte)),
        ];
        for (text, wanted) in table {
            assert_eq!(Origin::parse(text).map(|o| o.to_string()), wanted.map(str::to_owned), "{text}");
        }
    }

    #[test]
    fn ranges() {
        let good = [("10.0.0.0/8", "10.255.0.1"), ("::/0", "2001:db8::1"), ("192.0.2.7", "::ffff:192.0.2.7")];
        for (range, inside) in good {
            assert!(
                AddressRange::parse(range).unwrap().contains(inside.parse().unwrap()),
                "{range} {inside}"
            );
        }
        assert!(!AddressRange::parse("10.0.0.0/8").unwrap().contains("11.0.0.0".parse().unwrap()));
        assert!(!AddressRange::parse("0.0.0.0/0").unwrap().contains("2001:db8::1".parse().unwrap()));
        let bad = [
            ("10.0.0.0/33", RangeError::TooLong),
            ("10.0.0.0/999", RangeError::TooLong),
            ("10.0.0.0/", RangeError::Malformed),
            ("10.0.0.0/+8", RangeError::Malformed),
            ("localhost", RangeError::Malformed),
        ];
        for (text, error) in bad {
            assert_eq!(AddressRange::parse(text), Err(error), "{text}");
        }
        let error = AddressRange::parse("10.1.2.3/8").unwrap_err();
        assert!(error.to_string().contains("\"10.0.0.0/8\""), "{error}");
    }
}
