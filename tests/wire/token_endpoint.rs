//! The token endpoint: RFC 6749 §2.3.1, §4.4 and §5, every row of the contract's table.

use crate::support::config::{SECRET, SERVER_SECRET, SPECIAL_ID, SPECIAL_SECRET};
use crate::support::{
    Config, Fixture, Gateway, TOKEN, TestResponse, basic, credentials, form, post_form, raw, shared,
};
use crate::support::{Conn, token_of};

pub(super) const GRANT: &str = "grant_type=client_credentials";

pub(super) fn body(rest: &str) -> String {
    format!("{GRANT}&{}{rest}", credentials("server"))
}

/// Asserts a 200 response with exactly the allowed members.
#[track_caller]
pub(super) fn granted(answer: &TestResponse, scope: Option<&str>, lifetime: u64) -> String {
    answer.status(200).own().has("pragma", "no-cache").lacks("www-authenticate");
    let json = answer.json();
    let mut names = vec!["access_token", "expires_in", "token_type"];
    if let Some(scope) = scope {
        names.insert(2, "scope");
        assert_eq!(json["scope"], scope, "{answer}");
    }
    assert_eq!(answer.names(), names, "{answer}");
    assert_eq!(json["token_type"], "bearer", "{answer}");
    assert!(json["expires_in"].is_u64(), "expires_in is a number without fraction\n{answer}");
    assert_eq!(json["expires_in"], lifetime, "{answer}");
    let token = token_of(answer);
    let rest = token.strip_prefix("tg_").unwrap_or_else(|| panic!("no tg_ prefix\n{answer}"));
    assert_eq!(rest.len(), 43 + 6, "{answer}");
    assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{answer}");
    token
}

#[test]
fn the_response_matches_the_profile_with_and_without_scope() {
    let gateway = shared();
    let one = granted(&gateway.raw(post_form(TOKEN, &[], body(""))), None, 299);
    let two = granted(&gateway.raw(post_form(TOKEN, &[], body("&scope=read"))), Some("read"), 299);
    assert_ne!(one, two, "every token is new");
}

#[test]
fn scopes_keep_their_order_and_collapse() {
    let gateway = shared();
    for (requested, granted_scope) in
        [("write+read", "write read"), ("read%20write", "read write"), ("write+read+write", "write read")]
    {
        granted(
            &gateway.raw(post_form(TOKEN, &[], body(&format!("&scope={requested}")))),
            Some(granted_scope),
            299,
        );
    }
}

#[test]
fn default_scopes_are_granted_and_reported_if_none_is_requested() {
    let gateway = shared();
    granted(&gateway.ask_token("defaulted", ""), Some("write read"), 299);
    granted(&gateway.ask_token("defaulted", "&scope=admin"), Some("admin"), 299);
}

#[test]
fn a_client_may_have_its_own_lifetime() {
    granted(&shared().ask_token("minute", ""), None, 60);
}

#[test]
fn basic_credentials_are_form_decoded() {
    let gateway = shared();
    granted(&gateway.raw(post_form(TOKEN, &[&basic("server", SERVER_SECRET)], GRANT)), None, 299);
    granted(&gateway.raw(post_form(TOKEN, &[&basic(SPECIAL_ID, SPECIAL_SECRET)], GRANT)), None, 299);
    let lower = basic("server", SERVER_SECRET).replace("Basic", "bAsIc");
    granted(&gateway.raw(post_form(TOKEN, &[&lower], GRANT)), None, 299);
    let in_body = format!("{GRANT}&client_id={}&client_secret={}", form(SPECIAL_ID), form(SPECIAL_SECRET));
    granted(&gateway.raw(post_form(TOKEN, &[], in_body)), None, 299);
}

#[test]
fn two_authentication_methods_are_refused() {
    let gateway = shared();
    let header = basic("server", SERVER_SECRET);
    // Many libraries send the same id in the body in addition to Basic.
    granted(&gateway.raw(post_form(TOKEN, &[&header], format!("{GRANT}&client_id=server"))), None, 299);
    for rest in ["client_id=other", "client_id=server&client_secret=Password1", "client_secret=Password1"] {
        let answer = gateway.raw(post_form(TOKEN, &[&header], format!("{GRANT}&{rest}")));
        answer.oauth_error(400, "invalid_request");
    }
    let twice = gateway.raw(post_form(TOKEN, &[&header, &header], GRANT));
    twice.oauth_error(400, "invalid_request");
}

#[test]
fn no_client_authentication_is_invalid_client() {
    let gateway = shared();
    let rows: &[(&[&str], &str)] = &[
        (&[], ""),
        (&[], "&client_id=server"),
        (&["Authorization: Bearer abc"], ""),
        (&["Authorization: Basic"], ""),
        (&["Authorization: Basic !!!"], ""),
        // No colon after decoding.
        (&["Authorization: Basic c2VydmVy"], ""),
        // A percent sign without two hex digits, which §2.3.1 does not produce.
        (&["Authorization: Basic c2VydmVyOiV6eg=="], ""),
        (&["Authorization: Digest username=\"server\""], ""),
    ];
    for (fields, rest) in rows {
        let answer = gateway.raw(post_form(TOKEN, fields, format!("{GRANT}{rest}")));
        answer.oauth_error(401, "invalid_client");
    }
}

