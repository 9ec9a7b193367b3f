//! Clients that register themselves.

use std::process::Command;

use serde_json::Value;

use super::{Server, node, python};
use crate::support::config::cheap_hash;
use crate::support::{Gateway, Upstream, run};

/// Runs a client with an initial access token. It must succeed, and the calls that it marks must have reached the
/// upstream as calls of registered clients.
#[track_caller]
fn registers(mut client: Command, calls: &[&str]) {
    let upstream = Upstream::start();
    let text = format!(
        "[server]\nlisten = [\"https://127.0.0.1:0\"]\nthreads = 1\n[scopes]\nread = \"Read\"\nadmin = \
         \"Administer\"\n[clients.other]\nsecret = \"{}\"\ncapabilities = [\"client_credentials\"]\nscopes = \
         [\"admin\"]\n[upstreams.api]\nservers = [\"http://{}\"]\n[[routes]]\npath = \"/hello_world\"\nscopes = \
         [\"read\"]\nupstream = \"api\"\n[token_service.registration.templates.partner]\nscopes = [\"read\"]\n\
         token_endpoint_auth_methods = [\"client_secret_basic\", \"client_secret_post\", \"private_key_jwt\"]\n",
        cheap_hash("a secret of another client"),
        upstream.address(),
    );
    let gateway = Gateway::start_text(&text, &[]);
    let before = gateway.times_written("reloaded");
    let made = run(gateway.dir(), &["registration", "token", "ci", "--template", "partner", "--json"]);
    assert_eq!(made.code, Some(0), "{made:?}");
    gateway.wait_until_written("reloaded", before);
    let made: Value = serde_json::from_str(&made.stdout).expect("JSON");
    let server = Server { gateway, upstream, files: tempfile::tempdir().expect("a folder") };
    client.env("INITIAL_TOKEN", made["initial_access_token"].as_str().expect("a token"));
    server.meets(client);
    for by in calls {
        let reached = server.upstream.only(&format!("?by={by} "));
        assert!(reached.all("x-client-id")[0].starts_with("reg_"), "{}", reached.text());
    }
    assert!(!server.upstream.saw("-revoked"), "a token of a removed client came through");
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn openid_client() {
    registers(
        node("openid_registration.mjs"),
        &[
            "openid-registration-client_secret_basic",
            "openid-registration-client_secret_post",
            "openid-registration-signed",
        ],
    );
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn idpyoidc() {
    registers(
        python("idpyoidc_registration.py"),
        &[
            "idpyoidc-registration-client_secret_basic",
            "idpyoidc-registration-client_secret_basic-changed",
            "idpyoidc-registration-client_secret_post",
            "idpyoidc-registration-client_secret_post-changed",
            "idpyoidc-registration-private_key_jwt",
            "idpyoidc-registration-private_key_jwt-changed",
        ],
    );
}
