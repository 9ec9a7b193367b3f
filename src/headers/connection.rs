//! What a `Connection` header nominates.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::class::Class;

/// No honest message nominates more; what is beyond is passed on, which does no harm.
const MAX_NOMINATED: usize = 32;

/// The headers that a message's `Connection` nominates: for this connection only (RFC 9110 §7.6.1).
///
/// Only headers without a meaning to the gateway can be nominated away: what frames, routes, authenticates or
/// identifies is dealt with by its own rules, whoever nominates it.
#[derive(Debug, Default)]
pub(crate) struct Nominated(Vec<HeaderName>);

impl Nominated {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut nominated = Self::default();
        for value in headers.get_all(CONNECTION) {
            nominated.add(value);
        }
        nominated
    }

    /// Adds what one line nominates.
    pub(crate) fn add(&mut self, value: &HeaderValue) {
        // What nearly every message says nominates nothing.
        if matches!(value.as_bytes(), b"keep-alive" | b"close" | b"Keep-Alive") {
            return;
        }
        for token in options(value) {
            let option = |name: &[u8]| token.eq_ignore_ascii_case(name);
            if token.is_empty()
                || option(b"keep-alive")
                || option(b"close")
                || option(b"upgrade")
                || option(b"te")
            {
                continue;
            }
            if self.0.len() < MAX_NOMINATED
                && let Ok(name) = HeaderName::from_bytes(token)
                && Class::of(&name).0 == Class::Other
            {
                self.0.push(name);
            }
        }
    }

    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        self.0.contains(name)
    }

    pub(crate) fn remove_from(&self, headers: &mut HeaderMap) {
        for name in &self.0 {
            headers.remove(name);
        }
    }
}

/// The options of one line.
pub(crate) fn options(value: &HeaderValue) -> impl Iterator<Item = &[u8]> {
    value.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}
