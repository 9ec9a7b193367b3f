//! Metadata: RFC 8414 and RFC 9728.

use super::{Want, check, fixture, row};
use crate::support::{Config, Gateway, TestResponse, get, raw};
use serde_json::{Value, json};

const SERVER: &str = "/.well-known/oauth-authorization-server";
const RESOURCE: &str = "/.well-known/oauth-protected-resource";
const ISSUER: &str = "https://issuer.example.test";

fn other_method(method: &str, path: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

#[test]
fn rfc_8414_and_9728() {
    let algorithms = fixture().raw(get(SERVER, &[])).json();
    let algorithms = &algorithms["token_endpoint_auth_signing_alg_values_supported"];
    let listed = algorithms.as_array().expect("§2: MUST be present where private_key_jwt is");
    assert!(listed.iter().all(|name| name != "none"), "§2: none MUST NOT be used");
    let methods = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
    let server = |members: Value| (get(SERVER, &[]), Want::Json(members));
    let resource = |members: Value| (get(RESOURCE, &[]), Want::Json(members));
    let rows = [
        ("8414 §2", "issuer", server(json!({ "issuer": ISSUER }))),
        (
            "8414 §2",
            "token_endpoint",
            server(json!({ "token_endpoint": format!("{ISSUER}/oauth/v2/oauth-token") })),
        ),
        (
            "8414 §2",
            "response_types_supported is REQUIRED",
            server(json!({ "response_types_supported": ["none"] })),
        ),
        (
            "8414 §2",
            "no authorization endpoint: no grant uses one",
            server(
                json!({ "authorization_endpoint": null, "grant_types_supported": ["client_credentials"] }),
            ),
        ),
        (
            "8414 §2",
            "the methods of the clients there are",
            server(json!({ "token_endpoint_auth_methods_supported": methods })),
        ),
        (
            "8414 §2",
            "introspection",
            server(
                json!({ "introspection_endpoint": format!("{ISSUER}/oauth/v2/oauth-introspect"), "introspection_endpoint_auth_methods_supported": methods, "introspection_endpoint_auth_signing_alg_values_supported": algorithms }),
            ),
        ),
        (
            "8414 §2",
            "revocation",
            server(
                json!({ "revocation_endpoint": format!("{ISSUER}/oauth/v2/oauth-revoke"), "revocation_endpoint_auth_methods_supported": methods, "revocation_endpoint_auth_signing_alg_values_supported": algorithms }),
            ),
        ),
        ("8414 §2", "scopes_supported", server(json!({ "scopes_supported": ["read", "write", "admin"] }))),
        (
            "9449 §5.1",
            "dpop_signing_alg_values_supported",
            server(
                json!({ "dpop_signing_alg_values_supported": ["ES256", "EdDSA", "Ed25519", "RS256", "PS256"] }),
            ),
        ),
        (
            "8705 §3.3",
            "false where it is left out",
            server(json!({ "tls_client_certificate_bound_access_tokens": null })),
        ),
        ("8414 §3.1", "GET", (other_method("POST", SERVER), Want::NotAllowed("GET, HEAD"))),
        ("9728 §2", "resource is REQUIRED", resource(json!({ "resource": ISSUER }))),
        ("9728 §2", "authorization_servers", resource(json!({ "authorization_servers": [ISSUER] }))),
        ("9728 §2", "bearer_methods_supported", resource(json!({ "bearer_methods_supported": ["header"] }))),
        ("9728 §2", "scopes_supported", resource(json!({ "scopes_supported": ["read", "write", "admin"] }))),
        ("9728 §3.1", "GET", (other_method("PUT", RESOURCE), Want::NotAllowed("GET, HEAD"))),
    ];
    check(
        fixture(),
        rows.into_iter().map(|(section, says, (request, want))| row(section, says, request, want)),
    );
}

/// RFC 8414 §3.1 and RFC 9728 §3.1: the well-known part goes between host and path, and a trailing slash of
/// the identifier is removed first. §3.3 of both: the identifier is returned unchanged.
#[test]
fn metadata_of_an_issuer_with_a_path_has_the_url_of_the_rfcs() {
    for issuer in ["https://issuer.example.test/tenants/7", "https://issuer.example.test/tenants/7/"] {
        let gateway = Gateway::start_text(&Config::bare().text().replace(ISSUER, issuer), &[]);
        let get_document = |path: &str| -> TestResponse { raw(gateway.plain(), get(path, &[])) };
        for (document, member) in [(SERVER, "issuer"), (RESOURCE, "resource")] {
            for path in [format!("{document}/tenants/7"), document.to_owned()] {
                let answer = get_document(&path);
                assert_eq!(answer.status(200).own().json()[member], *issuer, "{answer}");
            }
            for path in
                [format!("{document}/tenants"), format!("{document}/tenants/7/x"), format!("{document}7")]
            {
                get_document(&path).problem(404);
            }
        }
        let endpoint = get_document(SERVER).json()["token_endpoint"].clone();
        assert_eq!(endpoint, "https://issuer.example.test/tenants/7/oauth/v2/oauth-token");
    }
}
