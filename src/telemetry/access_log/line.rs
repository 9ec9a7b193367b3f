//! A line of the access log, escaped so that no request can forge another line.

use std::time::Duration;

use crate::telemetry::Reason;
use crate::telemetry::json::{Escaped, fraction, number, plain, ready, text, timestamp};

/// The maximum number of characters logged of a path, and below of other values.
const LONGEST_PATH: usize = 1_024;
const LONGEST_HOST: usize = 255;
const LONGEST_METHOD: usize = 32;
const LONGEST_NAME: usize = 256;
/// Room for a line of usual length, so that its parts are only copied.
const USUAL_LENGTH: usize = 512;

/// A completed request. Headers, query and body are not included because they may contain secrets.
#[derive(Debug)]
pub(crate) struct Line<'a> {
    /// The time since 1970.
    pub(crate) time: Duration,
    pub(crate) request_id: Option<&'a [u8]>,
    /// The client's address, as the gateway formats it.
    pub(crate) client: &'a [u8],
    pub(crate) method: &'a str,
    /// `None` if the host is not well-formed.
    pub(crate) host: Option<&'a str>,
    /// The canonical path, or the path as received if it has no canonical form.
    pub(crate) path: &'a str,
    pub(crate) route: Option<&'a Escaped>,
    /// The authenticated client.
    pub(crate) client_id: Option<&'a str>,
    /// `None` if the client disconnected before the response.
    pub(crate) status: Option<u16>,
    pub(crate) reason: Option<Reason>,
    /// The key of gateway.toml that decided about a refused request.
    pub(crate) setting: Option<&'static str>,
    /// Why an enforced route would have refused the request, on a route in shadow mode.
    pub(crate) shadow: Option<Reason>,
    pub(crate) upstream: Option<&'a Escaped>,
    /// The last server that the request was sent to.
    pub(crate) server: Option<&'a Escaped>,
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
        timestamp(out, b"{\"time\":\"", self.time);
        text(out, b",\"request_id\":\"", self.request_id, LONGEST_NAME);
        plain(out, b",\"client\":\"", Some(self.client));
        if self.method.len() <= LONGEST_METHOD {
            // Methods are tokens (RFC 9110 §9.1), without quotation marks and backslashes.
            plain(out, b",\"method\":\"", Some(self.method.as_bytes()));
        } else {
            text(out, b",\"method\":\"", Some(self.method.as_bytes()), LONGEST_METHOD);
        }
        text(out, b",\"host\":\"", self.host.map(str::as_bytes), LONGEST_HOST);
        text(out, b",\"path\":\"", Some(self.path.as_bytes()), LONGEST_PATH);
        ready(out, b",\"route\":\"", self.route);
        text(out, b",\"client_id\":\"", self.client_id.map(str::as_bytes), LONGEST_NAME);
        if let Some(status) = self.status {
            number(out, b",\"status\":", status.into());
        }
        plain(out, b",\"reason\":\"", self.reason.map(Reason::as_str).map(str::as_bytes));
        plain(out, b",\"setting\":\"", self.setting.map(str::as_bytes));
        plain(out, b",\"shadow\":\"", self.shadow.map(Reason::as_str).map(str::as_bytes));
        ready(out, b",\"upstream\":\"", self.upstream);
        if self.server.is_some() {
            ready(out, b",\"server\":\"", self.server);
            number(out, b",\"retries\":", self.retries.into());
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

fn millis(out: &mut Vec<u8>, beginning: &[u8], duration: Duration) {
    let seconds = duration.as_secs().saturating_mul(1_000);
    number(out, beginning, seconds.saturating_add(duration.subsec_millis().into()));
    fraction(out, duration.subsec_micros() % 1_000);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

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
    fn a_line_has_every_member() {
        let mut out = Vec::new();
        let line = Line {
            time: Duration::from_millis(784_111_777_042),
            request_id: Some(b"id-1"),
            client: b"203.0.113.7",
            method: "GET",
            host: Some("api.example.com"),
            path: "/orders/7",
            route: Some(&Escaped::new("/orders/*")),
            client_id: Some("shop"),
            status: Some(200),
            reason: None,
            setting: None,
            shadow: Some(Reason::NoToken),
            upstream: Some(&Escaped::new("orders")),
            server: Some(&Escaped::new("[2001:db8::1]:8080")),
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
