use std::time::Duration;

use serde_json::{Value, json};

use super::{AuthMethod, ClientMetadata, Template, Update};
use crate::oauth::scope::Scopes;
use crate::oauth::token_error::TokenError;

fn template() -> Template {
    Template {
        name: "partner".into(),
        scopes: Scopes::parse("read write").unwrap(),
        default_scopes: Scopes::none(),
        token_lifetime: Duration::from_secs(600),
        methods: vec![AuthMethod::Basic, AuthMethod::PrivateKeyJwt],
        audiences: vec!["https://orders.example.com".to_owned(), "https://stock.example.com".to_owned()],
        dpop_bound_tokens: false,
        max_clients: 10,
        unused_expiry: Duration::from_secs(3600),
    }
}

fn read(body: &Value) -> Result<ClientMetadata, TokenError> {
    ClientMetadata::read(body.to_string().as_bytes(), &template())
}

fn public_key() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "kid": "1" })
}

#[test]
fn what_is_left_out_is_filled_in() {
    let filled = Value::Object(read(&json!({})).unwrap().members());
    assert_eq!(
        filled,
        json!({
            "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["client_credentials"],
            "response_types": [], "scope": "read write", "token_lifetime": 600,
            "audience": ["https://orders.example.com", "https://stock.example.com"],
            "dpop_bound_access_tokens": false
        })
    );
    let jwt_only = Template { methods: vec![AuthMethod::PrivateKeyJwt], ..template() };
    let body = json!({ "jwks": { "keys": [public_key()] } }).to_string();
    assert_eq!(ClientMetadata::read(body.as_bytes(), &jwt_only).unwrap().method, AuthMethod::PrivateKeyJwt);
}

#[test]
fn what_is_allowed_is_kept_and_what_is_unknown_is_ignored() {
    let asked = json!({
        "client_name": "Orders of Ärger & Söhne", "client_uri": "https://shop.example.com/about",
        "contacts": ["ops@example.com"], "software_id": "4NRB1", "software_version": "1.2",
        "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [public_key()] },
        "grant_types": ["client_credentials"], "response_types": ["none"], "scope": "write",
        "token_lifetime": 60, "audience": "https://stock.example.com", "dpop_bound_access_tokens": true,
        "redirect_uris": ["https://client.example.org/callback"], "client_name#fr": "Commandes",
        "example_extension_parameter": { "deep": [1, 2] }, "client_id": "mine", "client_secret": "mine"
    });
    let kept = read(&asked).unwrap();
    assert_eq!(kept.name(), Some("Orders of Ärger & Söhne"));
    let members = kept.members();
    for (name, value) in asked.as_object().unwrap() {
        let expected = match name.as_str() {
            "response_types" => Some(json!([])),
            "audience" => Some(json!(["https://stock.example.com"])),
            "redirect_uris"
            | "client_name#fr"
            | "example_extension_parameter"
            | "client_id"
            | "client_secret" => None,
            _ => Some(value.clone()),
        };
        assert_eq!(members.get(name).cloned(), expected, "{name}");
    }
    let again = ClientMetadata::from_members(&members).unwrap();
    assert_eq!(again.members(), members, "it is stored as it is shown");
    assert_eq!(again.keys.unwrap().1.keys().len(), 1);
}

