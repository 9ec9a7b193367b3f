//! Tokens bound to a key (RFC 9449), over plain HTTP/1.1 and over HTTP/2, and tokens for one resource (RFC
//! 8707).

use crate::support::jose::SigningKey;
use crate::support::tls::H2;
use crate::support::{Conn, Fixture, TOKEN, TestResponse, credentials, get, post_form, token_of};
use bytes::Bytes;
use http::Request;
use http_body_util::Full;

const TOKEN_URL: &str = "http://localhost/oauth/v2/oauth-token";

fn fixture() -> Fixture {
    Fixture::start(|config| {
        config
            .listen("https://127.0.0.1:0")
            .client("bound", "0ther-S3cret-x7", "scopes = [\"read\"]\ndpop_bound_tokens = true")
            .client(
                "reseller",
                "0ther-S3cret-x7",
                "scopes = [\"read\"]\naudiences = [\"https://a.example\", \"https://b.example\"]",
            )
            .route("path = \"/for-a\"\naudience = \"https://a.example\"\nupstream = \"api\"")
    })
}

fn request_token(fixture: &Fixture, client: &str, fields: &[&str]) -> TestResponse {
    let body = format!("grant_type=client_credentials&scope=read&{}", credentials(client));
    fixture.raw(post_form(TOKEN, fields, body))
}

/// Asserts a refusal under the DPoP scheme.
#[track_caller]
fn refused(answer: &TestResponse, code: &str) {
    let challenge = answer.status(401).own().one("www-authenticate");
    assert!(challenge.starts_with("DPoP realm=\"tollgate\", error=\""), "{answer}");
    assert!(challenge.contains(&format!("error=\"{code}\"")), "{answer}");
    assert!(challenge.contains(", algs=\"ES256 EdDSA Ed25519 RS256 PS256\""), "{answer}");
}

#[test]
fn a_bound_token_is_accepted_only_with_a_fresh_proof_of_its_key() {
    let fixture = fixture();
    let (key, thief) = (SigningKey::new(), SigningKey::new());
    let answer = request_token(&fixture, "server", &[&key.dpop("POST", TOKEN_URL, None)]);
    assert_eq!(answer.json()["token_type"], "DPoP", "{answer}");
    let token = token_of(&answer);
    let authorization = format!("Authorization: DPoP {token}");
    let url = "http://localhost/hello";
    let proof = key.dpop("GET", url, Some(&token));
    fixture.raw(get("/hello?m=dpop-good", &[&authorization, &proof])).status(200);
    let reached = fixture.upstream.only("m=dpop-good");
    assert_eq!(reached.all("x-client-id"), ["server"], "{}", reached.text());
    assert!(reached.all("dpop").is_empty() && reached.all("authorization").is_empty(), "{}", reached.text());

    refused(&fixture.raw(get("/hello?m=dpop-bad", &[&authorization, &proof])), "invalid_dpop_proof");
    for (method, uri) in
        [("POST", url), ("GET", "http://localhost/write"), ("GET", "https://localhost/hello")]
    {
        let proof = key.dpop(method, uri, Some(&token));
        refused(&fixture.raw(get("/hello?m=dpop-bad", &[&authorization, &proof])), "invalid_dpop_proof");
    }
    let without_ath = key.dpop("GET", url, None);
    refused(&fixture.raw(get("/hello?m=dpop-bad", &[&authorization, &without_ath])), "invalid_dpop_proof");
    refused(&fixture.raw(get("/hello?m=dpop-bad", &[&authorization])), "invalid_dpop_proof");
    let stolen = thief.dpop("GET", url, Some(&token));
    refused(&fixture.raw(get("/hello?m=dpop-bad", &[&authorization, &stolen])), "invalid_token");
    let fresh = || key.dpop("GET", url, Some(&token));
    let twice = [&*authorization, &*fresh(), &*fresh()];
    refused(&fixture.raw(get("/hello?m=dpop-bad", &twice)), "invalid_dpop_proof");

    // RFC 9449 §7.2: a bound token is not accepted as a bearer token, whatever comes with it.
    let bearer = format!("Authorization: Bearer {token}");
    for fields in [&[&*bearer][..], &[&*bearer, &*fresh()]] {
        let answer = fixture.raw(get("/hello?m=dpop-bad", fields));
        let challenges = answer.status(401).all("www-authenticate");
        assert!(challenges.len() == 2 && challenges[0].contains("error=\"invalid_token\""), "{answer}");
        assert!(challenges[1].starts_with("DPoP ") && !challenges[1].contains("error"), "{answer}");
    }
    // A plain token is not accepted under the DPoP scheme either.
    let plain = fixture.token("server", "read");
    let proof = key.dpop("GET", url, Some(&plain));
    let authorization = format!("Authorization: DPoP {plain}");
    refused(&fixture.raw(get("/hello?m=dpop-bad", &[&authorization, &proof])), "invalid_token");
    assert!(!fixture.upstream.saw("m=dpop-bad"), "a refused request reached the upstream");

    // The path is compared in its canonical form, as it is routed.
    let proof = key.dpop("GET", "http://LOCALHOST:80/users/%7euser", Some(&token));
    let authorization = format!("Authorization: DPoP {token}");
    fixture.raw(get("/users/~us%65r?m=dpop-path", &[&authorization, &proof])).status(200);
    // A route that forwards the token forwards its proof.
    let proof = key.dpop("GET", "http://localhost/keep", Some(&token));
    fixture.raw(get("/keep?m=dpop-keep", &[&authorization, &proof])).status(200);
    let reached = fixture.upstream.only("m=dpop-keep");
    assert!(reached.all("dpop").len() == 1 && reached.all("authorization").len() == 1, "{}", reached.text());

    let body = format!("{}&token={token}", credentials("introspector"));
    let introspected = fixture.raw(post_form(crate::support::INTROSPECT, &[], body));
    assert_eq!(introspected.json()["cnf"]["jkt"], key.thumbprint(), "RFC 9449 §6.2\n{introspected}");
    assert_eq!(introspected.json()["token_type"], "DPoP");
}

