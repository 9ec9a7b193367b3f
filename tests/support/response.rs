//! Responses, and assertions on them that show the request when they fail.

use super::message::Message;
use std::fmt;

/// A response together with its request.
pub(crate) struct TestResponse {
    pub(super) request: String,
    pub(super) status: u16,
    pub(super) message: Message,
}

impl TestResponse {
    /// Returns the status code.
    pub(crate) fn code(&self) -> u16 {
        self.status
    }

    /// Returns the body.
    pub(crate) fn body(&self) -> &[u8] {
        &self.message.body
    }

    /// Returns the head as received.
    pub(crate) fn head(&self) -> String {
        String::from_utf8_lossy(&self.message.head).into_owned()
    }

    /// Returns all values of a field.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.message.all(name)
    }

    /// Returns the value of a field that must be present exactly once.
    #[track_caller]
    pub(crate) fn one(&self, name: &str) -> &str {
        let values = self.all(name);
        assert_eq!(values.len(), 1, "exactly one {name} expected\n{self}");
        values[0]
    }

    /// Asserts the status.
    #[track_caller]
    pub(crate) fn status(&self, expected: u16) -> &Self {
        assert_eq!(self.status, expected, "status\n{self}");
        self
    }

    /// Asserts that the status is one of these.
    #[track_caller]
    pub(crate) fn status_in(&self, expected: &[u16]) -> &Self {
        assert!(expected.contains(&self.status), "status {} is none of {expected:?}\n{self}", self.status);
        self
    }

    /// Asserts the only value of a field.
    #[track_caller]
    pub(crate) fn has(&self, name: &str, value: &str) -> &Self {
        assert_eq!(self.one(name), value, "{name}\n{self}");
        self
    }

    /// Asserts that a field is absent.
    #[track_caller]
    pub(crate) fn lacks(&self, name: &str) -> &Self {
        assert!(self.all(name).is_empty(), "{name} is there\n{self}");
        self
    }

    /// Asserts the fields of every response that the gateway makes itself.
    #[track_caller]
    pub(crate) fn own(&self) -> &Self {
        self.has("cache-control", "no-store").has("x-content-type-options", "nosniff");
        if !self.request.contains(super::TOKEN) {
            self.lacks("pragma");
        }
        let head = self.head().to_ascii_lowercase();
        assert!(!head.contains(env!("CARGO_PKG_VERSION")), "the response contains the version\n{self}");
        self
    }

    /// Asserts an RFC 6749 §5.2 error.
    #[track_caller]
    pub(crate) fn oauth_error(&self, status: u16, code: &str) -> &Self {
        self.status(status).own();
        if self.request.contains(super::TOKEN) {
            // RFC 6749 §5.1.
            self.has("pragma", "no-cache");
        }
        let json = self.json();
        assert_eq!(json["error"], code, "error\n{self}");
        if let Some(description) = json.get("error_description") {
            // RFC 6749 §5.2: no characters outside %x20-21 / %x23-5B / %x5D-7E.
            let text =
                description.as_str().unwrap_or_else(|| panic!("error_description is no string\n{self}"));
            assert!(
                text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
                "error_description {text:?}\n{self}"
            );
        }
        let expected =
            if status == 401 { vec!["Basic realm=\"tollgate\", error=\"invalid_client\""] } else { vec![] };
        assert_eq!(self.all("www-authenticate"), expected, "WWW-Authenticate\n{self}");
        self
    }

    /// Asserts a problem details response of the gateway (RFC 9457).
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> &Self {
        self.status(status).own().has("content-type", "application/problem+json");
        let json: serde_json::Value =
            serde_json::from_slice(self.body()).unwrap_or_else(|e| panic!("no JSON: {e}\n{self}"));
        assert!(json["title"].is_string(), "a problem without a title\n{self}");
        if let Some(member) = json.get("status") {
            assert_eq!(*member, status, "the problem's status\n{self}");
        }
        self
    }

    /// Asserts a response to a bearer token (RFC 6750 §3) and returns the parameters of the challenge.
    #[track_caller]
    pub(crate) fn bearer_error(&self, status: u16, code: Option<&str>) -> Vec<(String, String)> {
        self.status(status).own();
        let parameters = challenge(self.one("www-authenticate"))
            .unwrap_or_else(|e| panic!("WWW-Authenticate is no challenge: {e}\n{self}"));
        let find = |name: &str| parameters.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str());
        assert!(find("realm").is_some(), "a challenge without a realm\n{self}");
        assert_eq!(find("error"), code, "error in the challenge\n{self}");
        if code.is_none() {
            // RFC 6750 §3.1: no error information without authentication information.
            assert_eq!(find("error_description"), None, "a description without an error\n{self}");
        }
        parameters
    }

    /// Returns the body, which must be a JSON object with the right content type.
    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        let media = self.one("content-type").split(';').next().unwrap_or("").trim();
        assert!(media.eq_ignore_ascii_case("application/json"), "content type {media}\n{self}");
        let json = serde_json::from_slice(self.body()).unwrap_or_else(|e| panic!("no JSON: {e}\n{self}"));
        assert!(matches!(json, serde_json::Value::Object(_)), "no object\n{self}");
        json
    }

    /// Returns the sorted names of the JSON object's members.
    #[track_caller]
    pub(crate) fn names(&self) -> Vec<String> {
        let json = self.json();
        let mut names: Vec<String> = json.as_object().into_iter().flat_map(|o| o.keys().cloned()).collect();
        names.sort();
        names
    }

    /// Returns every field except Date, sorted and with lower-case names, and the body.
    pub(crate) fn essence(&self) -> (u16, Vec<(String, String)>, String) {
        let mut fields: Vec<(String, String)> = self
            .message
            .headers
            .iter()
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .filter(|(name, _)| name != "date")
            .collect();
        fields.sort();
        (self.status, fields, String::from_utf8_lossy(self.body()).into_owned())
    }
}

impl fmt::Display for TestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = &self.message.body[..self.message.body.len().min(2000)];
        write!(f, "{}\n--- response\n{}{}\n---", self.request, self.head(), String::from_utf8_lossy(body))
    }
}

/// Parses `Bearer 1#( name "=" quoted-string )` strictly (RFC 6750 §3): quoted values without escapes, no
/// name twice.
fn challenge(value: &str) -> Result<Vec<(String, String)>, String> {
    let mut rest = value.strip_prefix("Bearer ").ok_or("the scheme")?;
    let mut found: Vec<(String, String)> = Vec::new();
    loop {
        let (name, after) = rest.split_once("=\"").ok_or_else(|| format!("no name=\" in {rest:?}"))?;
        let (text, after) = after.split_once('"').ok_or_else(|| format!("no end of {name}"))?;
        let token = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if !token || found.iter().any(|(known, _)| known == name) {
            return Err(format!("the name {name:?}"));
        }
        if !text.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
            return Err(format!("the value of {name}"));
        }
        found.push((name.to_owned(), text.to_owned()));
        if after.is_empty() {
            return Ok(found);
        }
        rest = after.strip_prefix(", ").ok_or_else(|| format!("{after:?} behind {name}"))?;
    }
}

#[test]
fn challenge_grammar() {
    let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
    assert_eq!(
        challenge("Bearer realm=\"x\", error=\"invalid_token\""),
        Ok(vec![pair("realm", "x"), pair("error", "invalid_token")])
    );
    for bad in [
        "Basic realm=\"x\"",
        "Bearer",
        "Bearer realm=x",
        "Bearer realm=\"x\",error=\"y\"",
        "Bearer realm=\"x\", ",
    ] {
        assert!(challenge(bad).is_err(), "{bad}");
    }
}
