//! The token endpoint: RFC 6749 and RFC 8707. The table of the contract is in `token_endpoint`.

use super::{Row, Want, check, fixture, row};
use crate::support::config::{SECRET, SERVER_SECRET, SPECIAL_ID, SPECIAL_SECRET};
use crate::support::{
    Config, Gateway, INTROSPECT, REVOKE, TOKEN, basic, credentials, form, get, post_form, raw,
};
use serde_json::{Value, json};

const GRANT: &str = "grant_type=client_credentials";

fn token_request(rest: &str) -> Vec<u8> {
    post_form(TOKEN, &[], format!("{GRANT}&{}{rest}", credentials("server")))
}

fn with_basic(id: &str, secret: &str, body: &str) -> Vec<u8> {
    post_form(TOKEN, &[&basic(id, secret)], body)
}

fn granted(scope: Value) -> Want {
    Want::Json(json!({
        "token_type": "bearer",
        "expires_in": 299,
        "scope": scope,
        "refresh_token": null,
        "error": null,
    }))
}

#[test]
fn rfc_6749() {
    let plain = || granted(Value::Null);
    let invalid_request = Want::Error(400, "invalid_request");
    let invalid_client = Want::Error(401, "invalid_client");
    let invalid_scope = Want::Error(400, "invalid_scope");
    let both = format!("{GRANT}&{}", credentials("server"));
    let raw_pair = "Authorization: Basic YW4gYXBwOndpdGgrMTAwJSZjbz0xOnA=";
    let rows: Vec<Row> = vec![
        row("6749 §2.3.1", "MUST support HTTP Basic", with_basic("server", SERVER_SECRET, GRANT), plain()),
        row("6749 §2.3.1", "and MAY support the body", token_request(""), plain()),
        row(
            "6749 §2.3.1",
            "both parts of Basic are form-encoded",
            with_basic(SPECIAL_ID, SPECIAL_SECRET, GRANT),
            plain(),
        ),
        row(
            "6749 §2.3.1",
            "what was not encoded is not decoded by luck",
            post_form(TOKEN, &[raw_pair], GRANT),
            invalid_client.clone(),
        ),
        row(
            "6749 §2.3.1",
            "client_secret MAY be omitted if it is empty: no client here has an empty one",
            post_form(TOKEN, &[], format!("{GRANT}&client_id=server&client_secret=")),
            invalid_client.clone(),
        ),
        row(
            "6749 §2.3.1",
            "an empty secret by Basic",
            with_basic("server", "", GRANT),
            invalid_client.clone(),
        ),
        row(
            "6749 §2.3.1",
            "credentials MUST NOT be in the URI",
            post_form(&format!("{TOKEN}?{}", credentials("server")), &[], GRANT),
            invalid_request.clone(),
        ),
        row(
            "6749 §2.3.1",
            "nor one of them",
            post_form(&format!("{TOKEN}?client_id=server"), &[], both.clone()),
            invalid_request.clone(),
        ),
        row(
            "6749 §2.3",
            "MUST NOT use more than one method",
            with_basic("server", SERVER_SECRET, &both),
            invalid_request.clone(),
        ),
        row(
            "6749 §2.3",
            "Basic of one client, the id of another",
            with_basic("server", SERVER_SECRET, &format!("{GRANT}&client_id=other")),
            invalid_request.clone(),
        ),
        row("6749 §3.2", "MUST use POST", get(TOKEN, &[]), Want::NotAllowed("POST")),
        row("6749 §3.2", "no value: as if omitted (scope)", token_request("&scope="), plain()),
        row("6749 §3.2", "no value: as if omitted (resource)", token_request("&resource"), plain()),
        row(
            "6749 §3.2",
            "no value: as if omitted (client_assertion)",
            token_request("&client_assertion=&client_assertion_type="),
            plain(),
        ),
        row(
            "6749 §3.2",
            "no value: as if omitted (grant_type)",
            post_form(TOKEN, &[], format!("grant_type=&{}", credentials("server"))),
            invalid_request.clone(),
        ),
        row(
            "6749 §3.2",
            "unrecognised parameters MUST be ignored",
            token_request("&audience=x&foo=bar&Scope=admin&scope%20=admin"),
            plain(),
        ),
        row(
            "6749 §3.2",
            "MUST NOT be included more than once",
            token_request("&scope=read&scope=write"),
            invalid_request.clone(),
        ),
        row("6749 §3.2", "nor an unrecognised one", token_request("&foo=1&foo=2"), invalid_request.clone()),
        row(
            "6749 §3.2.1",
            "confidential clients MUST authenticate",
            post_form(TOKEN, &[], GRANT),
            invalid_client.clone(),
        ),
        row(
            "6749 §3.2.1",
            "an id alone authenticates nobody",
            post_form(TOKEN, &[], format!("{GRANT}&client_id=server")),
            invalid_client.clone(),
        ),
        row(
            "6749 §3.3",
            "scope tokens are case-sensitive",
            token_request("&scope=READ"),
            invalid_scope.clone(),
        ),
        row(
            "6749 §3.3",
            "their order does not matter",
            token_request("&scope=write+read"),
            granted("write read".into()),
        ),
        row(
            "6749 §3.3",
            "delimited by one space",
            token_request("&scope=read++write"),
            invalid_scope.clone(),
        ),
        row("6749 §3.3", "NQCHAR has no quotes", token_request("&scope=%22read%22"), invalid_scope.clone()),
        row(
            "6749 §3.3",
            "a scope given unasked MUST be told",
            post_form(TOKEN, &[], format!("{GRANT}&{}", credentials("defaulted"))),
            granted("write read".into()),
        ),
        row(
            "6749 §3.3",
            "no scope, no default: a token without",
            post_form(TOKEN, &[], format!("{GRANT}&{}", credentials("unscoped"))),
            plain(),
        ),
        row(
            "6749 §3.3",
            "not more than the client may have",
            post_form(TOKEN, &[], format!("{GRANT}&scope=write&{}", credentials("other"))),
            invalid_scope,
        ),
        row(
            "6749 §4.4",
            "only for confidential clients with that grant",
            post_form(TOKEN, &[], format!("{GRANT}&{}", credentials("nocap"))),
            Want::Error(400, "unauthorized_client"),
        ),
        row(
            "6749 §4.4.2",
            "grant_type is REQUIRED",
            post_form(TOKEN, &[], credentials("server")),
            invalid_request.clone(),
        ),
        row(
            "6749 §4.4.2",
            "and MUST be client_credentials, to the letter",
            post_form(TOKEN, &[], format!("grant_type=Client_Credentials&{}", credentials("server"))),
            Want::Error(400, "unsupported_grant_type"),
        ),
        row(
            "6749 §4.4.3",
            "no refresh token, even if asked",
            token_request("&scope=read&access_type=offline"),
            granted("read".into()),
        ),
        row(
            "6749 §5.2",
            "an unknown client is invalid_client",
            with_basic("nobody", "x", GRANT),
            invalid_client.clone(),
        ),
        row(
            "6749 §5.2",
            "so is an unsupported method",
            post_form(TOKEN, &["Authorization: Bearer abc"], GRANT),
            invalid_client.clone(),
        ),
        row(
            "6749 §5.2",
            "and says so before it looks at the grant",
            post_form(TOKEN, &[], "grant_type=password&client_id=server&client_secret=no"),
            invalid_client,
        ),
        row(
            "6749 §5.2",
            "another grant is unsupported_grant_type",
            post_form(
                TOKEN,
                &[],
                format!("grant_type=urn:ietf:params:oauth:grant-type:jwt-bearer&{}", credentials("server")),
            ),
            Want::Error(400, "unsupported_grant_type"),
        ),
        row("6749 B", "is UTF-8 once decoded", token_request("&scope=%FF"), invalid_request.clone()),
        row("6749 B", "an escape has two digits", token_request("&scope=%4"), invalid_request),
    ];
    check(fixture(), rows);
}

