//! Cross-origin requests from browsers: preflights without a token, and responses that pages may read.

use crate::support::{Fixture, INTROSPECT, Next, TOKEN, TestResponse, get, post_form, token_of};
use std::sync::OnceLock;

const PAGE: &str = "Origin: https://app.example.com";
const STRANGER: &str = "Origin: https://app.example.com.evil.example";

fn gateway() -> &'static Fixture {
    static GATEWAY: OnceLock<Fixture> = OnceLock::new();
    GATEWAY.get_or_init(|| {
        let gateway = Fixture::start(|config| {
            config
                .route(
                    "prefix = \"/c/app\"\nmethods = [\"GET\", \"PUT\"]\nscopes = [\"read\"]\nupstream = \"api\"\n\
                     cors = { origins = [\"https://app.example.com\", \"http://localhost:3000\"], headers = [\"X-Request\"], max_age = \"10m\", credentials = true }",
                )
                .route("path = \"/c/any\"\naccess = \"public\"\nupstream = \"api\"\ncors = { origins = [\"*\"] }")
                .route(
                    "path = \"/c/away\"\nupstream = \"api\"\ndeny = [\"127.0.0.0/8\"]\ncors = { origins = [\"*\"] }",
                )
        });
        gateway.upstream.on_bytes(
            "/c/app/own",
            Next::KeepAlive,
            "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: true\r\n\
             Vary: accept\r\nContent-Length: 2\r\n\r\nhi",
        );
        gateway
    })
}

fn options(path: &str, fields: &[&str]) -> String {
    String::from_utf8(get(path, fields)).expect("text").replacen("GET", "OPTIONS", 1)
}

fn preflight(path: &str, fields: &[&str]) -> TestResponse {
    gateway().raw(options(path, fields))
}

#[test]
fn preflights_are_answered_without_a_token() {
    let wants_put = "Access-Control-Request-Method: PUT";
    for fields in [&[PAGE, wants_put][..], &[PAGE, wants_put, "Authorization: Bearer bad"]] {
        let answer = preflight("/c/app/x?m=preflight", fields);
        answer.status(204).has("cache-control", "no-store");
        answer.has("access-control-allow-origin", "https://app.example.com");
        answer.has("access-control-allow-methods", "GET, PUT").has("access-control-max-age", "600");
        // Authorization is not safelisted, and the route needs it.
        answer.has("access-control-allow-headers", "x-request, authorization");
        answer.has("access-control-allow-credentials", "true").has("vary", "origin");
        assert!(answer.body().is_empty(), "{answer}");
    }
    let any = preflight("/c/any?m=preflight", &[STRANGER, "Access-Control-Request-Method: DELETE"]);
    any.status(204).has("access-control-allow-origin", "*").lacks("access-control-allow-credentials");
    any.has("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS").lacks("vary");
    assert!(!gateway().upstream.saw("m=preflight"));
}

#[test]
fn unknown_origins_get_no_cors_fields() {
    for origin in
        [STRANGER, "Origin: null", "Origin: http://app.example.com", "Origin: https://app.example.com:444"]
    {
        let answer = preflight("/c/app/x", &[origin, "Access-Control-Request-Method: PUT"]);
        answer.status(204).lacks("access-control-allow-origin").lacks("access-control-allow-methods");
        answer.lacks("access-control-allow-credentials").has("vary", "origin");
    }
    let two = preflight("/c/app/x", &[PAGE, STRANGER, "Access-Control-Request-Method: PUT"]);
    two.lacks("access-control-allow-origin");
}

#[test]
fn other_options_requests_are_handled_as_usual() {
    preflight("/c/app/x", &[PAGE]).problem(405).has("allow", "GET, PUT");
    preflight("/c/app/x", &["Access-Control-Request-Method: PUT"]).problem(405);
    // A method that no CORS route accepts, a route without CORS, a refused address.
    preflight("/c/app/x", &[PAGE, "Access-Control-Request-Method: POST"]).problem(405);
    preflight("/c/app/x", &[PAGE, "Access-Control-Request-Method: ()"]).problem(405);
    preflight("/hello", &[PAGE, "Access-Control-Request-Method: GET"]).bearer_error(401, None);
    preflight("/c/away", &[PAGE, "Access-Control-Request-Method: GET"]).problem(403);
}

