//! Responses to clients and operators while nothing is broken.

use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use serde_json::Value;

use super::engine::Engine;
use super::gateways::{Gateways, config, introspect_at};
use crate::support::jose::SigningKey;
use crate::support::metrics::Scrape;
use crate::support::tls::H2;
use crate::support::{
    Conn, Gateway, TOKEN, TestResponse, Upstream, credentials, get, post_form, raw, run, token_of,
};

#[test]
fn a_token_of_one_gateway_is_good_at_the_others_until_it_is_revoked_at_any() {
    let engine = Engine::start(&[]);
    let store = format!("url = \"redis://127.0.0.1:{}\"", engine.port());
    let gateways = Gateways::start(&[&store, &store, &store]);
    for at in 0..3 {
        let token = gateways.token(at);
        gateways.all_answer(&token, 200);
        gateways.all_answer(&token, 200);
        let described = introspect_at(gateways.all[(at + 1) % 3].plain(), &token);
        assert_eq!(described.json()["active"], true, "{described}");
        gateways.revoke((at + 2) % 3, &token).status(200);
        for other in 0..3 {
            gateways.uses(other, &token).bearer_error(401, Some("invalid_token"));
        }
        gateways.revoke(at, &token).status(200);
        let described = introspect_at(gateways.all[at].plain(), &token);
        assert_eq!(described.json()["active"], false, "{described}");
    }
    // The token of another client is not revoked (RFC 7009 §2.1).
    let token = gateways.token(0);
    let body = format!("{}&token={token}", crate::support::credentials("server"));
    raw(gateways.all[1].plain(), post_form(crate::support::REVOKE, &[], body)).status(200);
    gateways.all_answer(&token, 200);
}

