//! An event of the security log, in the fields of the Elastic Common Schema.

use std::net::IpAddr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::telemetry::json::{number, text, timestamp};

/// The maximum lengths of values, in characters.
const LONGEST_PATH: usize = 1_024;
const LONGEST: usize = 256;

macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $action:literal, $category:literal, $type:literal, $outcome:literal;)+) => {
        /// The kinds of events: a closed list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(usize)]
        pub(crate) enum Kind {
            $($(#[doc = $doc])* $name,)+
        }

        impl Kind {
            /// Every kind, in the order of their numbers.
            pub(crate) const ALL: [Self; [$($action),+].len()] = [$(Self::$name),+];

            /// Returns the value of `event.action`, which is also the label of metrics.
            pub(crate) fn action(self) -> &'static str {
                match self {
                    $(Self::$name => $action,)+
                }
            }

            /// Returns the values of `event.category`, `event.type` and `event.outcome`.
            fn classes(self) -> (&'static str, &'static str, &'static str) {
                match self {
                    $(Self::$name => ($category, $type, $outcome),)+
                }
            }
        }
    };
}

kinds! {
    /// A client has not authenticated: unknown client, wrong secret, wrong signature or certificate.
    AuthenticationFailed = "authentication-failed", "authentication", "denied", "failure";
    /// A proof or an assertion was sent a second time.
    CredentialReplayed = "credential-replayed", "authentication", "denied", "failure";
    /// An address has failed too often and has to wait.
    AuthenticationThrottled = "authentication-throttled", "authentication", "denied", "failure";
    /// A token is unknown, expired, revoked or malformed.
    TokenRefused = "token-refused", "authentication", "denied", "failure";
    /// A token came without the key or the certificate that it is bound to: it may be stolen.
    TokenNotHeld = "token-not-held", "authentication", "denied", "failure";
    /// A valid token lacks a scope, or is for another audience.
    AccessRefused = "access-refused", "iam", "denied", "failure";
    /// A client has asked for a scope, a resource or a grant that it may not have.
    GrantRefused = "grant-refused", "iam", "denied", "failure";
    /// A token was revoked.
    TokenRevoked = "token-revoked", "iam", "deletion", "success";
    /// A client has registered itself.
    ClientRegistered = "client-registered", "iam", "creation", "success";
    /// A client has replaced its registration.
    RegistrationUpdated = "registration-updated", "iam", "change", "success";
    /// A client has removed itself.
    RegistrationDeleted = "registration-deleted", "iam", "deletion", "success";
    /// A client that was not used for too long was removed.
    RegistrationExpired = "registration-expired", "iam", "deletion", "success";
    /// A request to the registration endpoint was refused.
    RegistrationRefused = "registration-refused", "iam", "denied", "failure";
    /// A request can be read in more than one way, as in request smuggling.
    RequestAmbiguous = "request-ambiguous", "intrusion_detection", "denied", "failure";
    /// A route does not admit the address.
    AddressRefused = "address-refused", "network", "denied", "failure";
    /// A rate limit is exceeded.
    RateExceeded = "rate-exceeded", "network", "denied", "failure";
}

/// An event. It has no header, no query, no body and no credential.
#[derive(Debug)]
pub(crate) struct Event<'a> {
    pub(crate) kind: Kind,
    /// Why, in the words of the access log.
    pub(crate) reason: &'a str,
    /// The address of the client.
    pub(crate) address: IpAddr,
    /// The client that has authenticated, or whose token it is. A client that only claims an id is not named.
    pub(crate) client_id: Option<&'a str>,
    pub(crate) method: Option<&'a str>,
    pub(crate) host: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    /// The route or the endpoint, as the access log names it.
    pub(crate) route: Option<&'a str>,
    pub(crate) status: Option<u16>,
    pub(crate) request_id: Option<&'a str>,
}

