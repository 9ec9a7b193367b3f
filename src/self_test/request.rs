//! Requests as bytes. An HTTP library would correct the errors that these requests contain on purpose.

/// The `User-Agent` of every request, by which operators find the requests in their logs.
pub(super) const USER_AGENT: &str = "tollgate-self-test";

/// Builds a request without a body. `fields` are whole header lines.
pub(super) fn request(method: &str, target: &[u8], host: &str, fields: &[String]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(method.as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(target);
    bytes.extend_from_slice(b" HTTP/1.1\r\n");
    for field in
        [format!("Host: {host}"), format!("User-Agent: {USER_AGENT}"), "Connection: close".to_owned()]
    {
        bytes.extend_from_slice(field.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    for field in fields {
        bytes.extend_from_slice(field.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Returns the header line that carries a token.
pub(super) fn token_field(header: &str, token: &str) -> String {
    format!("{header}: Bearer {token}")
}
