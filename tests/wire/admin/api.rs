//! The API.

use super::Admin;
use crate::support::{Conn, get, raw};
use serde_json::json;

#[test]
fn the_api_takes_tokens_with_its_scopes_and_nothing_else() {
    let admin = Admin::start("");
    let status = |fields: &[&str]| admin.get("/api/v1/status", fields);
    let response = status(&[]);
    response.problem(401);
    assert!(response.one("www-authenticate").starts_with("Bearer"), "{response}");
    status(&["Cookie: tollgate_admin_1=x"]).problem(401);
    status(&["Authorization: Basic YTpi"]).problem(401);
    let response = status(&["Authorization: Bearer tg_nothing"]);
    response.problem(401);
    assert!(response.one("www-authenticate").contains("invalid_token"), "{response}");
    let response = status(&[&admin.fixture.bearer("administrator", "admin read write")]);
    response.problem(403);
    assert!(response.one("www-authenticate").contains("insufficient_scope"), "{response}");
    for client in ["reader", "writer"] {
        status(&[&admin.bearer(client)]).status(200).has("content-type", "application/json");
    }
    // A token for reading cannot change anything.
    let revoke = |bearer: &str| {
        raw(admin.address, admin.request("POST", "/api/v1/clients/other/revoke-tokens", &[bearer], ""))
    };
    revoke(&admin.bearer("reader")).problem(403);
    revoke(&admin.bearer("writer")).status(200);
}

#[test]
fn every_rejection_is_a_problem() {
    let admin = Admin::start("");
    let bearer = admin.bearer("writer");
    let table = [
        ("GET", "/api/v1/nothing", 404),
        ("GET", "/api/v1", 404),
        ("DELETE", "/api/v1/status", 405),
        ("GET", "/api/v1/clients/nobody", 404),
        ("GET", "/api/v1/clients?limit=0", 400),
        ("GET", "/api/v1/clients?limit=x", 400),
        ("GET", "/api/v1/clients?other=1", 400),
        ("GET", "/api/v1/clients?after=nobody", 400),
        ("GET", "/api/v1/clients/%ff", 400),
        ("POST", "/api/v1/clients/nobody/revoke-tokens", 404),
    ];
    for (method, target, status) in table {
        let response = raw(admin.address, admin.request(method, target, &[&bearer], ""));
        response.problem(status);
        assert!(response.to_string().contains("\"type\":\"urn:tollgate:problem:"), "{response}");
    }
    let response = raw(admin.address, admin.request("DELETE", "/api/v1/status", &[&bearer], ""));
    assert!(response.one("allow").contains("GET"), "{response}");
}

#[test]
fn the_state_and_the_configuration_can_be_read() {
    let admin = Admin::start("");
    let status = admin.api("/status");
    assert_eq!((&status["store_healthy"], &status["read_only"]), (&json!(true), &json!(false)), "{status}");
    assert_eq!(admin.api("/reload"), json!({ "at": null, "applied": true, "error": null }));
    let scopes = admin.api("/scopes");
    assert_eq!(scopes["items"][0]["name"], "read");
    assert!(scopes["items"][0]["clients"].as_array().expect("a list").contains(&json!("server")));
    let routes = admin.api("/routes?limit=1");
    assert_eq!((&routes["items"][0]["path"], &routes["next"]), (&json!("/hello"), &json!("0")), "{routes}");
    assert_eq!(admin.api("/routes?limit=1&after=0")["items"][0]["path"], "/write");
    let upstreams = admin.api("/upstreams");
    assert_eq!(upstreams["items"][0]["servers"][0]["state"], "healthy", "{upstreams}");
    let access = admin.api("/access?limit=200");
    let row = access["items"].as_array().expect("rows").iter().find(|row| row["route"]["path"] == "/write");
    let cells = row.expect("the route")["clients"].as_array().expect("cells").clone();
    let cell = |client: &str| cells.iter().find(|cell| cell["client"] == client).expect("a cell").clone();
    assert_eq!(cell("server")["allowed"], true);
    assert_eq!(cell("other")["missing"], json!(["write"]));
    assert_eq!(cell("disabled")["reason"], "disabled");
}

#[test]
fn clients_are_shown_without_secrets_and_their_tokens_without_tokens() {
    let admin = Admin::start("");
    let token = admin.fixture.token("server", "read write");
    let client = admin.api("/clients/server");
    assert_eq!((&client["id"], &client["tokens_live"]), (&json!("server"), &json!(1)));
    assert_eq!(client["secrets"][0]["uses"], 1, "{client}");
    let tokens = admin.api("/clients/server/tokens");
    assert_eq!((&tokens["live"], &tokens["complete"]), (&json!(1), &json!(true)));
    assert_eq!(tokens["tokens"][0]["scopes"], json!(["read", "write"]), "{tokens}");
    let all = admin.api("/clients?limit=200").to_string() + &client.to_string() + &tokens.to_string();
    assert!(!all.contains("argon2") && !all.contains(&token) && !all.contains("tg_"), "{all}");

    let bearer = admin.bearer("writer");
    let request = admin.request("POST", "/api/v1/clients/server/revoke-tokens", &[&bearer], "");
    assert_eq!(raw(admin.address, request).json(), json!({ "revoked": 1 }));
    let line = format!("Authorization: Bearer {token}");
    admin.fixture.raw(get("/hello", &[&line])).status(401);
    assert_eq!(admin.api("/clients/server/tokens"), json!({ "live": 0, "tokens": [], "complete": true }));
}

#[test]
fn the_description_and_the_probes_are_public() {
    let admin = Admin::start("");
    let document = admin.get("/api/v1/openapi.json", &[]);
    document.status(200);
    assert!(document.json()["paths"]["/clients/{id}/revoke-tokens"]["post"].is_object());
    admin.get("/healthz", &[]).status(200);
    admin.get("/readyz", &[]).status(200);
    let mut conn = Conn::plain(admin.address);
    conn.send(format!("HEAD /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", admin.address));
    conn.read_head_only().status(200);
}
