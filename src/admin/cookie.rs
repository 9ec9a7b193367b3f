//! The session cookie.

use std::fmt;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use super::sessions::SessionToken;

/// The name and the attributes of the cookie.
///
/// Cookies ignore ports: a browser sends this one to other servers on the same host too. Its name has the
/// port of the listener, so that two gateways do not overwrite each other's.
#[derive(Debug, Clone)]
pub(super) struct CookieName {
    name: String,
    secure: bool,
}

impl CookieName {
    /// Returns the name for a listener. Over TLS, the name has the prefix with which browsers accept the
    /// cookie only from this host and only over TLS (RFC 6265bis §4.1.3.2).
    pub(super) fn new(port: u16, secure: bool) -> Self {
        Self { name: crate::headers::console_cookie(port, secure), secure }
    }

    /// Returns the token in the cookie of a request. If there are two cookies with this name, both are
    /// ignored, because another server on the host may have set one of them.
    pub(super) fn find(&self, headers: &HeaderMap) -> Option<SessionToken> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(name, _)| *name == self.name).map(|(_, value)| value);
        match (values.next(), values.next()) {
            (Some(value), None) => SessionToken::parse(value),
            _ => None,
        }
    }

    /// Returns the header that sets the cookie.
    pub(super) fn set(&self, token: &SessionToken) -> HeaderValue {
        let mut value = self.header(format_args!("={}", token.expose()));
        value.set_sensitive(true);
        value
    }

    /// Returns the header that removes the cookie.
    pub(super) fn remove(&self) -> HeaderValue {
        self.header(format_args!("=; Max-Age=0"))
    }

    fn header(&self, value: fmt::Arguments<'_>) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = format!("{}{value}; Path=/; HttpOnly; SameSite=Strict{secure}", self.name);
        // The name is a constant of this gateway, and the token is base64url.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""))
    }
}
