//! Sends one table of requests through every mount, and compares the responses and what the inner service
//! received.
//!
//! The layers and the modules share one gate in this process, whose clock the test advances. The gateway is
//! the binary, with the same gateway.toml and its own tokens.

mod mount;
mod pingora_mounts;
mod relay;
mod remote;
mod setup;
#[allow(
    dead_code,
    unused_imports,
    clippy::disallowed_methods,
    reason = "shared with the black-box tests, which need more of it; real time, since it starts a process"
)]
#[path = "../support/mod.rs"]
mod support;
mod table;
mod tokens;

use std::net::SocketAddr;

use mount::{Outcome, Request};
use setup::Files;
use support::jose::SigningKey;
use support::{Conn, Gateway, TOKEN, post_form};
use table::Row;
use tempfile::TempDir;
use tokens::{Holders, Issuer, Tokens};

/// Keys, certificates and their authority, and a folder with the files of a TLS listener.
struct Keys {
    holders: Holders,
    folder: TempDir,
}

impl Keys {
    fn new() -> Self {
        let authority = support::certificates::Authority::new();
        let (own, other) = (authority.sign("own.example.test"), authority.sign("other.example.test"));
        let folder = tempfile::tempdir().unwrap();
        let server = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let files = [
            ("ca.pem", authority.pem.clone()),
            ("cert.pem", server.cert.pem()),
            ("key.pem", server.signing_key.serialize_pem()),
        ];
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let holders = Holders { key: SigningKey::new(), thief: SigningKey::new(), own, other };
        Self { holders, folder }
    }

    fn files(&self, upstream: SocketAddr) -> Files {
        Files::new(&upstream.to_string(), &self.folder.path().join("ca.pem"))
    }
}

fn assert_row(mount: &str, row: &Row, outcome: &Outcome) {
    assert_eq!(*outcome, row.expected, "{mount}: {}", row.name);
}

/// A layer leaves `Authorization` to the program, so that is not compared.
fn assert_layer(mount: &str, row: &Row, mut outcome: Outcome) {
    if let (Some(saw), Some(expected)) = (&mut outcome.saw, &row.expected.saw) {
        assert_eq!(saw.authorization, "as it came");
        saw.authorization.clone_from(&expected.authorization);
    }
    assert_row(mount, row, &outcome);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_plugin_mount_matches_the_table() {
    let keys = Keys::new();
    let upstream = pingora_mounts::upstream().await;
    let files = keys.files(upstream);
    let (gate, clock) = setup::gate(&files);
    let tokens = Tokens::prepare(&Issuer::Gate(&gate, &clock), &files, &keys.holders).await;
    let proxy = pingora_mounts::proxy(&gate, upstream, keys.folder.path()).await;
    let app = pingora_mounts::app(&gate, keys.folder.path()).await;
    for row in table::all().into_iter().chain(table::plugins()) {
        let path = format!("{}{}", row.path, (row.query)(&tokens));
        let request = || Request {
            path: &path,
            certificate: (row.certificate)(&keys.holders),
            headers: (row.headers)(&tokens),
        };
        assert_layer("tower", &row, mount::tower(&gate, &request()).await);
        assert_layer("axum", &row, mount::axum(&gate, &request()).await);
        for (name, server) in [("pingora proxy", proxy), ("pingora app", app)] {
            assert_row(name, &row, &mount::over_tls(server, [&request(), &request()]));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_matches_the_table() {
    let keys = Keys::new();
    let files = keys.files(pingora_mounts::upstream().await);
    let gateway = Gateway::start_text(&files.before, &[]);
    let tokens = Tokens::prepare(&Issuer::Binary(&gateway), &files, &keys.holders).await;
    for row in table::all() {
        let path = format!("{}{}", row.path, (row.query)(&tokens));
        let request = || Request {
            path: &path,
            certificate: (row.certificate)(&keys.holders),
            headers: (row.headers)(&tokens),
        };
        assert_row("gateway", &row, &mount::over_tls(gateway.tls(), [&request(), &request()]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pingora_connection_stays_usable_after_a_refusal_at_the_token_endpoint() {
    let keys = Keys::new();
    let upstream = pingora_mounts::upstream().await;
    let (gate, _) = setup::gate(&keys.files(upstream));
    let form =
        |secret: &str| format!("grant_type=client_credentials&client_id=server&client_secret={secret}");
    let tls = keys.folder.path();
    for server in [pingora_mounts::proxy(&gate, upstream, tls).await, pingora_mounts::app(&gate, tls).await] {
        let mut connection = Conn::tls(server, &["http/1.1"]);
        for (body, status) in [
            (form(setup::SECRET), 200),
            (form("wrong"), 401),
            ("a".repeat(17 * 1024), 413),
            ("grant".to_owned(), 400),
            (form(setup::SECRET), 200),
        ] {
            connection.request(post_form(TOKEN, &[], body)).status(status);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pingora_server_binds_tokens_to_the_certificate_it_sees() {
    let keys = Keys::new();
    let upstream = pingora_mounts::upstream().await;
    let (gate, _) = setup::gate(&keys.files(upstream));
    let tls = keys.folder.path();
    let form = format!(
        "grant_type=client_credentials&client_id=certified&scope=read&client_secret={}",
        setup::SECRET
    );
    for server in [pingora_mounts::proxy(&gate, upstream, tls).await, pingora_mounts::app(&gate, tls).await] {
        Conn::tls_as(server, None).request(post_form(TOKEN, &[], &form)).oauth_error(400, "invalid_request");
        let answer = Conn::tls_as(server, Some(&keys.holders.own)).request(post_form(TOKEN, &[], &form));
        let bearer = format!("Authorization: Bearer {}", support::token_of(&answer));
        for (identity, status) in
            [(Some(&keys.holders.own), 200), (Some(&keys.holders.other), 401), (None, 401)]
        {
            Conn::tls_as(server, identity).request(support::get("/orders", &[&bearer])).status(status);
        }
    }
}
