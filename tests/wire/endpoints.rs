//! Introspection (RFC 7662), revocation (RFC 7009) and metadata (RFC 8414, RFC 9728).

use crate::support::config::SECRET;
use crate::support::{
    Gateway, INTROSPECT, REVOKE, TOKEN, TestResponse, basic, credentials, form, get, post_form, raw, shared,
};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn post(path: &str, client: &str, rest: &str) -> TestResponse {
    shared().raw(post_form(path, &[], format!("{}&{rest}", credentials(client))))
}

fn introspect(token: &str) -> TestResponse {
    post(INTROSPECT, "introspector", &format!("token={}", form(token)))
}

#[track_caller]
fn inactive(answer: &TestResponse) {
    answer.status(200).own();
    assert_eq!(answer.json(), serde_json::json!({ "active": false }), "{answer}");
}

#[test]
fn an_active_token_is_described() {
    let gateway = shared();
    let token = gateway.token("server", "write read");
    let answer = introspect(&token);
    answer.status(200).own();
    let json = answer.json();
    let expected = [
        ("active", serde_json::json!(true)),
        ("client_id", "server".into()),
        ("sub", "server".into()),
        ("scope", "write read".into()),
        ("iss", "https://issuer.example.test".into()),
    ];
    for (name, value) in expected {
        assert_eq!(json[name], value, "{name}\n{answer}");
    }
    let token_type = json["token_type"].as_str().unwrap_or("");
    assert!(token_type.eq_ignore_ascii_case("bearer"), "{answer}");
    let (iat, exp) = (json["iat"].as_u64(), json["exp"].as_u64());
    let (Some(iat), Some(exp)) = (iat, exp) else { panic!("iat and exp are numbers\n{answer}") };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs();
    assert!(iat.abs_diff(now) <= 5, "iat {iat}, now {now}\n{answer}");
    assert!((exp - iat).abs_diff(299) <= 1, "{answer}");
    assert!(
        !answer.to_string().split("--- response").nth(1).expect("an answer").contains(&token),
        "{answer}"
    );
}

#[test]
fn other_tokens_are_inactive_without_details() {
    let gateway = shared();
    let revoked = gateway.token("server", "");
    post(REVOKE, "server", &format!("token={revoked}")).status(200);
    let brief = gateway.token("brief", "");
    let token = gateway.token("server", "");
    for other in
        [revoked.as_str(), "", "garbage", "tg_", &token[..40], &format!("{token}x"), &"x".repeat(9000)]
    {
        if !other.is_empty() {
            inactive(&introspect(other));
        }
    }
    std::thread::sleep(Duration::from_millis(1150));
    inactive(&introspect(&brief));
    assert_eq!(introspect(&token).json()["active"], true);
}

#[test]
fn introspection_needs_the_capability_and_a_token() {
    let gateway = shared();
    let token = gateway.token("server", "");
    post(INTROSPECT, "server", &format!("token={token}")).oauth_error(400, "unauthorized_client");
    post(INTROSPECT, "nocap", &format!("token={token}")).oauth_error(400, "unauthorized_client");
    post(INTROSPECT, "introspector", "").oauth_error(400, "invalid_request");
    post(INTROSPECT, "introspector", &format!("token={token}&token={token}"))
        .oauth_error(400, "invalid_request");
    post(INTROSPECT, "introspector", &format!("token={token}&token_type_hint=anything")).status(200);
    let header = basic("introspector", SECRET);
    let by_basic = gateway.raw(post_form(INTROSPECT, &[&header], format!("token={token}")));
    assert_eq!(by_basic.json()["active"], true, "{by_basic}");
}

#[test]
fn introspection_and_revocation_refuse_like_the_token_endpoint() {
    let gateway = shared();
    for path in [INTROSPECT, REVOKE] {
        let wrong = gateway.raw(post_form(path, &[], "client_id=server&client_secret=wrong&token=x"));
        wrong.oauth_error(401, "invalid_client");
        let unknown = gateway.raw(post_form(path, &[], "client_id=nobody&client_secret=wrong&token=x"));
        assert_eq!(wrong.essence(), unknown.essence(), "{wrong}\n{unknown}");
        gateway.raw(post_form(path, &[], "token=x")).oauth_error(401, "invalid_client");
        let in_query = post_form(&format!("{path}?token=x"), &[], credentials("introspector"));
        gateway.raw(in_query).oauth_error(400, "invalid_request");
        let answer = gateway.raw(get(path, &[]));
        answer.status(405).own().has("allow", "POST");
        assert!(answer.json()["error"].is_string(), "{answer}");
        let big = format!("{}&token={}", credentials("introspector"), "x".repeat(17 * 1024));
        gateway.raw(post_form(path, &[], big)).oauth_error(413, "invalid_request");
    }
}

