//! Dynamic client registration (RFC 7591, RFC 7592) against the real program, with raw requests.

use crate::support::jose::SigningKey;
use crate::support::program::run_upgrade;
use crate::support::{
    Config, Fixture, Gateway, TOKEN, TestResponse, Upstream, basic, get, post_form, run, token_of,
};
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

const REGISTER: &str = "/oauth/v2/register";
/// The challenge for a token that is refused.
const BEARER: &str = "Bearer realm=\"tollgate\", error=\"invalid_token\"";

const TABLE: &str = "[token_service.registration]
max_per_minute = 10000
[token_service.registration.templates.partner]
scopes = [\"read\", \"write\"]
token_lifetime = \"10m\"
token_endpoint_auth_methods = [\"client_secret_basic\", \"client_secret_post\", \"private_key_jwt\"]
";

fn config(upstream: &Upstream, state: &Path) -> Config {
    Config::standard(upstream.address()).server(&format!("state_dir = {state:?}")).table(TABLE)
}

/// Makes an initial access token by the command line, and waits until the gateway knows it.
#[track_caller]
fn initial_token(gateway: &Gateway, name: &str, more: &[&str]) -> String {
    let before = gateway.times_written("reloaded");
    let arguments = [&["registration", "token", name, "--template", "partner", "--json"], more].concat();
    let output = run(gateway.dir(), &arguments);
    assert_eq!(output.code, Some(0), "{output:?}");
    gateway.wait_until_written("reloaded", before);
    let made: Value = serde_json::from_str(&output.stdout).expect("JSON");
    made["initial_access_token"].as_str().expect("a token").to_owned()
}

fn request(method: &str, path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn register(fixture: &Fixture, token: &str, body: &Value) -> TestResponse {
    fixture.raw(request("POST", REGISTER, token, &body.to_string()))
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

fn by_basic(fixture: &Fixture, client: &Value) -> TestResponse {
    let login = basic(&text(client, "client_id"), &text(client, "client_secret"));
    fixture.raw(post_form(TOKEN, &[&login], "grant_type=client_credentials&scope=read"))
}

fn status(fixture: &Fixture, token: &str) -> u16 {
    fixture.raw(get("/hello", &[&format!("Authorization: Bearer {token}")])).code()
}

#[test]
fn a_program_registers_a_client_which_gets_through_until_it_removes_itself() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, state.path()));
    let mut fixture = Fixture { gateway, upstream };
    let token = initial_token(&fixture.gateway, "ci", &["--max-uses", "2", "--expires-in", "1h"]);
    let file = std::fs::read_to_string(fixture.gateway.dir().join("gateway.toml")).expect("the file");
    assert!(!file.contains(&token) && file.contains("sha256:"), "only the digest is kept\n{file}");
    let metadata = fixture.raw(get("/.well-known/oauth-authorization-server", &[])).json();
    assert_eq!(metadata["registration_endpoint"], format!("https://issuer.example.test{REGISTER}"));

    let answer = register(&fixture, &token, &json!({ "client_name": "Orders", "scope": "read", "x": 1 }));
    answer.status(201).has("cache-control", "no-store").has("content-type", "application/json");
    let client = answer.json();
    assert_eq!(client["grant_types"], json!(["client_credentials"]));
    assert_eq!((&client["scope"], client.get("x")), (&json!("read"), None));
    let issued = by_basic(&fixture, &client);
    let access = token_of(&issued);
    assert_eq!(status(&fixture, &access), 200);
    let by_post = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        text(&client, "client_id"),
        text(&client, "client_secret")
    );
    fixture.raw(post_form(TOKEN, &[], by_post)).oauth_error(401, "invalid_client");

    // A client with a key.
    let key = SigningKey::new();
    let keys = format!(r#"{{"keys":[{}]}}"#, key.jwk(r#","kid":"1""#));
    let keys: Value = serde_json::from_str(&keys).expect("a key set");
    let signer = register(
        &fixture,
        &token,
        &json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "scope": "read" }),
    );
    let signer = signer.status(201).json();
    assert_eq!(signer.get("client_secret"), None);
    let id = text(&signer, "client_id");
    let assertion = key.assertion("1", &id, "https://issuer.example.test");
    let by_key = format!(
        "grant_type=client_credentials&client_assertion_type={}&client_assertion={assertion}",
        "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    fixture.raw(post_form(TOKEN, &[], by_key)).status(200);

    // It survives a restart and being killed. The initial access token is used up.
    for signal in ["TERM", "KILL"] {
        fixture.gateway.signal(signal);
        fixture.gateway.wait(Duration::from_secs(12));
        let file = std::fs::read_to_string(fixture.gateway.dir().join("gateway.toml")).expect("the file");
        fixture.gateway = Gateway::start_text(&file, &[]);
        assert_eq!(status(&fixture, &access), 200, "after {signal}");
        by_basic(&fixture, &client).status(200);
        register(&fixture, &token, &json!({})).status(401).has("www-authenticate", BEARER);
    }
    let listed = run(fixture.gateway.dir(), &["registration", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed.stdout).expect("JSON");
    assert_eq!(listed.as_array().map(Vec::len), Some(2), "{listed}");
    assert!(!listed.to_string().contains("argon2id"), "{listed}");

    let uri = text(&client, "registration_client_uri");
    let path = uri.strip_prefix("https://issuer.example.test").expect("its path");
    let manage = text(&client, "registration_access_token");
    fixture.raw(request("GET", path, &text(&signer, "registration_access_token"), "")).status(401);
    fixture.raw(request("GET", path, &manage, "")).status(200);
    let gone = fixture.raw(request("DELETE", path, &manage, ""));
    gone.status(204).has("cache-control", "no-store");
    assert_eq!(status(&fixture, &access), 401, "its tokens end with it");
    by_basic(&fixture, &client).oauth_error(401, "invalid_client");
    fixture.raw(request("GET", path, &manage, "")).status(401);
}

#[test]
fn operators_disable_and_remove_registered_clients_by_the_command_line() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, state.path()));
    let fixture = Fixture { gateway, upstream };
    let token = initial_token(&fixture.gateway, "ci", &[]);
    let client = register(&fixture, &token, &json!({})).status(201).json();
    let id = text(&client, "client_id");
    for (verb, expected) in [("disable", 401), ("enable", 200), ("remove", 401)] {
        let before = fixture.gateway.times_written("reloaded");
        let output = run(fixture.gateway.dir(), &["client", verb, &id]);
        assert_eq!(output.code, Some(0), "{output:?}");
        fixture.gateway.wait_until_written("reloaded", before);
        assert_eq!(by_basic(&fixture, &client).code(), expected, "{verb}");
    }
    let before = fixture.gateway.times_written("reloaded");
    let output = run(fixture.gateway.dir(), &["registration", "remove-token", "ci"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    fixture.gateway.wait_until_written("reloaded", before);
    register(&fixture, &token, &json!({})).status(401).has("www-authenticate", BEARER);
}

#[test]
fn a_client_of_the_process_before_an_upgrade_is_one_of_the_process_after_it() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, state.path()));
    let fixture = Fixture { gateway, upstream };
    let token = initial_token(&fixture.gateway, "ci", &["--max-uses", "3"]);
    let clients = [(); 2].map(|()| register(&fixture, &token, &json!({})).status(201).json());
    let access = token_of(&by_basic(&fixture, &clients[0]));
    // A connection keeps the process before the upgrade alive.
    let mut earlier = fixture.connect();
    earlier.request(get("/hello", &[&format!("Authorization: Bearer {access}")])).status(200);
    let (_, _guard) = run_upgrade(fixture.gateway.dir());
    assert_eq!(status(&fixture, &access), 200);
    for client in &clients {
        by_basic(&fixture, client).status(200);
    }

    // A client that the new process has removed is refused by both.
    let uri = text(&clients[0], "registration_client_uri");
    let path = uri.strip_prefix("https://issuer.example.test").expect("its path");
    let manage = text(&clients[0], "registration_access_token");
    fixture.raw(request("GET", path, &manage, "")).status(200);
    let deadline = Instant::now() + Duration::from_secs(20);
    let deleted = || fixture.raw(request("DELETE", path, &manage, "")).code();
    let code = std::iter::repeat_with(deleted).find(|code| *code != 503 || Instant::now() > deadline);
    assert_eq!(code, Some(204));
    by_basic(&fixture, &clients[0]).oauth_error(401, "invalid_client");
    assert_eq!(status(&fixture, &access), 401);
    earlier.send(get("/hello", &[&format!("Authorization: Bearer {access}")]));
    if let Ok(answer) = earlier.try_read(false) {
        answer.status(401);
    }
    // The uses of the token are counted by both.
    let registered = || register(&fixture, &token, &json!({})).code();
    let code = std::iter::repeat_with(registered).find(|code| *code != 503 || Instant::now() > deadline);
    assert_eq!(code, Some(201));
    register(&fixture, &token, &json!({})).status(401);
}