impl Event<'_> {
    /// Appends the line. `left_out` is the number of events of this kind before it that have no line.
    pub(super) fn write(&self, out: &mut Vec<u8>, now: SystemTime, left_out: u64) {
        begin(out, self.kind, now);
        let (_, _, outcome) = self.kind.classes();
        text(out, b",\"event.outcome\":\"", Some(outcome.as_bytes()), LONGEST);
        text(out, b",\"event.reason\":\"", Some(self.reason.as_bytes()), LONGEST);
        text(out, b",\"source.ip\":\"", Some(self.address.to_string().as_bytes()), LONGEST);
        text(out, b",\"user.id\":\"", self.client_id.map(str::as_bytes), LONGEST);
        text(out, b",\"http.request.method\":\"", self.method.map(str::as_bytes), LONGEST);
        text(out, b",\"url.domain\":\"", self.host.map(str::as_bytes), LONGEST);
        text(out, b",\"url.path\":\"", self.path.map(str::as_bytes), LONGEST_PATH);
        text(out, b",\"rule.name\":\"", self.route.map(str::as_bytes), LONGEST_PATH);
        if let Some(status) = self.status {
            number(out, b",\"http.response.status_code\":", status.into());
        }
        text(out, b",\"http.request.id\":\"", self.request_id.map(str::as_bytes), LONGEST);
        if left_out > 0 {
            number(out, b",\"tollgate.left_out\":", left_out);
        }
        out.extend_from_slice(b"}\n");
    }
}

/// Appends a line that says how many events of a kind have none.
pub(super) fn write_left_out(out: &mut Vec<u8>, kind: Kind, now: SystemTime, left_out: u64) {
    begin(out, kind, now);
    text(out, b",\"event.reason\":\"", Some(b"left_out"), LONGEST);
    number(out, b",\"tollgate.left_out\":", left_out);
    out.extend_from_slice(b"}\n");
}

fn begin(out: &mut Vec<u8>, kind: Kind, now: SystemTime) {
    let (category, event_type, _) = kind.classes();
    timestamp(out, b"{\"@timestamp\":\"", now.duration_since(UNIX_EPOCH).unwrap_or_default());
    text(out, b",\"ecs.version\":\"", Some(b"8.17.0"), LONGEST);
    text(out, b",\"event.kind\":\"", Some(b"event"), LONGEST);
    text(out, b",\"event.dataset\":\"", Some(b"tollgate.security"), LONGEST);
    text(out, b",\"event.category\":[\"", Some(category.as_bytes()), LONGEST);
    text(out, b"],\"event.type\":[\"", Some(event_type.as_bytes()), LONGEST);
    text(out, b"],\"event.action\":\"", Some(kind.action().as_bytes()), LONGEST);
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_its_values() {
        let token = format!("/x/tg_{}\"}},{{\n", "a".repeat(49));
        let event = Event {
            kind: Kind::AccessRefused,
            reason: "insufficient_scope",
            address: "2001:db8::1".parse().unwrap(),
            client_id: Some("shop \"1\""),
            method: Some("GET"),
            host: Some("api.example.com"),
            path: Some(&token),
            route: Some("GET /x/*"),
            status: Some(403),
            request_id: None,
        };
        let mut out = Vec::new();
        let now = UNIX_EPOCH + Duration::from_millis(784_111_777_042);
        event.write(&mut out, now, 3);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert!(out.iter().all(|byte| matches!(byte, b'\n' | b' '..=b'~')));
        assert_eq!(
            serde_json::from_slice::<Value>(&out).unwrap(),
            json!({
                "@timestamp": "1994-11-06T08:49:37.042Z", "ecs.version": "8.17.0", "event.kind": "event",
                "event.dataset": "tollgate.security", "event.category": ["iam"], "event.type": ["denied"],
                "event.action": "access-refused", "event.outcome": "failure",
                "event.reason": "insufficient_scope", "source.ip": "2001:db8::1", "user.id": "shop \"1\"",
                "http.request.method": "GET", "url.domain": "api.example.com", "url.path": "/x/tg_…\"},{\n",
                "rule.name": "GET /x/*", "http.response.status_code": 403, "tollgate.left_out": 3
            })
        );
    }

    #[test]
    fn the_categories_and_types_are_those_of_the_schema() {
        for kind in Kind::ALL {
            let (category, event_type, outcome) = kind.classes();
            assert!(["authentication", "iam", "intrusion_detection", "network"].contains(&category));
            assert!(["denied", "deletion", "creation", "change"].contains(&event_type));
            assert!(["failure", "success"].contains(&outcome));
            let mut out = Vec::new();
            write_left_out(&mut out, kind, UNIX_EPOCH, 7);
            assert_eq!(serde_json::from_slice::<Value>(&out).unwrap()["tollgate.left_out"], 7);
        }
    }
}
