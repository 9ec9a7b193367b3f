//! The headers that a `Connection` header names.

use super::class::Class;
use super::list::elements;

/// The maximum number of names that are used. No legitimate message has more. Headers named beyond the limit
/// are forwarded, which does no harm.
const MAX_NOMINATED: usize = 32;

/// The headers that a message's `Connection` header names. They apply to this connection only (RFC 9110
/// §7.6.1).
///
/// Only headers without a meaning to the gateway can be removed in this way. Headers that frame, route,
/// authenticate or identify have their own rules, even if `Connection` names them.
#[derive(Debug, Default)]
pub(super) struct Nominated<'a>(Vec<&'a [u8]>);

impl<'a> Nominated<'a> {
    /// Parses the values of all `Connection` headers.
    pub(super) fn of(lines: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut nominated = Self::default();
        for line in lines {
            // The values of nearly every message name no header.
            if !matches!(line, b"keep-alive" | b"close" | b"Keep-Alive") {
                nominated.add(line);
            }
        }
        nominated
    }

    fn add(&mut self, line: &'a [u8]) {
        for token in elements(line) {
            let option = [&b"keep-alive"[..], b"close", b"upgrade", b"te"];
            if option.iter().any(|option| token.eq_ignore_ascii_case(option)) {
                continue;
            }
            if self.0.len() < MAX_NOMINATED && Class::of(token).0.is_plain() {
                self.0.push(token);
            }
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(super) fn contains(&self, name: &[u8]) -> bool {
        !self.0.is_empty() && self.0.iter().any(|nominated| nominated.eq_ignore_ascii_case(name))
    }
}
