//! Requirements of the RFCs, as one table per endpoint: the section, its requirement, a request and the
//! response.
//!
//! A requirement that needs more than one exchange (a token that is revoked and then used, a stolen key) is a
//! separate test in one of the modules here.

mod assertion;
mod challenge;
mod dpop;
mod introspection;
mod metadata;
mod revocation;
mod token;

use crate::support::jose::SigningKey;
use crate::support::{Fixture, TestResponse};
use serde_json::Value;
use std::sync::OnceLock;

/// One requirement.
struct Row {
    /// The section.
    section: &'static str,
    /// The requirement in short.
    says: &'static str,
    request: Vec<u8>,
    answer: Want,
}

/// The expected response.
#[derive(Clone)]
enum Want {
    /// 200 with these members; `null` for one that must be absent.
    Json(Value),
    /// An error of RFC 6749 §5.2.
    Error(u16, &'static str),
    /// A challenge of RFC 6750 §3, optionally with this error.
    Bearer(u16, Option<&'static str>),
    /// A challenge of RFC 9449 §7.1.
    Dpop(&'static str),
    /// 405 with this `Allow`.
    NotAllowed(&'static str),
    /// A response of the upstream.
    Passed,
}

fn row(section: &'static str, says: &'static str, request: Vec<u8>, answer: Want) -> Row {
    Row { section, says, request, answer }
}

/// Sends each request on a new connection.
fn check(fixture: &Fixture, rows: impl IntoIterator<Item = Row>) {
    for Row { section, says, request, answer: want } in rows {
        // The last line printed is the one that fails.
        println!("{section}: {says}");
        want.check(&fixture.raw(request));
    }
}

impl Want {
    fn check(&self, answer: &TestResponse) {
        match self {
            Self::Json(members) => {
                let json = answer.status(200).own().json();
                for (name, value) in members.as_object().expect("an object") {
                    assert_eq!(json.get(name).unwrap_or(&Value::Null), value, "{name}\n{answer}");
                }
            }
            Self::Error(status, code) => {
                answer.oauth_error(*status, code);
            }
            Self::Bearer(status, code) => {
                answer.bearer_error(*status, *code);
            }
            Self::Dpop(code) => {
                let challenge = answer.status(401).own().one("www-authenticate");
                assert!(challenge.starts_with("DPoP "), "{answer}");
                assert!(challenge.contains(&format!("error=\"{code}\"")), "{answer}");
                assert!(challenge.contains("algs=\""), "{answer}");
            }
            Self::NotAllowed(allow) => {
                answer.status(405).own().has("allow", allow);
            }
            Self::Passed => {
                answer.status(200).lacks("www-authenticate");
            }
        }
    }
}

/// Returns the key of the client `signs`.
fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(SigningKey::new)
}

/// Returns the standard configuration with one client of each further kind.
fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| {
        Fixture::start(|config| {
            config
                .client("reseller", crate::support::config::SECRET, "scopes = [\"read\"]\naudiences = [\"https://a.example\", \"https://b.example\"]")
                .client("bound", crate::support::config::SECRET, "scopes = [\"read\"]\ndpop_bound_tokens = true")
                .table(&format!(
                    "[clients.signs]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks = '{{\"keys\":[{}]}}'\n\
                     capabilities = [\"client_credentials\", \"introspection\"]\nscopes = [\"read\"]",
                    key().jwk(",\"kid\":\"one\"")
                ))
        })
    })
}
