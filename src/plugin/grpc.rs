use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response};
use http_body_util::Full;

use crate::oauth::denial::Denial;

/// Status codes of gRPC that a refusal can have.
const PERMISSION_DENIED: u8 = 7;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// A refusal in the words of gRPC: headers only, the status in them, and the challenges of the HTTP refusal as
/// metadata.
pub(super) fn refusal(denial: &Denial, http: &Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("grpc-status", HeaderValue::from(u16::from(code(denial))));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(denial.description())) {
        headers.insert("grpc-message", message);
    }
    for challenge in http.headers().get_all(WWW_AUTHENTICATE) {
        headers.append(WWW_AUTHENTICATE, challenge.clone());
    }
    response
}

fn code(denial: &Denial) -> u8 {
    match denial {
        // A malformed credential too: gRPC's own code for bad input speaks of the message, not of metadata.
        Denial::Missing
        | Denial::Malformed(_)
        | Denial::InvalidToken
        | Denial::InvalidProof(_)
        | Denial::WrongAudience
        | Denial::NotHeld(_)
        | Denial::Dpop(_) => UNAUTHENTICATED,
        Denial::InsufficientScope(_) | Denial::Refused(_) => PERMISSION_DENIED,
        Denial::Unavailable => UNAVAILABLE,
    }
}

/// `Percent-Encoded` of the gRPC protocol: printable ASCII but `%` stands for itself.
fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'%' => "%25".to_owned(),
        0x20..=0x7e => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::denial::Challenge;
    use crate::oauth::scope::Scopes;

    #[test]
    fn statuses() {
        let table = [
            (Denial::Missing, "16"),
            (Denial::Malformed("why"), "16"),
            (Denial::InvalidToken, "16"),
            (Denial::InsufficientScope(Scopes::none()), "7"),
            (Denial::Refused("100% é"), "7"),
            (Denial::Unavailable, "14"),
        ];
        for (denial, status) in table {
            let refusal = refusal(&denial, &denial.to_response(&Challenge::default()));
            assert_eq!(refusal.status(), 200);
            assert_eq!(refusal.headers()["grpc-status"], status, "{denial:?}");
            let challenged = refusal.headers().contains_key(WWW_AUTHENTICATE);
            assert_eq!(challenged, denial != Denial::Unavailable, "{denial:?}");
        }
        assert_eq!(percent_encoded("100% é"), "100%25 %C3%A9");
    }
}
