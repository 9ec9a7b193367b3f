//! Clients that have registered themselves, in the API and in the forms of the console.

use super::Admin;
use crate::support::jose::encode;
use crate::support::{TOKEN, basic, get, post_form, raw, token_of};
use serde_json::{Value, json};
use sha2::Digest as _;

const TOKEN_TEXT: &str = "tgi_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Starts a gateway where anybody with [`TOKEN_TEXT`] can register.
fn start(lines: &str) -> Admin {
    let digest = encode(&sha2::Sha256::digest(TOKEN_TEXT));
    Admin::start_with(lines, |config| {
        config.table(&format!(
            "[token_service.registration.templates.partner]\nscopes = [\"read\"]\nrate_limit = \"50/s\"\n\
             [token_service.registration.tokens.ci]\ndigest = \"sha256:{digest}\"\ntemplate = \"partner\""
        ))
    })
}

fn register(admin: &Admin) -> Value {
    let body = r#"{"client_name":"Orders <b>"}"#;
    let request = format!(
        "POST /oauth/v2/register HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN_TEXT}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    admin.fixture.raw(request).status(201).json()
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

#[test]
fn the_api_lists_explains_and_revokes() {
    let admin = start("");
    let client = register(&admin);
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let form = post_form(TOKEN, &[&basic(&id, &secret)], "grant_type=client_credentials");
    let token = token_of(&admin.fixture.raw(form));
    let all = admin.api("/registered-clients");
    let listed = &all["items"][0];
    assert_eq!([&listed["id"], &listed["template"], &listed["name"]], [&*id, "partner", "Orders <b>"]);
    assert_eq!((&listed["enabled"], &listed["tokens_live"]), (&json!(true), &json!(1)));
    let shown = all.to_string();
    assert!(!shown.contains("argon2") && !shown.contains(&token) && !shown.contains("tgr_"), "{shown}");

    let bearer = admin.bearer("writer");
    let json_type = "Content-Type: application/json";
    let explained = |path: &str| {
        let question = json!({ "url": path, "client": id }).to_string();
        let request = admin.request("POST", "/api/v1/explain", &[&bearer, json_type], &question);
        raw(admin.address, request).status(200).json()
    };
    assert_eq!(explained("/hello")["verdict"], "passes");
    assert_eq!(explained("/write")["error"], "insufficient_scope");

    let path = format!("/api/v1/clients/{id}/revoke-tokens");
    let revoked = raw(admin.address, admin.request("POST", &path, &[&bearer], ""));
    assert_eq!(revoked.json(), json!({ "revoked": 1 }));
    admin.fixture.raw(get("/hello", &[&format!("Authorization: Bearer {token}")])).status(401);

    // Callers of the API are editors at most, and only owners say who may register.
    for operation in [
        json!({ "op": "registration_token_add", "token": { "name": "mine", "template": "partner" } }),
        json!({ "op": "registration_token_remove", "name": "ci" }),
        json!({ "op": "registered_client", "id": id, "state": "removed" }),
    ] {
        let body = json!({ "operations": [operation], "comment": "Mine" }).to_string();
        let request = admin.request("POST", "/api/v1/changes", &[&bearer, json_type], &body);
        let refused = raw(admin.address, request);
        assert!(!refused.status(403).to_string().contains("tgi_"), "{refused}");
    }
}
