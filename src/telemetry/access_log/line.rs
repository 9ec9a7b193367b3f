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
/// Room for a line of usual length, so that its parts are only copied.
const USUAL_LENGTH: usize = 512;

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
    /// Why an enforced route would have refused the request, on a route in shadow mode.
    pub(crate) shadow: Option<Reason>,
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
        out.reserve(USUAL_LENGTH);
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
        fraction(out, since.subsec_millis());
        out.extend_from_slice(b"Z\"");
        text(out, b",\"request_id\":\"", self.request_id, LONGEST_NAME);
        text(out, b",\"client\":\"", Some(self.client), LONGEST_NAME);
        text(out, b",\"method\":\"", Some(self.method), LONGEST_METHOD);
        text(out, b",\"host\":\"", self.host, LONGEST_HOST);
        text(out, b",\"path\":\"", Some(self.path), LONGEST_PATH);
        text(out, b",\"route\":\"", self.route, LONGEST_PATH);
        text(out, b",\"client_id\":\"", self.client_id, LONGEST_NAME);
        if let Some(status) = self.status {
            number(out, b",\"status\":", status.into());
        }
        text(out, b",\"reason\":\"", self.reason.map(Reason::as_str), LONGEST_NAME);
        text(out, b",\"setting\":\"", self.setting, LONGEST_NAME);
        text(out, b",\"shadow\":\"", self.shadow.map(Reason::as_str), LONGEST_NAME);
        text(out, b",\"upstream\":\"", self.upstream, LONGEST_NAME);
        if let Some((path, 0)) = self.server {
            text(out, b",\"server\":\"", Some(&format!("unix:{path}")), LONGEST_HOST);
            number(out, b",\"retries\":", self.retries.into());
        } else if let Some((host, port)) = self.server {
            // The value comes from the configuration and needs no escaping.
            let is_ipv6 = host.contains(':');
            out.extend_from_slice(if is_ipv6 { b",\"server\":\"[" } else { b",\"server\":\"" });
            out.extend_from_slice(host.as_bytes());
            number(out, if is_ipv6 { b"]:" } else { b":" }, port.into());
            number(out, b"\",\"retries\":", self.retries.into());
        }
        number(out, b",\"bytes_in\":", self.bytes_in);
        number(out, b",\"bytes_out\":", self.bytes_out);
        millis(out, b",\"duration_ms\":", self.duration);
        if let Some(duration) = self.upstream_duration {
            millis(out, b",\"upstream_ms\":", duration);
        }
        out.extend_from_slice(b",\"protocol\":\"");
        out.extend_from_slice(self.protocol.as_bytes());
        out.extend_from_slice(if self.tls { b"\",\"tls\":true}\n" } else { b"\",\"tls\":false}\n" });
    }
}

/// Writes a number behind the text that begins its member. The formatting of the standard library costs a request five
/// times as much.
fn number(out: &mut Vec<u8>, beginning: &[u8], mut number: u64) {
    out.extend_from_slice(beginning);
    // u64::MAX has 20 digits.
    let mut digits = [b'0'; 20];
    let mut length = 0;
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - length..).unwrap_or_default());
}

/// Writes a point and three digits.
fn fraction(out: &mut Vec<u8>, thousandths: u32) {
    let digit = |value: u32| b'0' + (value % 10) as u8;
    out.extend_from_slice(&[b'.', digit(thousandths / 100), digit(thousandths / 10), digit(thousandths)]);
}

fn millis(out: &mut Vec<u8>, beginning: &[u8], duration: Duration) {
    let seconds = duration.as_secs().saturating_mul(1_000);
    number(out, beginning, seconds.saturating_add(duration.subsec_millis().into()));
    fraction(out, duration.subsec_micros() % 1_000);
}

/// Writes a value behind the text that begins its member: at most `longest` characters, as visible ASCII. What looks
/// like an access token is shortened, because some clients send tokens where they do not belong.
fn text(out: &mut Vec<u8>, beginning: &[u8], value: Option<&str>, longest: usize) {
    let Some(value) = value else { return };
    out.extend_from_slice(beginning);
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
    let (words, rest) = bytes.as_chunks();
    let mut last = [b' '; 8];
    for (to, from) in last.iter_mut().zip(rest) {
        *to = *from;
    }
    words.iter().chain([&last]).all(is_plain_word)
        && (bytes.len() < TOKEN.len() + TOKEN_LENGTH || !text.contains(TOKEN))
}

/// The same for eight bytes at once. Without its high bit, no byte borrows from the next one.
fn is_plain_word(word: &[u8; 8]) -> bool {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let word = u64::from_le_bytes(*word);
    let ascii = word & !HIGH;
    let equals = |byte: u8| HIGH - (ascii ^ (ONES * u64::from(byte)));
    let visible = (ascii | HIGH) - ONES * 0x20;
    (word | !visible | equals(b'"') | equals(b'\\') | equals(0x7f)) & HIGH == 0
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
        text(&mut out, b",\"b\":\"", Some(value), longest);
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
    fn every_byte_that_needs_escaping_is_seen_at_every_place() {
        for byte in 0..=0x7f_u8 {
            for place in 0..17 {
                let mut bytes = [b'a'; 17];
                bytes[place] = byte;
                let plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
                assert_eq!(is_plain(std::str::from_utf8(&bytes).unwrap()), plain, "{byte:#x} at {place}");
            }
        }
        assert!(!is_plain("é") && !is_plain("aaaaaaaé") && is_plain(""));
    }

    #[test]
    fn numbers_are_written_in_full() {
        for value in [0, 7, 10, 65_535, 1_000_000, u64::MAX] {
            let mut out = Vec::new();
            number(&mut out, b"n=", value);
            assert_eq!(out, format!("n={value}").into_bytes());
        }
        for (duration, written) in [
            (Duration::ZERO, "0.000"),
            (Duration::from_micros(1), "0.001"),
            (Duration::from_micros(61_020_030), "61020.030"),
            (Duration::from_nanos(999_999), "0.999"),
        ] {
            let mut out = Vec::new();
            millis(&mut out, b"", duration);
            assert_eq!(out, written.as_bytes());
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
            shadow: Some(Reason::NoToken),
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
                "status": 200, "shadow": "no_token", "upstream": "orders", "server": "[2001:db8::1]:8080", "retries": 1, "bytes_in": 3,
                "bytes_out": 17, "duration_ms": 1234.567, "upstream_ms": 0.999, "protocol": "HTTP/2", "tls": true
            })
        );
    }
}