#[test]
fn a_revocation_takes_effect_on_the_next_request() {
    let gateway = shared();
    let (token, kept) = (gateway.token("server", "read"), gateway.bearer("server", "read"));
    let bearer = format!("Authorization: Bearer {token}");
    let mut conn = gateway.connect();
    conn.request(get("/hello", &[&bearer])).status(200);
    for hint in ["", "&token_type_hint=access_token", "&token_type_hint=refresh_token"] {
        let answer = post(REVOKE, "server", &format!("token={token}{hint}"));
        answer.status(200).own();
        assert_eq!(answer.json(), serde_json::json!({}), "{answer}");
        conn.request(get("/hello?m=revoked", &[&bearer])).bearer_error(401, Some("invalid_token"));
    }
    assert!(!gateway.upstream.saw("m=revoked"));
    conn.request(get("/hello", &[&kept])).status(200);
}

#[test]
fn revoking_another_client_s_token_has_no_effect_and_the_same_response() {
    let gateway = shared();
    let token = gateway.token("server", "read");
    let foreign = post(REVOKE, "other", &format!("token={token}"));
    let unknown = post(REVOKE, "other", "token=nonsense");
    foreign.status(200).own();
    assert_eq!(foreign.essence(), unknown.essence(), "{foreign}\n{unknown}");
    assert_eq!(unknown.json(), serde_json::json!({}), "{unknown}");
    gateway.raw(get("/hello", &[&format!("Authorization: Bearer {token}")])).status(200);
    post(REVOKE, "other", "").oauth_error(400, "invalid_request");
}

#[test]
fn metadata_lists_the_endpoints() {
    let gateway = shared();
    let answer = gateway.raw(get("/.well-known/oauth-authorization-server", &[]));
    answer.status(200);
    let json = answer.json();
    let issuer = "https://issuer.example.test";
    assert_eq!(json["issuer"], issuer, "{answer}");
    for (name, path) in
        [("token_endpoint", TOKEN), ("introspection_endpoint", INTROSPECT), ("revocation_endpoint", REVOKE)]
    {
        assert_eq!(json[name], format!("{issuer}{path}"), "{answer}");
    }
    assert_eq!(
        json["response_types_supported"],
        serde_json::json!(["none"]),
        "required: RFC 8414 §2\n{answer}"
    );
    let holds =
        |name: &str, value: &str| json[name].as_array().is_some_and(|all| all.iter().any(|v| v == value));
    assert!(holds("grant_types_supported", "client_credentials"), "{answer}");
    for method in ["client_secret_basic", "client_secret_post"] {
        assert!(holds("token_endpoint_auth_methods_supported", method), "{answer}");
    }

    let resource = gateway.raw(get("/.well-known/oauth-protected-resource", &[]));
    resource.status(200);
    let json = resource.json();
    assert!(json["resource"].as_str().is_some_and(|url| url.starts_with("https://")), "{resource}");
    assert_eq!(json["authorization_servers"], serde_json::json!([issuer]), "{resource}");
}

#[test]
fn metadata_has_no_empty_arrays() {
    // RFC 8414 §3.2 and RFC 9728 §3.2: "zero elements MUST be omitted"; clients treat an empty array as a
    // missing value.
    let bare = Gateway::start_text("[server]\nlisten = [\"http://127.0.0.1:0\"]\n", &[]);
    for gateway in [bare.plain(), shared().address()] {
        for name in ["oauth-authorization-server", "oauth-protected-resource"] {
            let answer = raw(gateway, get(&format!("/.well-known/{name}"), &[]));
            let json = answer.status(200).json();
            let empty = |value: &serde_json::Value| value.as_array().is_some_and(Vec::is_empty);
            assert!(!json.as_object().expect("an object").values().any(empty), "{answer}");
        }
    }
}