#[test]
fn what_goes_beyond_the_template_or_the_rfc_is_refused() {
    let private = json!({ "kty": "OKP", "crv": "Ed25519", "x": public_key()["x"], "d": "AAAA" });
    let many = |count: usize| json!({ "keys": vec![public_key(); count] });
    let scopes = |count: usize| (0..count).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
    let table = [
        json!({ "scope": "read admin" }),
        json!({ "scope": "read  write" }),
        json!({ "scope": scopes(10_000) }),
        json!({ "scope": ["read"] }),
        json!({ "token_lifetime": 601 }),
        json!({ "token_lifetime": 0 }),
        json!({ "token_lifetime": -1 }),
        json!({ "token_lifetime": 1.5 }),
        json!({ "token_lifetime": "60" }),
        json!({ "token_endpoint_auth_method": "client_secret_post" }),
        json!({ "token_endpoint_auth_method": "none" }),
        json!({ "token_endpoint_auth_method": "tls_client_auth" }),
        json!({ "token_endpoint_auth_method": null }),
        json!({ "token_endpoint_auth_method": "private_key_jwt" }),
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [] } }),
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://client.example.org/keys" }),
        json!({ "jwks_uri": "http://169.254.169.254/latest/meta-data" }),
        json!({ "jwks": { "keys": [private] } }),
        json!({ "jwks": { "keys": [{ "kty": "oct", "k": "AAAA" }] } }),
        json!({ "jwks": many(11) }),
        json!({ "jwks": many(40) }),
        json!({ "jwks": { "keys": [public_key()], "padding": "x".repeat(4_096) } }),
        json!({ "jwks": [public_key()] }),
        json!({ "jwks": "keys" }),
        json!({ "grant_types": ["authorization_code"] }),
        json!({ "grant_types": ["client_credentials", "password"] }),
        json!({ "grant_types": [] }),
        json!({ "grant_types": "client_credentials" }),
        json!({ "response_types": ["code"] }),
        json!({ "audience": ["https://other.example.com"] }),
        json!({ "audience": [1] }),
        json!({ "dpop_bound_access_tokens": "true" }),
        json!({ "tls_client_certificate_bound_access_tokens": true }),
        json!({ "client_name": "" }),
        json!({ "client_name": "a\nb" }),
        json!({ "client_name": "x".repeat(257) }),
        json!({ "client_name": { "en": "x" } }),
        json!({ "client_uri": "javascript:alert(1)" }),
        json!({ "logo_uri": "data:image/png;base64,AAAA" }),
        json!({ "contacts": vec!["a@example.com"; 11] }),
        json!([{ "scope": "read" }]),
        json!("scope"),
        json!(null),
    ];
    for body in table {
        let error = read(&body).expect_err(&body.to_string());
        assert_eq!((error.code(), error.status().as_u16()), ("invalid_client_metadata", 400), "{body}");
    }
    for text in ["", "{", r#"{"scope":"read","scope":"write"}"#, r#"{"jwks":{"keys":[],"keys":[]}}"#, "{} {}"]
    {
        let error = ClientMetadata::read(text.as_bytes(), &template()).expect_err(text);
        assert_eq!(error.code(), "invalid_client_metadata", "{text}");
    }
    assert!(ClientMetadata::read(b"{\"client_name\":\"\xff\"}", &template()).is_err());
    let bound = Template { dpop_bound_tokens: true, ..template() };
    assert!(ClientMetadata::read(br#"{"dpop_bound_access_tokens":false}"#, &bound).is_err());
    assert!(ClientMetadata::read(b"{}", &bound).unwrap().dpop_bound_tokens);
}

#[test]
fn software_statements_are_refused() {
    for (statement, code) in [
        (json!("eyJhbGciOiJSUzI1NiJ9.e30.AAAA"), "unapproved_software_statement"),
        (json!("eyJhbGciOiJSUzI1NiJ9"), "invalid_software_statement"),
        (json!("a..b"), "invalid_software_statement"),
        (json!({}), "invalid_software_statement"),
    ] {
        assert_eq!(read(&json!({ "software_statement": statement })).unwrap_err().code(), code);
    }
}

#[test]
fn an_update_names_its_client_and_sets_nothing_of_the_servers() {
    let update = |body: Value| Update::read(body.to_string().as_bytes(), &template());
    let good = update(json!({ "client_id": "reg_1", "client_secret": "s", "scope": "read" })).unwrap();
    assert_eq!((good.client_id.as_str(), good.metadata.scopes.as_str()), ("reg_1", "read"));
    assert!(good.client_secret.is_some());
    for bad in [
        json!({ "scope": "read" }),
        json!({ "client_id": 1 }),
        json!({ "client_id": "reg_1", "client_secret": 1 }),
        json!({ "client_id": "reg_1", "registration_access_token": "tgr_" }),
        json!({ "client_id": "reg_1", "registration_client_uri": "https://x" }),
        json!({ "client_id": "reg_1", "client_secret_expires_at": 0 }),
        json!({ "client_id": "reg_1", "client_id_issued_at": 0 }),
        json!({ "client_id": "reg_1", "scope": "admin" }),
    ] {
        assert_eq!(update(bad.clone()).unwrap_err().code(), "invalid_client_metadata", "{bad}");
    }
}
