//! Classifies headers by their name.

use crate::headers::claims::{Claim, claim};
use crate::headers::identity::{CLIENT_ID, CLIENT_SCOPE};
use crate::headers::spelling::same_variable;

/// The classes of headers that the gateway reads, changes or removes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Class {
    /// A header without a special meaning.
    Other,
    Authorization,
    ClientId,
    ClientScope,
    Connection,
    ContentLength,
    Cookie,
    Date,
    Dpop,
    Expect,
    /// Describes the client's connection to an earlier proxy. Accepted only from a trusted proxy.
    Forwarding,
    /// RFC 7239.
    Forwarded,
    ForwardedFor,
    ForwardedHost,
    ForwardedPrefix,
    ForwardedProto,
    /// Applies to this connection only (RFC 9110 §7.6.1), or to a proxy.
    Hop,
    /// `Keep-Alive`, a hop-by-hop header with the time for which a server waits for the next request.
    KeepAlive,
    Host,
    Origin,
    /// Makes some upstreams serve another resource than the authorized one, or treat the request as another
    /// client's. See [`Claim`].
    Override,
    /// `Access-Control-Request-Method`.
    RequestedMethod,
    RequestId,
    Te,
    Trailer,
    TransferEncoding,
    Upgrade,
    /// Contains a URL or a cookie of the server: `Location`, `Content-Location` and `Set-Cookie` in a
    /// response.
    Url,
    Via,
}

/// A name in lower case, and its class.
type Known = (&'static [u8], Class);

/// The known names for each first letter, starting with `a`.
const KNOWN: [&[Known]; 26] = [
    &[(b"authorization", Class::Authorization), (b"access-control-request-method", Class::RequestedMethod)],
    &[],
    &[
        (b"connection", Class::Connection),
        (b"content-length", Class::ContentLength),
        (b"cookie", Class::Cookie),
        (b"content-location", Class::Url),
    ],
    &[(b"date", Class::Date), (b"dpop", Class::Dpop)],
    &[(b"expect", Class::Expect)],
    &[(b"forwarded", Class::Forwarded)],
    &[],
    &[(b"host", Class::Host), (b"http2-settings", Class::Hop)],
    &[],
    &[],
    &[(b"keep-alive", Class::KeepAlive)],
    &[(b"location", Class::Url)],
    &[],
    &[],
    &[(b"origin", Class::Origin)],
    &[
        (b"proxy-connection", Class::Hop),
        (b"proxy-authenticate", Class::Hop),
        (b"proxy-authorization", Class::Hop),
        (b"proxy-authentication-info", Class::Hop),
    ],
    &[],
    &[],
    &[(b"set-cookie", Class::Url)],
    &[(b"te", Class::Te), (b"trailer", Class::Trailer), (b"transfer-encoding", Class::TransferEncoding)],
    &[(b"upgrade", Class::Upgrade)],
    &[(b"via", Class::Via)],
    &[],
    &[
        (CLIENT_ID.as_bytes(), Class::ClientId),
        (CLIENT_SCOPE.as_bytes(), Class::ClientScope),
        (b"x-forwarded-for", Class::ForwardedFor),
        (b"x-forwarded-host", Class::ForwardedHost),
        (b"x-forwarded-proto", Class::ForwardedProto),
        (b"x-forwarded-prefix", Class::ForwardedPrefix),
        (b"x-request-id", Class::RequestId),
    ],
    &[],
    &[],
];

/// The lengths of the known names for each first letter, as bits: bit 4 means a length of four bytes. Most
/// unknown names have another length, and are then not compared at all.
const LENGTHS: [u32; 26] = {
    let mut lengths = [0; 26];
    let mut letter = 0;
    while letter < KNOWN.len() {
        let mut at = 0;
        while at < KNOWN[letter].len() {
            lengths[letter] |= 1 << KNOWN[letter][at].0.len();
            at += 1;
        }
        letter += 1;
    }
    lengths
};

/// Whether a byte is a letter, a digit or `-`.
static IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = (byte as u8).is_ascii_alphanumeric() || byte as u8 == b'-';
        byte += 1;
    }
    table
};

/// A set of classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct ClassSet(u32);

impl ClassSet {
    /// Creates the set of these classes.
    pub(crate) const fn of(classes: &[Class]) -> Self {
        let mut set = Self(0);
        let mut at = 0;
        while at < classes.len() {
            set.0 |= 1 << classes[at] as u8;
            at += 1;
        }
        set
    }

    /// Returns whether the set has this class.
    #[inline]
    pub(crate) const fn has(self, class: Class) -> bool {
        self.0 >> class as u8 & 1 == 1
    }

