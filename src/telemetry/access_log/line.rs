//! A line of the access log, escaped so that no request can forge another line.

use std::cell::RefCell;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::telemetry::Reason;
use crate::utc;

/// The maximum number of characters logged of a path, and below of other values.
const LONGEST_PATH: usize = 1_024;
const LONGEST_HOST: usize = 255;
const LONGEST_METHOD: usize = 32;
const LONGEST_NAME: usize = 256;

/// The prefix of access tokens, and how many characters must follow for a text to be treated as a token.
const TOKEN: &str = "tg_";
const TOKEN_LENGTH: usize = 32;

thread_local! {
    /// The last second that was formatted, and its text without the `Z`.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((0, String::new())) };
}

/// A completed request. Headers, query and body are not included because they may contain secrets.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    pub(crate) time: SystemTime,
    pub(crate) request_id: Option<&'a str>,
    /// The client's address.
    pub(crate) client: &'a str,
    pub(crate) method: &'a str,
    /// `None` if the host is not well-formed.
    pub(crate) host: Option<&'a str>,
    /// The canonical path, or the path as received if it has no canonical form.
    pub(crate) path: &'a str,
    pub(crate) route: Option<&'a str>,
    /// The authenticated client.
    pub(crate) client_id: Option<&'a str>,
    /// `None` if the client disconnected before the response.
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<Reason>,
    /// The key of gateway.toml that decided about a refused request.
    pub(crate) setting: Option<&'static str>,
    pub(crate) upstream: Option<&'a str>,
    /// The host and port of the last server that the request was sent to.
    pub(crate) server: Option<(&'a str, u16)>,
    pub(crate) retries: u32,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) duration: Duration,
    /// The time until the head of the upstream's response.
    pub(crate) upstream_duration: Option<Duration>,
    pub(crate) protocol: &'static str,
    pub(crate) tls: bool,
}

impl Line<'_> {
    /// Appends the line, including the line feed.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"time\":\"");
        let since = self.time.duration_since(UNIX_EPOCH).unwrap_or_default();
        SECOND.with_borrow_mut(|(second, text)| {
            if *second != since.as_secs() || text.is_empty() {
                *second = since.as_secs();
                *text = utc::from_unix(*second).to_string();
                text.truncate(text.len().saturating_sub(1));
            }
            out.extend_from_slice(text.as_bytes());
        });
        // A write to a Vec never fails.
        let _ = write!(out, ".{:03}Z\"", since.subsec_millis());
        text(out, "request_id", self.request_id, LONGEST_NAME);
        text(out, "client", Some(self.client), LONGEST_NAME);
        text(out, "method", Some(self.method), LONGEST_METHOD);
        text(out, "host", self.host, LONGEST_HOST);
        text(out, "path", Some(self.path), LONGEST_PATH);
        text(out, "route", self.route, LONGEST_PATH);
        text(out, "client_id", self.client_id, LONGEST_NAME);
        if let Some(status) = self.status {
            let _ = write!(out, ",\"status\":{status}");
        }
        text(out, "reason", self.reason.map(Reason::as_str), LONGEST_NAME);
        text(out, "setting", self.setting, LONGEST_NAME);
        text(out, "upstream", self.upstream, LONGEST_NAME);
        if let Some((path, 0)) = self.server {
            text(out, "server", Some(&format!("unix:{path}")), LONGEST_HOST);
            let _ = write!(out, ",\"retries\":{}", self.retries);
        } else if let Some((host, port)) = self.server {
            // The value comes from the configuration and needs no escaping.
            let (open, close) = if host.contains(':') { ("[", "]") } else { ("", "") };
            let _ = write!(out, ",\"server\":\"{open}{host}{close}:{port}\"");
            let _ = write!(out, ",\"retries\":{}", self.retries);
        }
        let _ = write!(out, ",\"bytes_in\":{},\"bytes_out\":{}", self.bytes_in, self.bytes_out);
        millis(out, "duration_ms", self.duration);
        if let Some(duration) = self.upstream_duration {
            millis(out, "upstream_ms", duration);
        }
        let _ = writeln!(out, ",\"protocol\":\"{}\",\"tls\":{}}}", self.protocol, self.tls);
    }
}

fn millis(out: &mut Vec<u8>, name: &str, duration: Duration) {
    let micros = duration.as_micros();
    let _ = write!(out, ",\"{name}\":{}.{:03}", micros / 1_000, micros % 1_000);
}