#[test]
fn the_first_use_of_a_token_at_another_gateway_waits_for_the_answer_whatever_the_request_is() {
    let engine = Engine::start(&[]);
    let store = format!("url = \"redis://127.0.0.1:{}\"", engine.port());
    let gateways = Gateways::start(&[&store, &store]);
    let other = &gateways.all[1];
    // A body whose rest is sent after the response to its token was decided.
    let bearer = format!("Authorization: Bearer {}", gateways.token(0));
    let mut streamed = Conn::plain(other.plain());
    streamed.send(format!(
        "POST /api/up?m=chunked HTTP/1.1\r\nHost: localhost\r\n{bearer}\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    ));
    gateways.upstream.wait_for("first");
    streamed.send("4\r\nlast\r\n0\r\n\r\n");
    streamed.read().status(200);
    gateways.upstream.only("m=chunked");
    assert!(gateways.upstream.saw("last"));
    // Two requests in one piece.
    let bearer = format!("Authorization: Bearer {}", gateways.token(0));
    let mut pipelined = Conn::plain(other.plain());
    pipelined.send([get("/hello?m=one", &[&bearer]), get("/hello?m=two", &[&bearer])].concat());
    pipelined.read().status(200);
    pipelined.read().status(200);
    // HTTP/2, with and without a body.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    for (method, path, body) in [("GET", "/hello?m=h2-get", ""), ("POST", "/api/up?m=h2-post", "a body")] {
        let token = gateways.token(0);
        runtime.block_on(async {
            let mut connection = H2::connect(other.tls()).await;
            let request = http::Request::builder().method(method).uri(format!("https://localhost{path}"));
            let request = request.header("authorization", format!("Bearer {token}"));
            let answer = connection.open(request.body(Full::<Bytes>::from(body)).expect("a request")).await;
            assert_eq!(answer.status(), 200, "{method}");
            answer.collect().await.expect("the whole response");
        });
        gateways.upstream.only(path.split('?').nth(1).expect("a query"));
        assert!(body.is_empty() || gateways.upstream.saw(body));
    }
    let unknown = format!("tg_{}", "A".repeat(49));
    gateways.uses(1, &unknown).bearer_error(401, Some("invalid_token"));
}

#[test]
fn a_client_that_is_disabled_at_one_gateway_loses_its_tokens_at_all() {
    let engine = Engine::start(&[]);
    let store = format!("url = \"redis://127.0.0.1:{}\"", engine.port());
    let gateways = Gateways::start(&[&store, &store]);
    let token = gateways.token(0);
    gateways.all_answer(&token, 200);
    gateways.all[1].rewrite(|text| text.replace("[clients.other]", "[clients.other]\nenabled = false"));
    gateways.all[1].signal("HUP");
    gateways.all[1].wait_for(" reloaded: ");
    wait_until(|| gateways.uses(0, &token).code() == 401);
    // The other gateway still has the client, so it issues a new token, which only this gateway refuses.
    let later = gateways.token(0);
    gateways.uses(0, &later).status(200);
    gateways.uses(1, &later).bearer_error(401, Some("invalid_token"));
    // Both gateways report that their clients differ.
    gateways.all[0].wait_for("gateways have other clients");
    gateways.all[1].wait_for("gateways have other clients");
    let metrics = Scrape::of(&gateways.all[0]);
    assert!((metrics.value("tollgate_shared_store_gateways_differing") - 1.0).abs() < 0.1);
    let path = gateways.all[0].dir().join("gateway.toml");
    let state = run(gateways.all[0].dir(), &["state", "--config", path.to_str().expect("a path"), "--json"]);
    let state: Value = serde_json::from_str(&state.stdout).expect("JSON");
    assert_eq!(state["kind"], "redis");
    let listed = state["engine"]["gateways"].as_array().expect("gateways");
    let same = |gateway: &&Value| gateway["same_clients"] == true;
    assert_eq!((listed.len(), listed.iter().filter(same).count()), (2, 1), "{state}");
    let text = run(gateways.all[0].dir(), &["state", "--config", path.to_str().expect("a path")]);
    assert!(text.stdout.contains("OTHER CLIENTS than this file"), "{}", text.stdout);
}

#[test]
fn an_assertion_and_a_proof_are_used_once_at_all_gateways_and_over_restarts() {
    let engine = Engine::start(&[]);
    let key = SigningKey::new();
    let jwks = format!("'''{{\"keys\":[{}]}}'''", key.jwk(",\"kid\":\"one\""));
    let upstream = Upstream::start();
    let config = || {
        config(upstream.address(), &format!("url = \"redis://127.0.0.1:{}\"", engine.port())).table(&format!(
            "[clients.signs]\ntoken_endpoint_auth_methods = [\"private_key_jwt\"]\njwks = {jwks}\n\
                 capabilities = [\"client_credentials\"]\nscopes = [\"read\"]"
        ))
    };
    let start = || {
        let gateway = Gateway::start(&config());
        gateway.wait_for("the shared store at");
        gateway
    };
    let (first, second) = (start(), start());
    let assertion = key.assertion("one", "signs", "https://issuer.example.test");
    let ask = |gateway: &Gateway| -> TestResponse {
        let body = format!(
            "grant_type=client_credentials&scope=read&client_assertion_type=\
             urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
        );
        raw(gateway.plain(), post_form(TOKEN, &[], body))
    };
    ask(&first).status(200);
    ask(&second).oauth_error(401, "invalid_client");
    // Proofs, at the token endpoint and with a token that is bound to their key.
    let proof = key.dpop("POST", "http://localhost/oauth/v2/oauth-token", None);
    let ask_bound = |gateway: &Gateway| {
        let body = format!("{}&grant_type=client_credentials&scope=read", credentials("other"));
        raw(gateway.plain(), post_form(TOKEN, &[&proof], body))
    };
    let token = token_of(ask_bound(&first).status(200));
    ask_bound(&second).oauth_error(400, "invalid_dpop_proof");
    let shown = key.dpop("GET", "http://localhost/hello", Some(&token));
    let bound = format!("Authorization: DPoP {token}");
    let uses = |gateway: &Gateway| raw(gateway.plain(), get("/hello", &[&bound, &shown]));
    uses(&second).status(200);
    for gateway in [&first, &second] {
        let answer = uses(gateway);
        assert!(answer.status(401).one("www-authenticate").contains("invalid_dpop_proof"), "{answer}");
    }
    drop(first);
    let third = start();
    ask(&third).oauth_error(401, "invalid_client");
    ask_bound(&third).oauth_error(400, "invalid_dpop_proof");
    assert!(uses(&third).status(401).one("www-authenticate").contains("invalid_dpop_proof"));
    // The token itself is accepted there.
    let fresh = key.dpop("GET", "http://localhost/hello", Some(&token));
    raw(third.plain(), get("/hello", &[&bound, &fresh])).status(200);
}

/// Waits until a condition holds.
#[track_caller]
pub(super) fn wait_until(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "it does not become so");
        thread::sleep(Duration::from_millis(5));
    }
}
