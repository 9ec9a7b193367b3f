//! Answers written to the wire without hyper: where hyper would send a bare one of its own, or none at all.

use std::time::SystemTime;

/// A refusal of this room. Each closes the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// The request head is not HTTP/1.1.
    BadRequest,
    /// The request head took longer than `header_timeout`.
    HeaderTimeout,
    /// The request target is longer than anything served.
    TargetTooLong,
    /// The request head is larger than `max_header_size` or has more fields than `max_headers`.
    HeadTooLarge,
    /// `max_connections`, in all or for the address.
    TooManyConnections,
}

impl Problem {
    fn parts(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::BadRequest => (400, "Bad Request", "The request is not well-formed HTTP/1.1."),
            Self::HeaderTimeout => (408, "Request Timeout", "The request headers did not arrive in time."),
            Self::TargetTooLong => (414, "URI Too Long", "The request target is too long."),
            Self::HeadTooLarge => (
                431,
                "Request Header Fields Too Large",
                "The request line and headers are larger than this server accepts.",
            ),
            Self::TooManyConnections => {
                (503, "Service Unavailable", "There are too many connections; try again later.")
            }
        }
    }

    /// The whole answer, head and body.
    pub(super) fn to_wire(self) -> Vec<u8> {
        let (status, title, detail) = self.parts();
        let body =
            format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}"#);
        let retry = if status == 503 { "retry-after: 1\r\n" } else { "" };
        format!(
            "HTTP/1.1 {status} {title}\r\n\
             content-type: application/problem+json\r\n\
             content-length: {length}\r\n\
             cache-control: no-store\r\n\
             x-content-type-options: nosniff\r\n\
             {retry}connection: close\r\n\
             date: {date}\r\n\r\n{body}",
            length = body.len(),
            date = httpdate::fmt_http_date(SystemTime::now()),
        )
        .into_bytes()
    }

    /// Recognises the empty answer hyper makes of a head it cannot parse, and nothing a handler would send.
    pub(super) fn from_hyper(written: &[u8]) -> Option<Self> {
        let head = written.strip_prefix(b"HTTP/1.1 ")?;
        let problem = match head.get(..3)? {
            b"400" => Self::BadRequest,
            b"414" => Self::TargetTooLong,
            b"431" => Self::HeadTooLarge,
            _ => return None,
        };
        let head = std::str::from_utf8(head).ok()?.strip_suffix("\r\n\r\n")?;
        let mut empty = false;
        for line in head.split("\r\n").skip(1) {
            match line {
                "content-length: 0" => empty = true,
                "connection: close" => {}
                _ if line.starts_with("date: ") => {}
                _ => return None,
            }
        }
        empty.then_some(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hypers_own_answers_are_recognised() {
        let bare = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
        assert_eq!(Problem::from_hyper(bare), Some(Problem::HeadTooLarge));
        let from_upstream = b"HTTP/1.1 400 Bad Request\r\nserver: legacy\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(Problem::from_hyper(from_upstream), None);
        assert_eq!(Problem::from_hyper(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\nHTTP"), None);
        assert_eq!(Problem::from_hyper(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"), None);
        assert_eq!(Problem::from_hyper(b"HTTP/1.1 4"), None);
    }

    #[test]
    fn the_stated_length_is_the_length() {
        for problem in [Problem::BadRequest, Problem::HeaderTimeout, Problem::TooManyConnections] {
            let wire = String::from_utf8(problem.to_wire()).unwrap();
            let (head, body) = wire.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())), "{head}");
            assert!(head.contains("cache-control: no-store"), "{head}");
            serde_json::from_str::<serde_json::Value>(body).unwrap();
        }
    }
}