#[test]
fn a_client_that_must_use_dpop_gets_only_bound_tokens() {
    let fixture = fixture();
    let key = SigningKey::new();
    request_token(&fixture, "bound", &[]).oauth_error(400, "invalid_dpop_proof");
    request_token(&fixture, "bound", &["DPoP: x"]).oauth_error(400, "invalid_dpop_proof");
    let elsewhere = key.dpop("POST", "http://localhost/hello", None);
    request_token(&fixture, "bound", &[&elsewhere]).oauth_error(400, "invalid_dpop_proof");
    // The endpoint has two URLs: the one requested, and the one in its metadata.
    for url in [TOKEN_URL, "https://issuer.example.test/oauth/v2/oauth-token"] {
        let proof = key.dpop("POST", url, None);
        token_of(&request_token(&fixture, "bound", &[&proof]));
        request_token(&fixture, "bound", &[&proof]).oauth_error(400, "invalid_dpop_proof");
    }
    // With such a client configured, a challenge names both schemes.
    let answer = fixture.raw(get("/hello", &[]));
    let challenges = answer.status(401).all("www-authenticate");
    assert!(challenges.len() == 2 && challenges[0].starts_with("Bearer "), "{answer}");
    let metadata = fixture.raw(get("/.well-known/oauth-authorization-server", &[]));
    assert_eq!(metadata.json()["dpop_signing_alg_values_supported"][0], "ES256", "{metadata}");
}

#[tokio::test]
async fn the_uri_of_a_proof_is_the_one_the_client_used() {
    let fixture = fixture();
    let key = SigningKey::new();
    let mut tls = Conn::tls(fixture.gateway.tls(), &["http/1.1"]);
    let body = format!("grant_type=client_credentials&scope=read&{}", credentials("server"));
    let proof = key.dpop("POST", "https://localhost/oauth/v2/oauth-token", None);
    let token = token_of(&tls.request(post_form(TOKEN, &[&proof], body)));
    let mut h2 = H2::connect(fixture.gateway.tls()).await;
    for (uri, status) in [("https://localhost:8443/hello", 200), ("https://localhost/hello", 401)] {
        let proof = key.dpop("GET", uri, Some(&token));
        let request = Request::get("https://localhost:8443/hello")
            .header("authorization", format!("DPoP {token}"))
            .header("dpop", proof.trim_start_matches("DPoP: "))
            .body(Full::new(Bytes::new()))
            .expect("a request");
        let answer = h2.request(request).await;
        assert_eq!(answer.status(), status, "{uri}\n{answer:?}");
    }
}