/// Writes a member of the object: at most `longest` characters of the value, as visible ASCII. What looks
/// like an access token is shortened, because some clients send tokens where they do not belong.
fn text(out: &mut Vec<u8>, name: &str, value: Option<&str>, longest: usize) {
    let Some(value) = value else { return };
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":\"");
    if value.len() <= longest && is_plain(value) {
        out.extend_from_slice(value.as_bytes());
        out.push(b'"');
        return;
    }
    let (mut rest, mut left) = (value, longest);
    while let Some(character) = rest.chars().next() {
        if left == 0 {
            out.extend_from_slice(b"\\u2026");
            break;
        }
        left -= 1;
        if let Some(behind) = rest.strip_prefix(TOKEN) {
            let length = behind.bytes().take_while(|byte| is_base64url(*byte)).count();
            if length >= TOKEN_LENGTH {
                out.extend_from_slice(b"tg_\\u2026");
                rest = behind.get(length..).unwrap_or_default();
                continue;
            }
        }
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            ' '..='~' => out.push(character as u8),
            // Control characters, and characters that change the direction of text in a terminal.
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    out.push(b'"');
}

/// Returns whether a text needs no escaping, like nearly all: visible ASCII without a quote, a backslash or a
/// token.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
        && (bytes.len() < TOKEN.len() + TOKEN_LENGTH || !text.contains(TOKEN))
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use serde_json::{Value, json};

    use super::*;

    fn written(value: &str, longest: usize) -> (String, Value) {
        let mut out = b"{\"a\":1".to_vec();
        text(&mut out, "b", Some(value), longest);
        out.push(b'}');
        let text = String::from_utf8(out).unwrap();
        let value = serde_json::from_str::<Value>(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (text, value["b"].clone())
    }

    #[test]
    fn no_text_leaves_its_string_or_its_line() {
        for value in
            ["plain", "\"},{\"x\":\"", "\\", "\\\"", "a\nb\r\0\u{1b}[31m\u{7f}", "é\u{202e}\u{85}😀", ""]
        {
            let (text, read) = written(value, 100);
            assert_eq!(read, *value);
            assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text}");
        }
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(written("abcdef", 6).1, "abcdef");
        assert_eq!(written("abcdef", 5).1, "abcde…");
        assert_eq!(written("éééé", 3).1, "ééé…");
    }

    #[test]
    fn a_token_is_never_written() {
        let token = format!("tg_{}", "aB-_9".repeat(10));
        for (value, shown) in [
            (format!("/x/{token}"), "/x/tg_…"),
            (format!("{token}/y"), "tg_…/y"),
            (format!("tg_tg_{token}"), "tg_…"),
            ("/tg_short/tg_".to_owned(), "/tg_short/tg_"),
        ] {
            assert_eq!(written(&value, 1_000).1, shown, "{value}");
        }
        // A token that the length limit cuts off is not written either.
        assert_eq!(written(&format!("abc{token}"), 5).1, "abctg_…");
    }

    #[test]
    fn a_line_has_every_member() {
        let mut out = Vec::new();
        let line = Line {
            time: UNIX_EPOCH + Duration::from_millis(784_111_777_042),
            request_id: Some("id-1"),
            client: "203.0.113.7",
            method: "GET",
            host: Some("api.example.com"),
            path: "/orders/7",
            route: Some("/orders/*"),
            client_id: Some("shop"),
            status: Some(200),
            reason: None,
            setting: None,
            upstream: Some("orders"),
            server: Some(("2001:db8::1", 8080)),
            retries: 1,
            bytes_in: 3,
            bytes_out: 17,
            duration: Duration::from_micros(1_234_567),
            upstream_duration: Some(Duration::from_micros(999)),
            protocol: "HTTP/2",
            tls: true,
        };
        line.write(&mut out);
        assert!(out.ends_with(b"}\n"));
        assert_eq!(
            serde_json::from_slice::<Value>(&out).unwrap(),
            json!({
                "time": "1994-11-06T08:49:37.042Z", "request_id": "id-1", "client": "203.0.113.7", "method": "GET",
                "host": "api.example.com", "path": "/orders/7", "route": "/orders/*", "client_id": "shop",
                "status": 200, "upstream": "orders", "server": "[2001:db8::1]:8080", "retries": 1, "bytes_in": 3,
                "bytes_out": 17, "duration_ms": 1234.567, "upstream_ms": 0.999, "protocol": "HTTP/2", "tls": true
            })
        );
    }
}
