//! The response to a connection beyond the limit.

use std::time::SystemTime;

use http::StatusCode;

use crate::response;

/// Returns the response to a connection beyond the limit. It is sent before anything is read from the client.
pub(super) fn too_many_connections() -> Vec<u8> {
    let problem =
        response::problem(StatusCode::SERVICE_UNAVAILABLE, "there are too many connections: try again later");
    let body = response::body(&problem);
    let mut wire = b"HTTP/1.1 503 Service Unavailable\r\n".to_vec();
    for (name, value) in problem.headers() {
        for part in [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"] {
            wire.extend_from_slice(part);
        }
    }
    let date = httpdate::fmt_http_date(SystemTime::now());
    let length = body.len();
    let rest =
        format!("content-length: {length}\r\nretry-after: 1\r\nconnection: close\r\ndate: {date}\r\n\r\n");
    wire.extend_from_slice(rest.as_bytes());
    wire.extend_from_slice(&body);
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_response_is_a_whole_problem() {
        let wire = String::from_utf8(too_many_connections()).unwrap();
        let (head, body) = wire.split_once("\r\n\r\n").unwrap();
        let content_length = format!("content-length: {}", body.len());
        for line in ["content-type: application/problem+json", "cache-control: no-store", &content_length] {
            assert!(head.lines().any(|other| other == line), "{line} is not in\n{head}");
        }
        let body: serde_json::Map<String, serde_json::Value> = serde_json::from_str(body).unwrap();
        let members: Vec<&String> = body.keys().collect();
        assert_eq!(members, ["detail", "status", "title"]);
    }
}
