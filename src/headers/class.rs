//! What a header is to a gateway.

use http::HeaderName;
use http::header;

use crate::headers::identity::{CLIENT_ID, CLIENT_SCOPE, folded};

/// Headers that a gateway must not just pass on, by what is done about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Nothing special.
    Other,
    Authorization,
    ClientId,
    ClientScope,
    Connection,
    ContentLength,
    Expect,
    /// Tells of the connection to a proxy before us: believed only from a trusted one.
    Forwarding,
    /// RFC 7239.
    Forwarded,
    ForwardedFor,
    ForwardedHost,
    ForwardedProto,
    /// For this connection only (RFC 9110 §7.6.1), or for a proxy.
    Hop,
    Host,
    /// Makes some upstream serve another resource or method than the one that was authorised.
    Override,
    Te,
    Trailer,
    TransferEncoding,
    Upgrade,
    Via,
}

impl Class {
    /// The class of `name`; for one in another spelling, that of the name it would be taken for, and true.
    pub(crate) fn of(name: &HeaderName) -> (Self, bool) {
        // Names that `http` knows are numbers, so this is a jump, not a comparison of text.
        let class = match *name {
            header::ACCEPT
            | header::ACCEPT_ENCODING
            | header::ACCEPT_LANGUAGE
            | header::CACHE_CONTROL
            | header::CONTENT_ENCODING
            | header::CONTENT_TYPE
            | header::COOKIE
            | header::DATE
            | header::ETAG
            | header::LAST_MODIFIED
            | header::ORIGIN
            | header::REFERER
            | header::SERVER
            | header::SET_COOKIE
            | header::USER_AGENT
            | header::VARY => Self::Other,
            header::AUTHORIZATION => Self::Authorization,
            header::CONNECTION => Self::Connection,
            header::CONTENT_LENGTH => Self::ContentLength,
            header::EXPECT => Self::Expect,
            header::FORWARDED => Self::Forwarded,
            header::HOST => Self::Host,
            header::PROXY_AUTHENTICATE | header::PROXY_AUTHORIZATION => Self::Hop,
            header::TE => Self::Te,
            header::TRAILER => Self::Trailer,
            header::TRANSFER_ENCODING => Self::TransferEncoding,
            header::UPGRADE => Self::Upgrade,
            header::VIA => Self::Via,
            _ => return Self::of_text(name.as_str()),
        };
        (class, false)
    }

    fn of_text(name: &str) -> (Self, bool) {
        if name.bytes().all(|byte| folded(byte) == byte) {
            return (Self::of_plain(name), false);
        }
        let mut buffer = [0; LONGEST];
        let Some(buffer) = buffer.get_mut(..name.len()) else {
            return (Self::Other, true);
        };
        for (to, from) in buffer.iter_mut().zip(name.bytes()) {
            *to = folded(from);
        }
        (std::str::from_utf8(buffer).map_or(Self::Other, Self::of_plain), true)
    }

    fn of_plain(name: &str) -> Self {
        // The first letter sorts out nearly everything.
        match name.as_bytes().first() {
            Some(b'x') => match name {
                CLIENT_ID => Self::ClientId,
                CLIENT_SCOPE => Self::ClientScope,
                "x-forwarded-for" => Self::ForwardedFor,
                "x-forwarded-host" => Self::ForwardedHost,
                "x-forwarded-proto" => Self::ForwardedProto,
                "x-real-ip" => Self::Forwarding,
                "x-original-url"
                | "x-rewrite-url"
                | "x-forwarded-uri"
                | "x-forwarded-prefix"
                | "x-forwarded-path"
                | "x-http-method"
                | "x-http-method-override"
                | "x-method-override" => Self::Override,
                _ if name.starts_with("x-forwarded-") => Self::Forwarding,
                _ => Self::Other,
            },
            Some(b'p') => match name {
                "proxy-connection"
                | "proxy-authenticate"
                | "proxy-authorization"
                | "proxy-authentication-info" => Self::Hop,
                // CGI programs get it as HTTP_PROXY, which their HTTP clients obey.
                "proxy" => Self::Override,
                _ => Self::Other,
            },
            Some(b'h') => match name {
                "host" => Self::Host,
                "http2-settings" => Self::Hop,
                _ => Self::Other,
            },
            Some(b'k') if name == "keep-alive" => Self::Hop,
            Some(b'a') if name == "authorization" => Self::Authorization,
            Some(b'c') => match name {
                "connection" => Self::Connection,
                "content-length" => Self::ContentLength,
                _ => Self::Other,
            },
            Some(b'e') if name == "expect" => Self::Expect,
            Some(b'f') if name == "forwarded" => Self::Forwarded,
            Some(b't') => match name {
                "te" => Self::Te,
                "trailer" => Self::Trailer,
                "transfer-encoding" => Self::TransferEncoding,
                _ => Self::Other,
            },
            Some(b'u') if name == "upgrade" => Self::Upgrade,
            Some(b'v') if name == "via" => Self::Via,
            _ => Self::Other,
        }
    }
}

/// No name above is longer.
const LONGEST: usize = 64;

/// Whether a CGI-like server takes one name for the other.
pub(crate) fn same_variable(one: &HeaderName, other: &HeaderName) -> bool {
    let (one, other) = (one.as_str().bytes(), other.as_str().bytes());
    one.len() == other.len() && one.map(folded).eq(other.map(folded))
}
