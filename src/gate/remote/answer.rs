//! The answer of an introspection endpoint, as the record of a token.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::clock::Millis;
use crate::gate::remote::error::IntrospectionError;
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::grant::{Confirmation, Grant, Record, Terms};
use crate::oauth::scope::Scopes;
use crate::oauth::thumbprint::Thumbprint;

/// RFC 7662 §2.2. Members that decide nothing here are ignored.
#[derive(Deserialize)]
struct Answer {
    active: bool,
    client_id: Option<String>,
    scope: Option<String>,
    exp: Option<u64>,
    aud: Option<String>,
    cnf: Option<Cnf>,
}

/// RFC 8705 §3.2 and RFC 9449 §6.2. A token that is bound in a way unknown here cannot be verified, so any
/// other member is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cnf {
    #[serde(rename = "x5t#S256")]
    certificate: Option<String>,
    #[serde(rename = "jkt")]
    key: Option<String>,
}

/// Reads an answer. Returns the record of an active token, which expires when the answer says, and `None` for
/// a token that is not active. `now` and `unix_time` are the same moment on the two clocks.
pub(super) fn read(
    body: &[u8],
    now: Millis,
    unix_time: Duration,
) -> Result<Option<Record>, IntrospectionError> {
    use IntrospectionError::Malformed;
    let answer: Answer =
        serde_json::from_slice(body).map_err(|_| Malformed("not the JSON of RFC 7662 §2.2"))?;
    if !answer.active {
        return Ok(None);
    }
    let id = answer.client_id.ok_or(Malformed("an active token has no client_id"))?;
    let id = ClientId::new(&id).ok_or(Malformed("the client_id is not a client id"))?;
    // Without an end, nothing bounds the life of what is remembered.
    let expires = answer.exp.ok_or(Malformed("an active token has no exp"))?;
    let scopes = match answer.scope.as_deref() {
        None | Some("") => Scopes::none(),
        Some(scope) => Scopes::parse(scope).map_err(|_| Malformed("the scope is not a list of scopes"))?,
    };
    let terms = Terms {
        scopes,
        lifetime: Duration::from_secs(expires).saturating_sub(unix_time),
        audience: answer.aud.map(Into::into),
        confirmation: answer.cnf.map(confirmation).transpose()?,
    };
    let grant = Grant::new(ClientState::new(id), 0, terms);
    Ok(Some(Record::new(Arc::new(grant), now)))
}

fn confirmation(cnf: Cnf) -> Result<Confirmation, IntrospectionError> {
    let malformed = IntrospectionError::Malformed("the cnf has no thumbprint");
    let thumbprint = |text: Option<String>| match text.as_deref().map(Thumbprint::parse) {
        None => Ok(None),
        Some(Some(thumbprint)) => Ok(Some(*thumbprint.as_bytes())),
        Some(None) => Err(IntrospectionError::Malformed("a thumbprint in the cnf is malformed")),
    };
    Confirmation::new(thumbprint(cnf.certificate)?, thumbprint(cnf.key)?).ok_or(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis::new(5_000);
    const UNIX_TIME: Duration = Duration::from_millis(1_800_000_000_250);

    fn read(text: &str) -> Result<Option<Record>, IntrospectionError> {
        super::read(text.as_bytes(), NOW, UNIX_TIME)
    }

    #[test]
    fn an_active_token_becomes_a_record_that_expires_when_the_answer_says() {
        let text = r#"{"active":true,"client_id":"server","scope":"read write","token_type":"bearer",
            "exp":1800000299,"iat":1800000000,"iss":"https://issuer","sub":"server","aud":"https://orders",
            "cnf":{"jkt":"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"}}"#;
        let record = read(text).unwrap().unwrap();
        let terms = record.grant().terms();
        assert_eq!(record.grant().client().id().as_str(), "server");
        assert_eq!(
            (terms.scopes.as_str(), terms.audience.as_deref()),
            ("read write", Some("https://orders"))
        );
        assert!(matches!(terms.confirmation, Some(Confirmation::Key(_))));
        assert_eq!(record.expires(), Millis::new(5_000 + 298_750));
        assert!(record.is_live(NOW));
    }

    #[test]
    fn an_inactive_token_has_no_record_and_an_expired_one_is_not_live() {
        assert!(read(r#"{"active":false}"#).unwrap().is_none());
        assert!(read(r#"{"active":false,"client_id":"server","exp":1900000000}"#).unwrap().is_none());
        let expired = read(r#"{"active":true,"client_id":"server","exp":1800000000}"#).unwrap().unwrap();
        assert!(!expired.is_live(NOW));
    }

    #[test]
    fn everything_else_is_malformed() {
        let bad = [
            "",
            "null",
            "[]",
            "true",
            r#"{"active":"true"}"#,
            r#"{"active":1}"#,
            r#"{"client_id":"server","exp":1900000000}"#,
            r#"{"active":true,"exp":1900000000}"#,
            r#"{"active":true,"client_id":"server"}"#,
            r#"{"active":true,"client_id":" ","exp":1900000000}"#,
            r#"{"active":true,"client_id":"server","exp":-1}"#,
            r#"{"active":true,"client_id":"server","exp":"1900000000"}"#,
            r#"{"active":true,"client_id":"server","exp":1900000000,"scope":"a  b"}"#,
            r#"{"active":true,"client_id":"server","exp":1900000000,"scope":["a"]}"#,
            r#"{"active":true,"client_id":"server","exp":1900000000,"aud":["a"]}"#,
            r#"{"active":true,"client_id":"server","exp":1900000000,"cnf":{}}"#,
            r#"{"active":true,"client_id":"server","exp":1900000000,"cnf":{"jkt":"short"}}"#,
            r#"{"active":true,"client_id":"server","exp":1900000000,"cnf":{"other":"x"}}"#,
            r#"{"active":true,"active":true,"client_id":"server","exp":1900000000}"#,
            r#"{"active":false,"active":true,"client_id":"server","exp":1900000000}"#,
            r#"{"active":true,"client_id":"server","exp":1900000000} x"#,
        ];
        for text in bad {
            assert!(matches!(read(text), Err(IntrospectionError::Malformed(_))), "{text}");
        }
    }
}