#[test]
fn a_template_limits_the_rate_of_each_of_its_clients() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let limited = format!("{TABLE}rate_limit = \"2/h\"\n");
    let config = Config::standard(upstream.address())
        .server(&format!("state_dir = {:?}", state.path()))
        .table(&limited);
    let gateway = Gateway::start(&config);
    let fixture = Fixture { gateway, upstream };
    let token = initial_token(&fixture.gateway, "ci", &[]);
    let [one, other] = [(); 2].map(|()| register(&fixture, &token, &json!({})).status(201).json());
    let bearer = |client| token_of(&by_basic(&fixture, client));
    // All tokens of a client share its limit.
    let codes = [(); 3].map(|()| status(&fixture, &bearer(&one)));
    assert_eq!(codes, [200, 200, 429]);
    let refused = fixture.raw(get("/hello", &[&format!("Authorization: Bearer {}", bearer(&one))]));
    refused.status(429).has("ratelimit-policy", "\"client\";q=2;w=3600");
    assert_eq!(status(&fixture, &bearer(&other)), 200, "another client of the template");
    let server = fixture.token("server", "read");
    assert!((0..4).all(|_| status(&fixture, &server) == 200), "a client of the file has its own limit");
    // A reload with the same limit forgets nothing.
    let before = fixture.gateway.times_written("reloaded");
    fixture.gateway.rewrite(|text| format!("{text}# the same\n"));
    fixture.gateway.signal("HUP");
    fixture.gateway.wait_until_written("reloaded", before);
    assert_eq!(status(&fixture, &bearer(&one)), 429);
    let id = text(&one, "client_id");
    let explained = run(fixture.gateway.dir(), &["explain", "GET", "/hello", "--client", &id]);
    assert!(explained.stdout.contains("2/h"), "{explained:?}");
}

