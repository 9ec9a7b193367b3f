//! One table of requests through every mount: what is answered, and what the inner service saw.
//!
//! Proofs of possession are not in it: only the gateway knows the connection and the URL that a proof is about. The
//! other mounts answer the DPoP scheme as any other that they do not take, and refuse tokens that are bound.

mod gateway_mount;
mod mount;
mod pingora_mounts;

use std::sync::Arc;
use std::time::Duration;

use mount::{Outcome, Request};
use tollgate::clock::ManualClock;
use tollgate::gate::{ClientSpec, Gate, GateSpec};

const RESOURCE: &str = "resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"";
const NEW_TOKEN: &str =
    "the access token is expired, revoked or unknown: get a new token from the token endpoint and try again";

/// A request's headers, and what it must end in.
struct Row {
    name: &'static str,
    request: Request,
    expected: Outcome,
}

fn passed(client: &str, scopes: &str) -> Outcome {
    Outcome { status: 200, challenges: Vec::new(), saw: Some((client.to_owned(), scopes.to_owned())) }
}

fn refused(status: u16, rest: &str) -> Outcome {
    let challenge = format!("Bearer realm=\"tollgate\"{rest}, {RESOURCE}");
    Outcome { status, challenges: vec![challenge], saw: None }
}

fn invalid_token() -> Outcome {
    refused(401, &format!(", error=\"invalid_token\", error_description=\"{NEW_TOKEN}\""))
}

fn malformed(why: &str) -> Outcome {
    refused(400, &format!(", error=\"invalid_request\", error_description=\"{why}\""))
}

fn spec(with_departed: bool) -> GateSpec {
    let client = |id| ClientSpec::with_id(id).unwrap().scopes(["read", "write"]).unwrap();
    let spec = GateSpec::new("https://api.example.com")
        .client(client("server"))
        .client(client("brief").token_lifetime(Duration::from_secs(1)))
        .client(client("revoked"));
    if with_departed { spec.client(client("departed")) } else { spec }
}

fn table(gate: &Gate, clock: &ManualClock) -> Vec<Row> {
    let issue = |client: &str, scopes: &[&'static str]| {
        gate.issue_to(client, scopes.iter().copied()).unwrap().expose().to_owned()
    };
    let read = issue("server", &["read"]);
    let both = issue("server", &["write", "read"]);
    let write = issue("server", &["write"]);
    let none = issue("server", &[]);
    let (expired, revoked, departed) =
        (issue("brief", &["read"]), issue("revoked", &["read"]), issue("departed", &["read"]));
    clock.advance(Duration::from_secs(1));
    assert!(gate.revoke_all("revoked"));
    gate.reload(spec(false));

    let row = |name, headers: &[(&'static str, String)], expected| Row {
        name,
        request: Request { path: "/orders", headers: headers.to_vec() },
        expected,
    };
    let bearer =
        |name, token: &str, expected| row(name, &[("Authorization", format!("Bearer {token}"))], expected);
    let scope = ", error=\"insufficient_scope\", error_description=\"the access token lacks a scope this resource needs\", scope=\"read\"";
    let credential = "after the scheme come one space and one token, nothing else";
    let mut flipped = read.clone().into_bytes();
    flipped[10] ^= 1;
    let flipped = String::from_utf8(flipped).unwrap();
    vec![
        row("no header", &[], refused(401, "")),
        row("another scheme", &[("Authorization", "Basic c2VydmVyOng=".to_owned())], refused(401, "")),
        bearer("good", &read, passed("server", "read")),
        row(
            "good, scheme in capitals",
            &[("AUTHORIZATION", format!("BEARER {read}"))],
            passed("server", "read"),
        ),
        bearer("good, more than needed", &both, passed("server", "write read")),
        row(
            "good, and says to be another",
            &[
                ("X-Client-Id", "admin".to_owned()),
                ("X_Client_Scope", "everything".to_owned()),
                ("Authorization", format!("Bearer {read}")),
            ],
            passed("server", "read"),
        ),
        bearer("no token", "", malformed(credential)),
        bearer("two spaces", &format!(" {read}"), malformed(credential)),
        bearer("two tokens", &format!("{read} {read}"), malformed(credential)),
        row(
            "two headers",
            &[("Authorization", format!("Bearer {read}")), ("Authorization", format!("Bearer {read}"))],
            malformed("more than one Authorization header"),
        ),
        bearer("garbage", "abc", invalid_token()),
        bearer("a byte changed", &flipped, invalid_token()),
        bearer("cut short", &read[..51], invalid_token()),
        bearer("expired", &expired, invalid_token()),
        bearer("revoked", &revoked, invalid_token()),
        bearer("of a client that is gone", &departed, invalid_token()),
        bearer("another scope", &write, refused(403, scope)),
        bearer("no scope", &none, refused(403, scope)),
        Row {
            name: "in the query",
            request: Request { path: query(&read), headers: Vec::new() },
            expected: refused(401, ""),
        },
    ]
}

fn query(token: &str) -> &'static str {
    format!("/orders?access_token={token}").leak()
}

#[tokio::test]
async fn every_mount_agrees_row_by_row() {
    let clock = Arc::new(ManualClock::default());
    let gate = Gate::builder(spec(true))
        .clock(Arc::<ManualClock>::clone(&clock))
        .hashing_threads(1)
        .build()
        .unwrap();
    let rows = table(&gate, &clock);
    let proxy = pingora_mounts::proxy(&gate).await;
    let app = pingora_mounts::app(&gate).await;
    let gateway = gateway_mount::gateway(&gate).await;
    for Row { name, request, expected } in &rows {
        assert_eq!(&mount::tower(&gate, request).await, expected, "tower: {name}");
        assert_eq!(&mount::axum(&gate, request).await, expected, "axum: {name}");
        assert_eq!(&mount::over_tcp(app, request).await, expected, "pingora app: {name}");
        assert_eq!(&mount::over_tcp(gateway, request).await, expected, "gateway: {name}");
        assert_eq!(&mount::over_tcp(proxy, request).await, expected, "pingora proxy: {name}");
    }
}

#[tokio::test]
async fn a_pingora_connection_serves_on_after_a_refusal_at_the_token_endpoint() {
    let client = ClientSpec::with_id("server").unwrap().plain_secret("Password1").unwrap();
    let gate = Gate::builder(GateSpec::default().client(client)).hashing_threads(1).build().unwrap();
    let form =
        |secret: &str| format!("grant_type=client_credentials&client_id=server&client_secret={secret}");
    let requests =
        [form("Password1"), form("wrong"), "a".repeat(17 * 1024), "grant".to_owned(), form("Password1")];
    for server in [pingora_mounts::proxy(&gate).await, pingora_mounts::app(&gate).await] {
        assert_eq!(mount::token_requests(server, &requests).await, [200, 401, 413, 400, 200]);
    }
}