#[test]
fn allowed_origins_may_read_responses_and_refusals() {
    let gateway = gateway();
    let (good, weak) = (gateway.bearer("server", "read"), gateway.bearer("server", "write"));
    let mut conn = gateway.connect();
    for (fields, status) in [(&[PAGE, &good][..], 200), (&[PAGE], 401), (&[PAGE, &weak], 403)] {
        let answer = conn.request(get("/c/app/read", fields));
        answer.status(status).has("access-control-allow-origin", "https://app.example.com");
        answer.has("access-control-allow-credentials", "true").has("vary", "origin");
        if status != 200 {
            assert!(answer.one("access-control-expose-headers").contains("www-authenticate"), "{answer}");
        }
    }
    for fields in [&[STRANGER, &good][..], &[&good]] {
        let answer = conn.request(get("/c/app/read", fields));
        answer.status(200).lacks("access-control-allow-origin").has("vary", "origin");
    }
    // The route decides, not the upstream.
    let own = conn.request(get("/c/app/own", &[PAGE, &good]));
    own.status(200).has("access-control-allow-origin", "https://app.example.com");
    assert_eq!(own.all("vary"), ["accept", "origin"], "{own}");
    let own = conn.request(get("/c/app/own", &[STRANGER, &good]));
    own.status(200).lacks("access-control-allow-origin").lacks("access-control-allow-credentials");
    conn.request(get("/hello", &[PAGE, &good]))
        .status(200)
        .lacks("access-control-allow-origin")
        .lacks("vary");
}

/// A Swagger UI on another origin gets a token, and uses it.
#[test]
fn pages_of_a_listed_origin_get_tokens() {
    let gateway = Fixture::start(|config| {
        config.token_service("cors = { origins = [\"https://app.example.com\"], max_age = \"10m\" }")
    });
    let asks = |method: &str| format!("Access-Control-Request-Method: {method}");
    for (path, method, allowed) in [
        (TOKEN, "POST", "POST"),
        (INTROSPECT, "POST", "POST"),
        ("/.well-known/oauth-authorization-server", "GET", "GET, HEAD"),
    ] {
        let headers = "Access-Control-Request-Headers: authorization,x-requested-with";
        let answer = gateway.raw(options(path, &[PAGE, &asks(method), headers]));
        answer.status(204).has("access-control-allow-origin", "https://app.example.com");
        answer.has("access-control-allow-methods", allowed).has("access-control-max-age", "600");
        answer.has("access-control-allow-headers", "dpop, x-requested-with, authorization");
        answer.has("vary", "origin").lacks("access-control-allow-credentials");
        for origin in [STRANGER, "Origin: null"] {
            let answer = gateway.raw(options(path, &[origin, &asks(method)]));
            answer.status(204).lacks("access-control-allow-origin").lacks("access-control-allow-methods");
        }
    }

    let form = "grant_type=client_credentials&client_id=server&client_secret=Password1&scope=read";
    let answer = gateway.raw(post_form(TOKEN, &[PAGE], form));
    answer.has("access-control-allow-origin", "https://app.example.com").has("vary", "origin");
    answer.lacks("access-control-allow-credentials");
    token_of(&answer);
    // The page can read why it got no token.
    let refused = gateway.raw(post_form(TOKEN, &[PAGE], form.replace("Password1", "wrong")));
    refused.oauth_error(401, "invalid_client");
    refused.has("access-control-allow-origin", "https://app.example.com");
    assert!(refused.one("access-control-expose-headers").contains("www-authenticate"), "{refused}");
    gateway
        .raw(get(TOKEN, &[PAGE]))
        .status(405)
        .has("access-control-allow-origin", "https://app.example.com");
    let metadata = gateway.raw(get("/.well-known/oauth-authorization-server", &[PAGE]));
    metadata.status(200).has("access-control-allow-origin", "https://app.example.com");
    // Others get the same answer, which their browser does not let them read.
    for headers in [&[STRANGER][..], &[]] {
        let answer = gateway.raw(post_form(TOKEN, headers, form));
        answer.lacks("access-control-allow-origin").has("vary", "origin");
        token_of(&answer);
    }
}

#[test]
fn without_the_setting_the_endpoints_know_no_origin() {
    let asks = "Access-Control-Request-Method: POST";
    preflight(TOKEN, &[PAGE, asks]).status(405).lacks("access-control-allow-origin");
    let form = "grant_type=client_credentials&client_id=server&client_secret=Password1&scope=read";
    gateway().raw(post_form(TOKEN, &[PAGE], form)).status(200).lacks("access-control-allow-origin");
}
