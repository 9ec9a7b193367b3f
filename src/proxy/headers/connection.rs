//! What a `Connection` header nominates.

use http::header::CONNECTION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::class::Class;

/// No honest message nominates more; what is beyond is passed on, which does no harm.
const MAX_NOMINATED: usize = 32;

/// Removes `Connection` and the headers it nominates.
///
/// Only headers without a meaning to the gateway can be nominated away: what frames, routes, authenticates or
/// identifies is dealt with by its own rules, whoever nominates it.
pub(super) fn remove_connection(headers: &mut HeaderMap) {
    let mut values = headers.get_all(CONNECTION).iter();
    // What nearly every server says nominates nothing.
    let plain = |value: &HeaderValue| matches!(value.as_bytes(), b"keep-alive" | b"close" | b"Keep-Alive");
    if let (Some(only), None) = (values.next(), values.next())
        && plain(only)
    {
        headers.remove(CONNECTION);
        return;
    }
    let mut nominated: Vec<HeaderName> = Vec::new();
    let tokens =
        headers.get_all(CONNECTION).iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    for token in tokens.map(<[u8]>::trim_ascii).take(MAX_NOMINATED) {
        let option = |name: &[u8]| token.eq_ignore_ascii_case(name);
        if token.is_empty()
            || option(b"keep-alive")
            || option(b"close")
            || option(b"upgrade")
            || option(b"te")
        {
            continue;
        }
        if let Ok(name) = HeaderName::from_bytes(token)
            && Class::of(&name).0 == Class::Other
        {
            nominated.push(name);
        }
    }
    for name in nominated {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}
