//! A client that registers itself.

use serde_json::Value;

use super::{Server, node};
use crate::support::config::cheap_hash;
use crate::support::{Gateway, Upstream, run};

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn openid_client() {
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
    let mut client = node("openid_registration.mjs");
    client.env("INITIAL_TOKEN", made["initial_access_token"].as_str().expect("a token"));
    server.meets(client);
    for method in ["client_secret_basic", "client_secret_post", "signed"] {
        let by = format!("openid-registration-{method}");
        let reached = server.upstream.only(&format!("?by={by} "));
        assert!(reached.all("x-client-id")[0].starts_with("reg_"), "{}", reached.text());
        assert!(
            !server.upstream.saw(&format!("?by={by}-revoked")),
            "{by}: a token of a removed client came through"
        );
    }
}