#[test]
fn unknown_and_disabled_clients_and_wrong_secrets_get_the_same_bytes() {
    let gateway = shared();
    let expected =
        gateway.raw(post_form(TOKEN, &[], format!("{GRANT}&client_id=server&client_secret=wrong")));
    expected.oauth_error(401, "invalid_client");
    let rows = [
        ("an unknown client", "nobody", "wrong"),
        ("a wrong secret", "other", "wrong"),
        ("a disabled client with its secret", "disabled", SECRET),
        ("a disabled client without", "disabled", "wrong"),
        ("an expired secret", "rotating", "expired-secret"),
        ("an id that differs in case", "Server", SERVER_SECRET),
        ("a secret that differs in case", "server", "password1"),
        ("a secret with a space behind", "server", "Password1 "),
        ("a client that could do nothing anyway", "nocap", "wrong"),
    ];
    for (what, id, secret) in rows {
        let in_body = format!("{GRANT}&client_id={}&client_secret={}", form(id), form(secret));
        let in_body = gateway.raw(post_form(TOKEN, &[], in_body));
        assert_eq!(in_body.essence(), expected.essence(), "{what} in the body\n{in_body}\n{expected}");
        let in_header = gateway.raw(post_form(TOKEN, &[&basic(id, secret)], GRANT));
        assert_eq!(in_header.essence(), expected.essence(), "{what} by Basic\n{in_header}\n{expected}");
    }
    let current = format!("{GRANT}&client_id=rotating&client_secret=current-secret");
    granted(&gateway.raw(post_form(TOKEN, &[], current)), None, 299);
}

#[test]
fn grants_and_capabilities() {
    let gateway = shared();
    for grant in
        ["password", "authorization_code", "Client_Credentials", "client_credentials+", "refresh_token"]
    {
        let answer =
            gateway.raw(post_form(TOKEN, &[], format!("grant_type={grant}&{}", credentials("server"))));
        answer.oauth_error(400, "unsupported_grant_type");
    }
    gateway.ask_token("nocap", "").oauth_error(400, "unauthorized_client");
}

#[test]
fn scopes_outside_the_grammar_or_the_client_are_invalid_scope() {
    let gateway = shared();
    for scope in [
        "nosuch",
        "admin",
        "read+admin",
        "Read",
        "read++write",
        "+read",
        "read+",
        "read%09write",
        "read%22",
        "read%5C",
        "re%C3%A9d",
        "read%00",
        "read%2Cwrite",
        "read%0D%0Aa",
    ] {
        let answer = gateway.raw(post_form(TOKEN, &[], body(&format!("&scope={scope}"))));
        answer.oauth_error(400, "invalid_scope");
    }
    gateway.ask_token("unscoped", "&scope=read").oauth_error(400, "invalid_scope");
    granted(&gateway.ask_token("unscoped", ""), None, 299);
}

#[test]
fn the_response_contains_nothing_of_the_input() {
    let gateway = shared();
    let evil = "%3Cscript%3Ealert(7331)%3C%2Fscript%3E%22%0D%0AX-Evil:%201";
    for form in [
        body(&format!("&scope={evil}")),
        format!("grant_type={evil}&{}", credentials("server")),
        format!("{GRANT}&client_id={evil}&client_secret={evil}"),
    ] {
        let answer = gateway.raw(post_form(TOKEN, &[], form));
        let text = answer.to_string();
        let answered = text.split("--- response").nth(1).expect("an answer");
        assert!(!answered.contains("<script") && !answered.contains("X-Evil"), "{answer}");
    }
}

#[test]
fn one_connection_serves_refusals_and_grants() {
    let mut conn: Conn = shared().connect();
    for round in 0..3 {
        conn.request(post_form(TOKEN, &[], format!("{GRANT}&client_id=server&client_secret=no{round}")))
            .oauth_error(401, "invalid_client");
        granted(&conn.request(post_form(TOKEN, &[], body(""))), None, 299);
        conn.request(post_form(TOKEN, &[], body("&scope=nosuch"))).oauth_error(400, "invalid_scope");
    }
}

#[test]
fn the_throttle_is_per_client_and_address_and_spares_the_known_secret() {
    let gateway = Gateway::start(
        &Config::bare()
            .throttle("throttle = { failures = 3, per = \"10m\" }")
            .client("server", SERVER_SECRET, "scopes = []")
            .client("fresh", SECRET, "scopes = []")
            .client("other", SECRET, "scopes = []"),
    );
    let request_token = |id: &str, secret: &str| {
        raw(gateway.plain(), post_form(TOKEN, &[], format!("{GRANT}&client_id={id}&client_secret={secret}")))
    };
    granted(&request_token("server", SERVER_SECRET), None, 299);
    for (id, known) in [("server", true), ("fresh", false)] {
        for _ in 0..3 {
            request_token(id, "wrong").oauth_error(401, "invalid_client");
        }
        let refused = request_token(id, "wrong");
        refused.status(429).own().has("pragma", "no-cache");
        let wait: u64 =
            refused.one("retry-after").parse().unwrap_or_else(|e| panic!("Retry-After: {e}\n{refused}"));
        assert!((1..=600).contains(&wait), "{refused}");
        assert!(refused.json()["error"].is_string(), "{refused}");
        if known {
            granted(&request_token(id, SERVER_SECRET), None, 299);
        } else {
            request_token(id, SECRET).status(429);
        }
    }
    granted(&request_token("other", SECRET), None, 299);
}

#[test]
fn token_limits_refuse_new_tokens_and_evict_none() {
    let fixture = Fixture::start(|config| config.token_service("max_tokens_per_client = 2\nmax_tokens = 3"));
    let first = fixture.bearer("server", "read");
    fixture.token("server", "");
    let refused = fixture.ask_token("server", "");
    refused.oauth_error(503, "temporarily_unavailable");
    let wait = refused.one("retry-after");
    assert!(wait.parse::<u64>().is_ok_and(|seconds| seconds >= 1), "{refused}");
    fixture.token("other", "");
    fixture.ask_token("administrator", "").oauth_error(503, "temporarily_unavailable");
    fixture.raw(crate::support::get("/hello", &[&first])).status(200);
}