#[test]
fn rfc_8707() {
    let token_request =
        |rest: &str| post_form(TOKEN, &[], format!("{GRANT}&{}{rest}", credentials("reseller")));
    let target = |uri: &str| token_request(&format!("&resource={}", form(uri)));
    let refused = Want::Error(400, "invalid_target");
    check(
        fixture(),
        [
            row(
                "8707 §2",
                "a resource the client may ask for",
                target("https://a.example"),
                granted(Value::Null),
            ),
            row("8707 §2", "is optional", token_request(""), granted(Value::Null)),
            row("8707 §2", "MUST be an absolute URI", target("a.example"), refused.clone()),
            row("8707 §2", "MUST NOT include a fragment", target("https://a.example#x"), refused.clone()),
            row("8707 §2", "unknown: invalid_target", target("https://c.example"), refused.clone()),
            row("8707 §2", "compared as it is, no prefix of it", target("https://a.example/x"), refused),
            // One token is for one resource; RFC 6749 §3.2 allows no parameter twice.
            row(
                "8707 §2",
                "several are more than a token is for here",
                token_request("&resource=https%3A%2F%2Fa.example&resource=https%3A%2F%2Fb.example"),
                Want::Error(400, "invalid_request"),
            ),
        ],
    );
}

/// RFC 6749 §2.3.1: "the authorization server MUST protect any endpoint utilizing it against brute force
/// attacks".
#[test]
fn the_throttle_covers_all_endpoints_together() {
    let gateway =
        Gateway::start(&Config::bare().throttle("throttle = { failures = 3, per = \"10m\" }").client(
            "server",
            SECRET,
            "scopes = []",
        ));
    let wrong = format!("{GRANT}&client_id=server&client_secret=wrong&token=x");
    for path in [REVOKE, INTROSPECT, TOKEN] {
        raw(gateway.plain(), post_form(path, &[], &wrong)).oauth_error(401, "invalid_client");
    }
    for path in [REVOKE, INTROSPECT, TOKEN] {
        let answer = raw(gateway.plain(), post_form(path, &[], &wrong));
        assert!(answer.status(429).own().one("retry-after").parse::<u64>().is_ok(), "{answer}");
    }
}