    /// Returns whether the sets have a class in common.
    #[inline]
    pub(crate) const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Adds a class.
    #[inline]
    pub(crate) fn insert(&mut self, class: Class) {
        self.0 |= 1 << class as u8;
    }

    /// Returns the set with this class, or without it.
    #[inline]
    pub(super) const fn with(self, class: Class, there: bool) -> Self {
        let bit = 1 << class as u8;
        Self(if there { self.0 | bit } else { self.0 & !bit })
    }
}

/// The classes of [`Class::is_plain`].
pub(super) const PLAIN: ClassSet = ClassSet::of(&[
    Class::Other,
    Class::Cookie,
    Class::Date,
    Class::Dpop,
    Class::Origin,
    Class::RequestId,
    Class::RequestedMethod,
    Class::Url,
]);

impl Class {
    /// Returns whether headers of this class are forwarded by default.
    pub(crate) fn is_plain(self) -> bool {
        PLAIN.has(self)
    }

    /// Returns the class of a name in any case. If the name is another spelling of a known name, which
    /// CGI-like servers would treat as the same, returns the class of the known name and `true`.
    pub(crate) fn of(name: &[u8]) -> (Self, bool) {
        let disguised = !name.iter().all(|byte| IS_PLAIN[usize::from(*byte)]);
        (Self::of_token(name, disguised), disguised)
    }

    /// Like [`of`](Self::of), if the caller knows whether the name has characters other than letters, digits
    /// and `-`.
    pub(crate) fn of_token(name: &[u8], disguised: bool) -> Self {
        let Some(&first) = name.first() else { return Self::Other };
        let letter = usize::from((first | 0x20).wrapping_sub(b'a'));
        let (Some(known), Some(lengths)) = (KNOWN.get(letter), LENGTHS.get(letter)) else {
            return Self::Other;
        };
        if name.len() < 32 && lengths >> name.len() & 1 == 1 {
            let same = |known: &[u8]| {
                known.len() == name.len()
                    && if disguised { same_variable(known, name) } else { same_plain(known, name) }
            };
            if let Some((_, class)) = known.iter().find(|(known, _)| same(known)) {
                return *class;
            }
        }
        match claim(name) {
            None => Self::Other,
            Some(Claim::Connection) => Self::Forwarding,
            Some(Claim::Identity | Claim::Resource) => Self::Override,
        }
    }
}

/// Returns whether `name` equals `known`, ignoring case. Both have the same length, and `name` consists of
/// letters, digits and `-`. Setting the lower-case bit does not change digits or `-`, so eight bytes are
/// compared at a time, starting with the last eight.
#[inline]
fn same_plain(known: &[u8], name: &[u8]) -> bool {
    const LOWER: u64 = u64::MAX / 255 * 0x20;
    let same =
        |known: &[u8; 8], name: &[u8; 8]| u64::from_le_bytes(*known) == u64::from_le_bytes(*name) | LOWER;
    match (known.last_chunk(), name.last_chunk()) {
        (Some(known_end), Some(name_end)) => {
            let words = known.as_chunks().0.iter().zip(name.as_chunks().0);
            same(known_end, name_end) && words.into_iter().all(|(known, name)| same(known, name))
        }
        _ => known.iter().zip(name).all(|(known, name)| *known == *name | 0x20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_name_is_found_in_any_case_and_spelling() {
        for (letter, names) in (b'a'..=b'z').zip(KNOWN) {
            for (name, class) in names {
                assert_eq!(name[0], letter, "{name:?}");
                assert_eq!(Class::of(name), (*class, false));
                assert_eq!(Class::of(&name.to_ascii_uppercase()), (*class, false));
                if name.contains(&b'-') {
                    let disguised: Vec<u8> =
                        name.iter().map(|byte| if *byte == b'-' { b'_' } else { *byte }).collect();
                    assert_eq!(Class::of(&disguised), (*class, true));
                }
            }
        }
    }

    #[test]
    fn other_names() {
        for (name, expected) in [
            (&b"accept"[..], (Class::Other, false)),
            (b"x-forwarded-server", (Class::Forwarding, false)),
            (b"X-Forwarded_For", (Class::ForwardedFor, true)),
            (b"X-Forwarded_Port", (Class::Forwarding, true)),
            (b"x-forwarded", (Class::Other, false)),
            (b"Remote_User", (Class::Override, true)),
            (b"X-Original-URI", (Class::Override, false)),
            (b"true-client-ip", (Class::Forwarding, false)),
            (b"content~length", (Class::ContentLength, true)),
            (b"a_b", (Class::Other, true)),
            (b"!", (Class::Other, true)),
            (b"", (Class::Other, false)),
        ] {
            assert_eq!(Class::of(name), expected, "{}", name.escape_ascii());
        }
    }
}
