//! Clients that sign: RFC 7521 and RFC 7523. The checks of an assertion have unit tests in
//! `oauth::assertion`; this file tests what a client sees.

use super::{Row, Want, check, fixture, key, row};
use crate::support::jose::{SigningKey, encode, now, unique};
use crate::support::{INTROSPECT, TOKEN, basic, form, post_form};
use serde_json::{Value, json};

const ISSUER: &str = "https://issuer.example.test";

fn body(assertion: &str, rest: &str) -> String {
    let kind = form("urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    format!("grant_type=client_credentials&client_assertion={assertion}&client_assertion_type={kind}{rest}")
}

fn with_assertion(assertion: &str) -> Vec<u8> {
    post_form(TOKEN, &[], body(assertion, ""))
}

/// Builds an assertion with changed claims; `null` removes one.
fn changed(changes: &Value) -> String {
    signed(r#"{"alg":"EdDSA","kid":"one"}"#, changes)
}

fn signed(header: &str, changes: &Value) -> String {
    let mut claims = json!({
        "iss": "signs", "sub": "signs", "aud": ISSUER, "jti": unique(), "iat": now(), "exp": now() + 60,
    });
    let members = claims.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    key().sign(header, &claims.to_string())
}

#[test]
fn rfc_7523() {
    let good = || Want::Json(json!({ "token_type": "bearer" }));
    let refused = || Want::Error(401, "invalid_client");
    let with =
        |section, says, changes: Value, want| row(section, says, with_assertion(&changed(&changes)), want);
    let under = |section, says, header: &str| {
        row(section, says, with_assertion(&signed(header, &json!({}))), refused())
    };
    let (now, used) = (now(), changed(&json!({})));
    let forged = SigningKey::new().assertion("one", "signs", ISSUER);
    let unsigned = {
        let claims = json!({ "iss": "signs", "sub": "signs", "aud": ISSUER, "jti": "none", "exp": now + 60 });
        format!("{}.{}.", encode(br#"{"alg":"none"}"#), encode(claims.to_string().as_bytes()))
    };
    let token_url = format!("{ISSUER}{TOKEN}");
    let rows: Vec<Row> = vec![
        row("7523 §2.2", "client_assertion and its type", with_assertion(&used), good()),
        row(
            "7521 §4.2",
            "client_id is unnecessary, and MUST be the same",
            post_form(TOKEN, &[], body(&changed(&json!({})), "&client_id=signs")),
            good(),
        ),
        row(
            "7521 §4.2",
            "client_id of another",
            post_form(TOKEN, &[], body(&changed(&json!({})), "&client_id=server")),
            refused(),
        ),
        row(
            "7521 §4.2",
            "MUST NOT use more than one mechanism",
            post_form(TOKEN, &[&basic("signs", "x")], body(&changed(&json!({})), "")),
            Want::Error(400, "invalid_request"),
        ),
        row(
            "7521 §4.2",
            "nor a secret beside it",
            post_form(TOKEN, &[], body(&changed(&json!({})), "&client_id=signs&client_secret=x")),
            Want::Error(400, "invalid_request"),
        ),
        row(
            "7521 §4.2",
            "the type is REQUIRED",
            post_form(
                TOKEN,
                &[],
                format!("grant_type=client_credentials&client_assertion={}", changed(&json!({}))),
            ),
            Want::Error(400, "invalid_request"),
        ),
        row(
            "7521 §4.2",
            "another type",
            post_form(TOKEN, &[], body(&changed(&json!({})), "").replace("jwt-bearer", "saml2-bearer")),
            refused(),
        ),
        row(
            "7523 §2.2",
            "MUST contain a single JWT",
            with_assertion(&format!("{}.x", changed(&json!({})))),
            refused(),
        ),
        row(
            "7523 §2.2",
            "at every endpoint with client authentication",
            post_form(INTROSPECT, &[], body(&changed(&json!({})), "&token=x")),
            Want::Json(json!({ "active": false })),
        ),
        with("7523 §3 1", "iss is REQUIRED", json!({ "iss": null }), refused()),
        with("7523 §3 1", "iss of another", json!({ "iss": "server" }), refused()),
        with("7523 §3 2", "sub is REQUIRED", json!({ "sub": null }), refused()),
        with("7523 §3 2B", "sub MUST be the client_id", json!({ "sub": "server" }), refused()),
        with("7523 §3 3", "aud is REQUIRED", json!({ "aud": null }), refused()),
        with("7523 §3 3", "aud of another server", json!({ "aud": "https://elsewhere.example" }), refused()),
        with("7523 §3 3", "aud MAY be the token endpoint", json!({ "aud": token_url }), good()),
        with(
            "7519 §4.1.3",
            "aud among others",
            json!({ "aud": ["https://elsewhere.example", ISSUER] }),
            good(),
        ),
        with("7523 §3 4", "exp is REQUIRED", json!({ "exp": null }), refused()),
        with("7523 §3 4", "exp has passed", json!({ "exp": now - 60, "iat": now - 120 }), refused()),
        with("7523 §3 4", "exp is unreasonably far", json!({ "exp": now + 86_400 }), refused()),
        with("7523 §3 5", "nbf is still to come", json!({ "nbf": now + 120 }), refused()),
        with("7523 §3 6", "iat is still to come", json!({ "iat": now + 120 }), refused()),
        with("7523 §3 7", "jti, to be refused twice", json!({ "jti": null }), refused()),
        row("7523 §3 7", "an assertion used before", with_assertion(&used), refused()),
        row("7523 §3 9", "MUST be signed by the client", with_assertion(&forged), refused()),
        row("7523 §3 9", "MUST be signed at all", with_assertion(&unsigned), refused()),
        row("7523 §3 10", "MUST be a valid JWT", with_assertion("a.b.c"), refused()),
        under(
            "7515 §4.1.11",
            "an extension that is critical",
            r#"{"alg":"EdDSA","kid":"one","crit":["exp"]}"#,
        ),
        under("8725 §3.1", "another algorithm than the key's", r#"{"alg":"HS256","kid":"one"}"#),
        under(
            "8725 §3.11",
            "a JWT made for another purpose",
            r#"{"alg":"EdDSA","kid":"one","typ":"dpop+jwt"}"#,
        ),
        row(
            "6749 §2.3",
            "a client has the methods of its registration",
            post_form(TOKEN, &[&basic("signs", "x")], "grant_type=client_credentials"),
            refused(),
        ),
        row(
            "7523 §3.2",
            "a client that does not sign",
            with_assertion(&key().assertion("one", "server", ISSUER)),
            refused(),
        ),
        row(
            "7523 §3.2",
            "no client at all",
            with_assertion(&key().assertion("one", "nobody", ISSUER)),
            refused(),
        ),
    ];
    check(fixture(), rows);
    assert_eq!(
        fixture().raw(with_assertion(&forged)).essence(),
        fixture().raw(with_assertion(&unsigned)).essence()
    );
}
