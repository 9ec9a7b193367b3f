//! The response to a connection beyond the limit.

use std::time::SystemTime;

/// Returns the response to a connection beyond the limit. It is sent before anything is read from the client.
pub(super) fn too_many_connections() -> Vec<u8> {
    let body = r#"{"title":"Service Unavailable","status":503,"detail":"there are too many connections: try again later"}"#;
    format!(
        "HTTP/1.1 503 Service Unavailable\r\n\
         content-type: application/problem+json\r\n\
         content-length: {length}\r\n\
         cache-control: no-store\r\n\
         x-content-type-options: nosniff\r\n\
         retry-after: 1\r\n\
         connection: close\r\n\
         date: {date}\r\n\r\n{body}",
        length = body.len(),
        date = httpdate::fmt_http_date(SystemTime::now()),
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_length_matches_the_body() {
        let wire = String::from_utf8(too_many_connections()).unwrap();
        let (head, body) = wire.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}
