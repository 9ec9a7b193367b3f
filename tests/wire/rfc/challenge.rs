//! Protected routes: RFC 6750, and what RFC 9728 adds to challenges.

use super::{Want, check, row};
use crate::support::{REVOKE, TOKEN, credentials, get, post_form, shared};

#[test]
fn rfc_6750() {
    let fixture = shared();
    let token = fixture.token("server", "read");
    let bearer = format!("Authorization: Bearer {token}");
    let lower = bearer.replace("Bearer", "bearer");
    let unscoped = fixture.bearer("server", "");
    let revoked = fixture.token("server", "read");
    let revoke = format!("{}&token={revoked}", credentials("server"));
    fixture.raw(post_form(REVOKE, &[], revoke)).status(200);
    let revoked = format!("Authorization: Bearer {revoked}");
    let route = |fields: &[&str]| get("/hello?m=rfc-6750", fields);
    let (missing, malformed) = (Want::Bearer(401, None), Want::Bearer(400, Some("invalid_request")));
    let invalid = Want::Bearer(401, Some("invalid_token"));
    check(
        fixture,
        [
            row("6750 §2.1", "MUST support the Authorization header", route(&[&bearer]), Want::Passed),
            row("9110 §11.1", "the scheme has no case", route(&[&lower]), Want::Passed),
            row(
                "9110 §11.4",
                "one or more spaces",
                route(&[&bearer.replace("Bearer ", "Bearer   ")]),
                Want::Passed,
            ),
            row("6750 §2.1", "a b64token", route(&["Authorization: Bearer a\"b"]), malformed.clone()),
            row(
                "6750 §2.1",
                "padding stands at its end only",
                route(&["Authorization: Bearer a=b"]),
                malformed.clone(),
            ),
            row(
                "6750 §2.2",
                "MAY support the body: it does not",
                post_form("/hello?m=rfc-6750", &[], format!("access_token={token}")),
                missing.clone(),
            ),
            row(
                "6750 §2.3",
                "MAY support the query: it does not",
                get(&format!("/hello?m=rfc-6750&access_token={token}"), &[]),
                missing.clone(),
            ),
            row("6750 §3", "no credentials: a challenge", route(&[]), missing.clone()),
            row(
                "6750 §3.1",
                "another method of authentication: no error code",
                route(&["Authorization: Basic YTpi"]),
                missing,
            ),
            row(
                "6750 §3.1",
                "malformed: invalid_request",
                route(&["Authorization: Bearer"]),
                malformed.clone(),
            ),
            row(
                "6750 §3.1",
                "more than one method: invalid_request",
                route(&[&bearer, "Authorization: Basic YTpi"]),
                malformed,
            ),
            row("6750 §3.1", "revoked: invalid_token", route(&[&revoked]), invalid.clone()),
            row(
                "6750 §3.1",
                "unknown: invalid_token",
                route(&["Authorization: Bearer mF_9.B5f-4.1JqM"]),
                invalid,
            ),
            row(
                "6750 §3.1",
                "too little: insufficient_scope",
                route(&[&unscoped]),
                Want::Bearer(403, Some("insufficient_scope")),
            ),
        ],
    );
    // Only the accepted requests reached the upstream.
    assert_eq!(fixture.upstream.requests("m=rfc-6750").len(), 3);
}

/// RFC 6750 §3: attributes that MUST NOT appear more than once appear once, and `scope` is the required
/// scope. RFC 9728 §5.1: `resource_metadata`. RFC 9728 §5.3: other challenges are unchanged.
#[test]
fn a_challenge_names_the_scope_and_the_metadata() {
    let fixture = shared();
    let find = |parameters: &[(String, String)], name: &str| {
        parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    };
    let url = "https://issuer.example.test/.well-known/oauth-protected-resource";
    for (fields, status, code, scope) in [
        (vec![], 401, None, None),
        (vec!["Authorization: Bearer x".to_owned()], 401, Some("invalid_token"), None),
        (vec![fixture.bearer("server", "write")], 403, Some("insufficient_scope"), Some("read")),
    ] {
        let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
        let answer = fixture.raw(get("/hello", &fields));
        let parameters = answer.bearer_error(status, code);
        assert_eq!(find(&parameters, "resource_metadata").as_deref(), Some(url), "{answer}");
        assert_eq!(find(&parameters, "scope").as_deref(), scope, "{answer}");
    }
    let answer = fixture.raw(post_form(TOKEN, &[], "grant_type=client_credentials"));
    assert!(!answer.one("www-authenticate").contains("resource_metadata"), "no resource\n{answer}");
}
