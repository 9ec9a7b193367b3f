//! The answer to a connection that is over a limit.

use std::time::SystemTime;

/// What a connection is told that is one too many. Nobody reads its request.
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
    fn the_stated_length_is_the_length() {
        let wire = String::from_utf8(too_many_connections()).unwrap();
        let (head, body) = wire.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
        serde_json::from_str::<serde_json::Value>(body).unwrap();
    }
}
