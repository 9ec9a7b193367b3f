//! Libraries with which upstreams verify the gateway's JWTs.

use std::process::Command;

use super::{ID, SECRET, Server, installed, node, python};
use crate::support::config::cheap_hash;
use crate::support::jwks::KEY_SET;
use crate::support::{Conn, Gateway, TOKEN, Upstream, get, post_form, token_of};

/// Runs a verifier with a JWT of each algorithm, which must succeed.
#[track_caller]
fn accepts(verifier: impl Fn() -> Command) {
    for algorithm in ["ES256", "EdDSA"] {
        let upstream = Upstream::start();
        let text = format!(
            "[server]\nlisten = [\"https://127.0.0.1:0\"]\nthreads = 1\n[scopes]\nread = \"Read\"\n[clients.{ID}]\nsecret \
             = \"{}\"\ncapabilities = [\"client_credentials\"]\nscopes = [\"read\"]\n[token_service.jwt]\nalgorithm = \
             {algorithm:?}\n[upstreams.api]\nservers = [\"http://{}\"]\njwt_audience = \"https://api.internal\"\n[[routes]]\n\
             path = \"/hello_world\"\nscopes = [\"read\"]\nupstream = \"api\"\nforward_token = \"jwt\"\n",
            cheap_hash(SECRET),
            upstream.address(),
        );
        let gateway = Gateway::start_text(&text, &[]);
        let server = Server { gateway, upstream, files: tempfile::tempdir().expect("a folder") };
        let mut conn = Conn::tls(server.gateway.tls(), &[]);
        let form = format!("client_id={ID}&client_secret={SECRET}&grant_type=client_credentials&scope=read");
        let token = token_of(&conn.request(post_form(TOKEN, &[], form)));
        let bearer = format!("Authorization: Bearer {token}");
        conn.request(get("/hello_world?m=jwt", &[&bearer])).status(200);
        let keys = conn.request(get(KEY_SET, &[])).json().to_string();
        let seen = server.upstream.only("m=jwt");
        let jwt = seen.all("authorization")[0].strip_prefix("Bearer ").expect("a bearer");
        let mut verifier = verifier();
        verifier.env("JWT", jwt).env("KEY_SET", keys);
        verifier.env("AUDIENCE", "https://api.internal").env("ALGORITHM", algorithm);
        server.meets(verifier);
    }
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn pyjwt() {
    accepts(|| python("verify_jwt.py"));
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn jose_npm() {
    accepts(|| node("verify_jwt.mjs"));
}

#[test]
#[ignore = "tests/clients/run brings what it needs"]
fn jsonwebtoken_crate() {
    accepts(|| Command::new(installed("oauth2/debug/verify_jwt")));
}
