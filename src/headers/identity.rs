//! The headers that name a client to a service behind the gate. Nobody else may set them, in any spelling.

use http::{HeaderMap, HeaderName};

use super::claims::{Claim, claim};
use super::spelling::folded;

/// The header with the id of the client.
pub(crate) const CLIENT_ID: &str = "x-client-id";
/// The header with the scopes of the client's token.
pub(crate) const CLIENT_SCOPE: &str = "x-client-scope";

/// Returns whether some server takes `name` for one of the identity headers.
#[inline]
pub(crate) fn is_identity(name: &[u8]) -> bool {
    let is = |header: &str| name.iter().copied().map(folded).eq(header.bytes());
    // Few other names are as long as one of the two.
    match name.len() {
        length if length == CLIENT_ID.len() => is(CLIENT_ID),
        length if length == CLIENT_SCOPE.len() => is(CLIENT_SCOPE),
        _ => false,
    }
}

/// Returns whether a header must not reach a service behind the gate as the client sent it: it names the client, or
/// claims an identity or another resource. What proxies say about connections may be left, because the program
/// behind the gate knows its proxies.
#[inline]
pub(crate) fn is_forged(name: &[u8]) -> bool {
    is_identity(name) || matches!(claim(name), Some(Claim::Identity | Claim::Resource))
}

/// Removes the identity headers that a client has sent, and those that claim an identity or another resource.
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

    /// Spellings of the identity headers that some server or framework takes for them.
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