#[test]
fn a_proof_for_another_server_is_refused_whatever_host_the_caller_sends() {
    let fixture = fixture();
    let key = SigningKey::new();
    let body = || format!("grant_type=client_credentials&scope=read&{}", credentials("server"));
    // The caller sends the Host that the proof was made for.
    let at = |host: &str, target: &str, fields: &[&str]| {
        let request = get(target, fields);
        String::from_utf8(request).expect("text").replace("Host: localhost", &format!("Host: {host}"))
    };
    let token_request = |host: &str, proof: &str| {
        let request = post_form(TOKEN, &[proof], body());
        let request = String::from_utf8(request).expect("text");
        fixture.raw(request.replace("Host: localhost", &format!("Host: {host}")))
    };
    let elsewhere = key.dpop("POST", "http://elsewhere.example/oauth/v2/oauth-token", None);
    token_request("elsewhere.example", &elsewhere).oauth_error(400, "invalid_dpop_proof");
    // A host that a route names is one of the gateway's own.
    let own = key.dpop("POST", "https://api.example.test/oauth/v2/oauth-token", None);
    let token = token_of(&token_request("localhost:1", &own));
    let authorization = format!("Authorization: DPoP {token}");
    let rows = [
        ("elsewhere.example", "http://elsewhere.example/authenticated", 401),
        ("localhost", "http://elsewhere.example/authenticated", 401),
        ("elsewhere.example", "http://localhost/authenticated", 200),
        ("api.example.test", "http://localhost/authenticated", 401),
        ("api.example.test", "http://api.example.test/authenticated", 200),
    ];
    for (host, htu, status) in rows {
        let proof = key.dpop("GET", htu, Some(&token));
        fixture.raw(at(host, "/authenticated?m=htu", &[&authorization, &proof])).status(status);
    }
}

#[test]
fn a_route_may_require_an_audience() {
    let fixture = fixture();
    let token =
        |rest: &str| format!("Authorization: Bearer {}", token_of(&fixture.ask_token("reseller", rest)));
    let for_a = token("&resource=https%3A%2F%2Fa.example");
    fixture.raw(get("/for-a", &[&for_a])).status(200);
    // A route without an audience is not the resource that the token is for (RFC 8707).
    fixture.raw(get("/authenticated?m=other", &[&for_a])).bearer_error(401, Some("invalid_token"));
    fixture.raw(get("/authenticated", &[&token("")])).status(200);
    for rest in ["&resource=https%3A%2F%2Fb.example", ""] {
        fixture.raw(get("/for-a?m=other", &[&token(rest)])).bearer_error(401, Some("invalid_token"));
    }
    assert!(!fixture.upstream.saw("m=other"));
    fixture.ask_token("reseller", "&resource=https%3A%2F%2Fc.example").oauth_error(400, "invalid_target");
}

#[test]
fn a_bound_token_that_lacks_a_scope_names_its_client_on_enforced_routes_and_in_shadow_mode() {
    let fixture = Fixture::start(|config| {
        config
            .server("access_log = true\nrequest_id = false")
            .route("path = \"/shadowed\"\nscopes = [\"write\"]\nupstream = \"api\"\nmode = \"shadow\"")
    });
    let key = SigningKey::new();
    let token = token_of(&request_token(&fixture, "server", &[&key.dpop("POST", TOKEN_URL, None)]));
    let authorization = format!("Authorization: DPoP {token}");
    let ask = |path: &str, query: &str, method: &str| {
        let proof = key.dpop(method, &format!("http://localhost{path}"), Some(&token));
        fixture.raw(get(&format!("{path}{query}"), &[&authorization, &proof]))
    };
    ask("/write", "", "GET").status(403);
    fixture
        .gateway
        .wait_for("\"path\":\"/write\",\"route\":\"/write\",\"client_id\":\"server\",\"status\":403");
    ask("/shadowed", "?m=proved", "GET").status(200);
    let reached = fixture.upstream.only("m=proved");
    assert_eq!(reached.all("x-client-id"), ["server"], "{}", reached.text());
    fixture.gateway.wait_for("\"client_id\":\"server\",\"status\":200,\"shadow\":\"insufficient_scope\"");
    // Without a good proof, the token belongs to no client.
    ask("/shadowed", "?m=unproved", "POST").status(200);
    let reached = fixture.upstream.only("m=unproved");
    assert!(reached.all("x-client-id").is_empty(), "{}", reached.text());
    fixture.gateway.wait_for("\"shadow\":\"invalid_dpop_proof\"");
}
