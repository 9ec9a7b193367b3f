//! The headers that tell a service behind the gate which client sent a request. Only the gate may set them,
//! in any spelling.

use http::{HeaderMap, HeaderName};

use super::claims::{Claim, claim};
use super::spelling::folded;

/// The header with the client id.
pub(crate) const CLIENT_ID: &str = "x-client-id";
/// The header with the scopes of the client's token.
pub(crate) const CLIENT_SCOPE: &str = "x-client-scope";

/// Returns whether some servers read `name` as one of the identity headers.
#[inline]
pub(crate) fn is_identity(name: &[u8]) -> bool {
    let is = |header: &str| name.iter().copied().map(folded).eq(header.bytes());
    // Few other names have the length of one of the two.
    match name.len() {
        length if length == CLIENT_ID.len() => is(CLIENT_ID),
        length if length == CLIENT_SCOPE.len() => is(CLIENT_SCOPE),
        _ => false,
    }
}

/// Returns whether a header from a client must be removed: it names the client, or claims an identity or
/// another resource. Headers about proxy connections may be kept, because the program behind the gate knows
/// its proxies.
#[inline]
pub(crate) fn is_forged(name: &[u8]) -> bool {
    is_identity(name) || matches!(claim(name), Some(Claim::Identity | Claim::Resource))
}

/// Removes the identity headers from a client's request, and the headers that claim an identity or another
/// resource.
#[inline]
pub(crate) fn remove(headers: &mut HeaderMap) {
    if headers.keys().any(|name| is_forged(name.as_str().as_bytes())) {
        remove_forged(headers);
    }
}

#[cold]
fn remove_forged(headers: &mut HeaderMap) {
    let forged = headers.keys().filter(|name| is_forged(name.as_str().as_bytes()));
    for name in forged.cloned().collect::<Vec<HeaderName>>() {
        headers.remove(name);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use http::HeaderValue;

    use super::*;

    /// Spellings that some servers or frameworks read as the identity headers.
    pub(crate) const FORGED: [&str; 18] = [
        "X-Client-Id",
        "x-client-id",
        "X-CLIENT-ID",
        "X_Client_Id",
        "X-Client_Id",
        "X.Client.Id",
        "x!client!id",
        "x~client~id",
        "X-Client-Scope",
        "x_client_scope",
        "X_CLIENT-SCOPE",
        "X.Client-Scope",
        "x-client*scope",
        "x|client|scope",
        "Remote-User",
        "x_forwarded_user",
        "X-SSL-Client-Verify",
        "x-original-uri",
    ];

    #[test]
    fn every_spelling_is_removed_and_every_repetition() {
        let mut headers = HeaderMap::new();
        for name in FORGED {
            for value in ["admin", "root"] {
                let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
                headers.append(name, HeaderValue::from_static(value));
            }
        }
        let others = ["x-client-idea", "x-client-i", "client-id", "x-clientid", "xxclient-id", "host"];
        for name in others {
            headers.append(name, HeaderValue::from_static("stays"));
        }
        remove(&mut headers);
        let mut left: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        let mut expected = others.to_vec();
        expected.sort_unstable();
        assert_eq!(left, expected);
    }
}
