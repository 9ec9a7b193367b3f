//! Refusals in the form of gRPC, for the plugin and for the gateway.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::Full;

/// The status codes of gRPC that a refusal can have.
const UNKNOWN: u8 = 2;
const DEADLINE_EXCEEDED: u8 = 4;
const PERMISSION_DENIED: u8 = 7;
const RESOURCE_EXHAUSTED: u8 = 8;
const UNIMPLEMENTED: u8 = 12;
const INTERNAL: u8 = 13;
const UNAVAILABLE: u8 = 14;
const UNAUTHENTICATED: u8 = 16;

/// Returns whether a request is a gRPC call, by its content type. gRPC-Web is not, because its clients read
/// HTTP statuses.
#[cfg_attr(
    not(any(feature = "gateway", test)),
    expect(dead_code, reason = "only the gateway asks: a layer is configured for gRPC or for plain HTTP")
)]
pub(crate) fn is_call(headers: &HeaderMap) -> bool {
    const TYPE: &[u8] = b"application/grpc";
    let Some(value) = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes) else { return false };
    value.get(..TYPE.len()).is_some_and(|start| start.eq_ignore_ascii_case(TYPE))
        && matches!(value.get(TYPE.len()), None | Some(b'+' | b';'))
}

/// Makes the gRPC form of a refusal: headers only, with HTTP status 200 and the gRPC status among them. The
/// other headers of the HTTP refusal (challenges, `Retry-After`) become metadata.
pub(crate) fn refusal(http: &Response<Full<Bytes>>, message: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    let headers = response.headers_mut();
    headers.clone_from(http.headers());
    headers.remove(CONTENT_LENGTH);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    let challenged = headers.contains_key(WWW_AUTHENTICATE);
    headers.insert("grpc-status", HeaderValue::from(u16::from(code(http.status(), challenged))));
    if let Ok(message) = HeaderValue::from_str(&percent_encoded(message)) {
        headers.insert("grpc-message", message);
    }
    response
}

/// Returns the code of a refusal. It is more specific than gRPC's own table for answers of proxies
/// (doc/http-grpc-status-mapping.md), which mostly has UNAVAILABLE and UNKNOWN.
fn code(http: StatusCode, challenged: bool) -> u8 {
    match http {
        // A malformed credential is UNAUTHENTICATED too: gRPC's code for bad input is about the message, not
        // metadata.
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        StatusCode::BAD_REQUEST if challenged => UNAUTHENTICATED,
        StatusCode::FORBIDDEN => PERMISSION_DENIED,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => UNIMPLEMENTED,
        StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
        | StatusCode::TOO_MANY_REQUESTS => RESOURCE_EXHAUSTED,
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT => DEADLINE_EXCEEDED,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        StatusCode::BAD_REQUEST => INTERNAL,
        _ => UNKNOWN,
    }
}

/// Encodes a text as `Percent-Encoded` of the gRPC protocol, which keeps printable ASCII except `%`.
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
    use crate::oauth::denial::{Challenge, Denial};
    use crate::oauth::scope::Scopes;

    #[test]
    fn statuses() {
        let table = [
            (Denial::Missing, "16"),
            (Denial::Malformed("why"), "16"),
            (Denial::InvalidToken, "16"),
            (Denial::WrongAudience, "16"),
            (Denial::InsufficientScope(Scopes::none()), "7"),
            (Denial::refused("100% é"), "7"),
            (Denial::Unavailable, "14"),
        ];
        for (denial, status) in table {
            let refusal = refusal(&denial.to_response(&Challenge::default()), denial.description());
            assert_eq!(refusal.status(), 200);
            assert_eq!(refusal.headers()["grpc-status"], status, "{denial:?}");
            assert_eq!(refusal.headers()["content-type"], "application/grpc");
            assert_eq!(refusal.headers()["cache-control"], "no-store");
            let challenged = refusal.headers().contains_key(WWW_AUTHENTICATE);
            assert_eq!(challenged, denial != Denial::Unavailable, "{denial:?}");
        }
        assert_eq!(percent_encoded("100% é"), "100%25 %C3%A9");
    }

    #[test]
    fn calls_are_recognized_by_their_content_type() {
        for (value, is) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("Application/GRPC;charset=x", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/json", false),
            ("application/grp", false),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(value))]);
            assert_eq!(is_call(&headers), is, "{value}");
        }
        assert!(!is_call(&HeaderMap::new()));
    }
}