#[test]
fn what_is_not_a_registration_is_refused() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, state.path()));
    let fixture = Fixture { gateway, upstream };
    let token = initial_token(&fixture.gateway, "ci", &[]);
    let bearer = format!("Authorization: Bearer {token}");
    let without = fixture.raw("POST /oauth/v2/register HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}");
    assert!(!without.status(401).one("www-authenticate").contains("error"), "{without}");
    fixture.raw(get(REGISTER, &[&bearer])).oauth_error(405, "invalid_request");
    fixture.raw(post_form(REGISTER, &[&bearer], "scope=read")).oauth_error(400, "invalid_request");
    let large = format!("{{\"client_name\":\"{}\"}}", "x".repeat(17 * 1024));
    fixture.raw(request("POST", REGISTER, &token, &large)).oauth_error(413, "invalid_request");
    let many = (0..2_000).map(|n| format!("s{n}")).collect::<Vec<_>>().join(" ");
    for body in [
        format!("{{\"scope\":\"{many}\"}}"),
        r#"{"scope":"read","scope":"admin"}"#.to_owned(),
        r#"{"scope":"admin"}"#.to_owned(),
        r#"{"jwks":{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}}"#.to_owned(),
        format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000)),
        "null".to_owned(),
    ] {
        let answer = fixture.raw(request("POST", REGISTER, &token, &body));
        answer.oauth_error(400, "invalid_client_metadata");
        assert!(!String::from_utf8_lossy(answer.body()).contains("c2VjcmV0"), "{answer}");
    }
    let listed = run(fixture.gateway.dir(), &["registration", "list", "--json"]);
    assert_eq!(listed.stdout.trim(), "[]", "{listed:?}");
    let explained = run(fixture.gateway.dir(), &["explain", "POST", REGISTER]);
    assert!(explained.stdout.contains("registration endpoint"), "{explained:?}");
}

#[test]
fn without_its_table_there_is_no_registration() {
    let fixture = Fixture::start(|config| config);
    fixture
        .raw(request("POST", REGISTER, "tgi_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "{}"))
        .status(404);
    let metadata = fixture.raw(get("/.well-known/oauth-authorization-server", &[])).json();
    assert_eq!(metadata.get("registration_endpoint"), None);
}
