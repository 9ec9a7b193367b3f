//! The command line: the real binary in a directory of its own.

use crate::support::config::{SECRET, cheap_hash};
use crate::support::gateway::Output;
use crate::support::{
    Config, Conn, Gateway, TOKEN, Upstream, basic, form, get, post_form, raw, run, token_of,
};
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// The promise is 2 s; the rest is for a busy machine.
const RELOAD_LIMIT: Duration = Duration::from_millis(2500);

fn folder(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("gateway.toml"), config).expect("gateway.toml");
    dir
}

fn text_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("gateway.toml")).expect("gateway.toml")
}

#[track_caller]
fn run_ok(dir: &Path, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
    unshown(&output);
    output.stdout
}

#[track_caller]
fn json(dir: &Path, arguments: &[&str]) -> Value {
    let text = run_ok(dir, arguments);
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{text}"))
}

/// Returns the standard error of a command that must fail with this code.
#[track_caller]
fn run_err(dir: &Path, code: i32, arguments: &[&str]) -> String {
    let output = run(dir, arguments);
    assert_eq!(output.code, Some(code), "{arguments:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{arguments:?}: {output:?}");
    unshown(&output);
    output.stderr
}

#[track_caller]
fn unshown(output: &Output) {
    let all = output.all();
    assert!(!all.contains("$v=19$m=") && !all.contains("panicked"), "{output:?}");
}

/// Runs a command with an environment variable and standard input.
#[track_caller]
fn with_input(dir: &Path, arguments: &[&str], variable: Option<(&str, &str)>, input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(arguments)
        .current_dir(dir)
        .envs(variable)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    // A command that does not read its input may have exited already.
    let _ = child.stdin.take().expect("stdin").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("its output");
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn small() -> Config {
    Config::bare()
        .upstream("api", "127.0.0.1:9".parse().expect("an address"))
        .client("one", SECRET, "scopes = [\"read\"]")
        .client("two", SECRET, "scopes = [\"read\", \"write\"]\nenabled = false")
        .route("path = \"/hello\"\nmethods = [\"GET\"]\nscopes = [\"read\"]\nupstream = \"api\"")
        .route("prefix = \"/\"\nany_scope = [\"write\", \"admin\"]\nupstream = \"api\"")
        .route("path = \"/users/{name}\"\naccess = \"public\"\nupstream = \"api\"")
}

/// Waits until the gateway has done something, up to the promised time.
#[track_caller]
fn eventually(gateway: &Gateway, what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(
            started.elapsed() < RELOAD_LIMIT,
            "{what}: not within {RELOAD_LIMIT:?}\n{}",
            gateway.written()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn request_token(address: SocketAddr, id: &str, secret: &str) -> crate::support::TestResponse {
    let body = format!(
        "grant_type=client_credentials&scope=read&client_id={}&client_secret={}",
        form(id),
        form(secret)
    );
    raw(address, post_form(TOKEN, &[], body))
}

fn call(token: &str) -> Vec<u8> {
    get("/hello", &[&format!("Authorization: Bearer {token}")])
}

#[test]
fn a_running_gateway_applies_the_changes_of_the_commands() {
    let upstream = Upstream::start();
    let config = Config::bare()
        .upstream("api", upstream.address())
        .client("one", SECRET, "scopes = [\"read\"]")
        .route("path = \"/hello\"\nscopes = [\"read\"]\nupstream = \"api\"");
    let gateway = Gateway::start(&config);
    let (address, dir) = (gateway.plain(), gateway.dir());
    let old = token_of(&request_token(address, "one", SECRET));
    let mut kept = Conn::plain(address);
    kept.request(call(&old)).status(200);

    let added = json(dir, &["client", "add", "fresh", "--scope", "read", "--json"]);
    let secret = added["client_secret"].as_str().expect("the secret").to_owned();
    eventually(&gateway, "the new client", || request_token(address, "fresh", &secret).code() == 200);
    let fresh = token_of(&request_token(address, "fresh", &secret));
    kept.request(call(&fresh)).status(200);
    kept.request(call(&old)).status(200);

    run_ok(dir, &["client", "disable", "fresh"]);
    eventually(&gateway, "the disabled client's token", || raw(address, call(&fresh)).code() == 401);
    kept.request(call(&fresh)).bearer_error(401, Some("invalid_token"));
    request_token(address, "fresh", &secret).oauth_error(401, "invalid_client");
    kept.request(call(&old)).status(200);

    // Both secrets work while the old one is kept; after the next reset, only the new one does.
    run_ok(dir, &["client", "enable", "fresh"]);
    let reset = |arguments: &[&str]| {
        let arguments = [&["client", "reset-secret", "fresh", "--json"], arguments].concat();
        json(dir, &arguments)["client_secret"].as_str().expect("the secret").to_owned()
    };
    let second = reset(&["--keep-old", "1h"]);
    eventually(&gateway, "the second secret", || request_token(address, "fresh", &second).code() == 200);
    request_token(address, "fresh", &secret).status(200);
    let third = reset(&[]);
    eventually(&gateway, "the third secret", || request_token(address, "fresh", &third).code() == 200);
    request_token(address, "fresh", &secret).oauth_error(401, "invalid_client");
    request_token(address, "fresh", &second).oauth_error(401, "invalid_client");

    // Shifted lines are not a change of a listener.
    assert!(!gateway.written().contains("only after a restart"), "{}", gateway.written());
    let text = text_of(dir);
    let reloads = |gateway: &Gateway| gateway.written().matches("reloaded: ").count();
    let before = reloads(&gateway);
    std::fs::write(dir.join("gateway.toml"), format!("# one line more\n{text}")).expect("gateway.toml");
    eventually(&gateway, "the shifted file", || reloads(&gateway) > before);
    assert!(!gateway.written().contains("only after a restart"), "{}", gateway.written());
    std::fs::write(dir.join("gateway.toml"), text.replace("threads = 1", "threads = 2"))
        .expect("gateway.toml");
    eventually(&gateway, "what needs a restart is named", || {
        gateway.written().contains("server.threads takes effect only after a restart")
    });

    // An invalid file changes nothing and is reported.
    std::fs::write(dir.join("gateway.toml"), text.replace("[scopes]", "[scope]")).expect("gateway.toml");
    eventually(&gateway, "the report", || gateway.written().contains("is not applied"));
    let written = gateway.written();
    let stderr = written.split_once("--- stderr").expect("stderr").1;
    assert!(stderr.contains("did you mean `scopes`?"), "{written}");
    assert!(!written.contains("$m=") && !written.contains(&third), "{written}");
    kept.request(call(&old)).status(200);
    request_token(address, "fresh", &third).status(200);

    std::fs::write(dir.join("gateway.toml"), &text).expect("gateway.toml");
    run_ok(dir, &["client", "remove", "fresh"]);
    eventually(&gateway, "the removed client", || request_token(address, "fresh", &third).code() == 401);
    kept.request(call(&old)).status(200);
}

#[test]
fn a_client_can_be_added_changed_and_removed() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let before = text_of(dir);

    let output = run_ok(
        dir,
        &["client", "add", "new app", "--scope", "read", "--scope", "write", "--token-lifetime", "5m"],
    );
    let secret =
        output.lines().find_map(|line| line.trim().strip_prefix("client_secret")).expect("the secret").trim();
    assert_eq!(secret.len(), 43, "256 bits in base64url: {output}");
    assert!(secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{output}");
    assert!(output.contains("client_id=new+app") && output.contains("scope=read+write"), "{output}");
    let text = text_of(dir);
    assert!(!text.contains(secret), "the secret is in the file");
    assert!(text.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");

    let shown = json(dir, &["client", "show", "new app", "--json"]);
    assert_eq!(shown["scopes"], serde_json::json!(["read", "write"]));
    assert_eq!(shown["capabilities"], serde_json::json!(["client_credentials"]));
    assert_eq!(shown["token_lifetime"], 300);
    assert_eq!(shown["enabled"], true);
    let listed = json(dir, &["client", "list", "--json"]);
    let ids: Vec<&str> =
        listed.as_array().expect("a list").iter().filter_map(|c| c["client_id"].as_str()).collect();
    assert_eq!(ids, ["one", "two", "new app"]);
    let list = run_ok(dir, &["client", "list"]);
    assert!(list.lines().any(|line| line.starts_with("two ") && line.contains("disabled")), "{list}");

    let reset = json(dir, &["client", "reset-secret", "new app", "--keep-old", "24h", "--json"]);
    assert_eq!(reset["kept"], serde_json::json!(["default"]));
    let list = run(dir, &["client", "list"]);
    assert!(list.stderr.contains("warning: new app: the secret \"default\" expires at "), "{list:?}");
    let show = json(dir, &["client", "show", "new app", "--json"]);
    assert_eq!(show["secrets"][0]["expires_soon"], true, "{show}");
    assert_eq!(show["secrets"][1]["id"], reset["secret_id"], "{show}");
    assert_eq!(show["secrets"][1]["expires"], Value::Null, "{show}");

    run_ok(dir, &["client", "disable", "new app"]);
    assert_eq!(json(dir, &["client", "show", "new app", "--json"])["enabled"], false);
    run_ok(dir, &["client", "enable", "new app"]);
    run_ok(dir, &["check"]);
    run_ok(dir, &["client", "remove", "new app"]);
    assert_eq!(text_of(dir), before, "a removed client leaves no trace");
}

#[test]
fn wrong_edits_are_refused_and_change_nothing() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let before = text_of(dir);
    let output = run_err(dir, 2, &["client", "add", "x", "--scope", "delete"]);
    assert!(
        output.contains("[scopes]") && output.contains("delete = ") && output.contains("read, write, admin"),
        "{output}"
    );
    assert!(run_err(dir, 2, &["client", "add", "one", "--scope", "read"]).contains("already"));
    assert!(run_err(dir, 2, &["client", "add", "x", "--token-lifetime", "299"]).contains("unit"));
    assert!(run_err(dir, 2, &["client", "add", "x", "--token-lifetime", "99d"]).contains("token_lifetime"));
    assert!(
        run_err(dir, 2, &["client", "add", "x", "--scope", "read", "--default-scope", "write"])
            .contains("default_scopes")
    );
    assert!(run_err(dir, 2, &["client", "add", "ü"]).contains("ASCII"));
    for verb in ["show", "disable", "enable", "remove", "reset-secret"] {
        assert!(run_err(dir, 2, &["client", verb, "twoo"]).contains("did you mean \"two\"?"), "{verb}");
    }
    run_err(dir, 2, &["client", "list", "--config", "nosuch.toml"]);
    run_err(dir, 2, &["client", "add", "x", "--config", "nosuch.toml"]);
    assert_eq!(text_of(dir), before);

    // A file with errors can be edited only if the edit fixes them.
    let broken = before.replace(&secret_line(&before), "secret = \"Password1\"");
    std::fs::write(dir.join("gateway.toml"), &broken).expect("gateway.toml");
    let output = run_err(dir, 2, &["client", "disable", "two"]);
    assert!(output.contains("the file already has errors") && !output.contains("Password1"), "{output}");
    assert_eq!(text_of(dir), broken);
    run_ok(dir, &["client", "reset-secret", "one"]);
    run_ok(dir, &["check"]);
}

/// Returns the line of the first client.
fn secret_line(text: &str) -> String {
    text.lines().find(|line| line.starts_with("secret = ")).expect("a secret").to_owned()
}

#[test]
fn expired_secrets_cause_a_warning() {
    let hash = cheap_hash(SECRET);
    let dir = folder(&format!(
        "[clients.a]\nsecrets = [{{ id = \"old\", hash = \"{hash}\", expires = 2020-01-01T00:00:00Z }}, {{ id = \"new\", hash = \"{hash}\" }}]\n\
         [clients.b]\nsecrets = [{{ id = \"x\", hash = \"{hash}\", expires = 2020-01-01T00:00:00Z }}]\n\
         [clients.c]\nsecrets = [{{ id = \"y\", hash = \"{hash}\", expires = 2999-01-01T00:00:00Z }}]\n"
    ));
    let output = run(dir.path(), &["client", "list"]);
    let warned = |text: &str| output.stderr.lines().any(|line| line.contains(text));
    assert!(warned("a: the secret \"old\" expired at 2020-01-01T00:00:00Z"), "{output:?}");
    assert!(warned("b: all its secrets have expired"), "{output:?}");
    assert!(!warned("c:") && !output.stdout.contains("warning"), "{output:?}");
}

/// Starts a gateway on a TLS port that is known in advance.
fn with_known_port() -> (Gateway, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let upstream = "127.0.0.1:9".parse().expect("an address");
    let text = Config::standard(upstream).text().replace("http://127.0.0.1:0", &format!("https://{free}"));
    (Gateway::start_text(&text, &[]), free)
}

#[test]
fn the_token_command_gets_a_token() {
    let (gateway, address) = with_known_port();
    let dir = gateway.dir();
    fn token<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
        [&["token", "--client", "other", "--secret", SECRET], arguments].concat()
    }
    // The certificate of the gateway is trusted because the configuration names it.
    let output = run_ok(dir, &token(&["--scope", "read"]));
    assert!(
        output.starts_with("tg_") && output.trim_end().len() == 52 && output.lines().count() == 1,
        "{output}"
    );
    let whole = json(dir, &token(&["--scope", "read", "--json"]));
    assert_eq!(
        (&whole["token_type"], &whole["expires_in"], &whole["scope"]),
        (&"bearer".into(), &299.into(), &"read".into())
    );

    // The secret from the environment, and from standard input.
    let arguments = ["token", "--client", "other"];
    for (variable, input) in [(Some(("TOLLGATE_CLIENT_SECRET", SECRET)), ""), (None, &*format!("{SECRET}\n"))]
    {
        let output = with_input(dir, &arguments, variable, input);
        assert_eq!(output.code, Some(0), "{output:?}");
        assert!(output.stdout.starts_with("tg_") && !output.all().contains(SECRET), "{output:?}");
    }
    assert!(run_err(dir, 2, &arguments).contains("TOLLGATE_CLIENT_SECRET"));

    // OAuth errors are shown unchanged.
    let output = run_err(dir, 1, &["token", "--client", "other", "--secret", "wrong"]);
    assert!(output.contains("invalid_client") && !output.contains("wrong"), "{output}");
    // Generated secrets may begin with a hyphen.
    assert!(
        run_err(dir, 1, &["token", "--client", "other", "--secret", "-wrong"]).contains("invalid_client")
    );
    assert!(run_err(dir, 1, &token(&["--scope", "admin"])).contains("invalid_scope"));
    assert!(run_err(dir, 2, &["token"]).contains("--client"));

    // In a directory without a configuration, the certificate is unknown.
    let elsewhere = tempfile::tempdir().expect("a folder");
    let url = format!("https://localhost:{}", address.port());
    let far = token(&["--scope", "read", "--url", &url]);
    assert!(run_err(elsewhere.path(), 1, &far).contains("certificate"));
    assert!(run_ok(elsewhere.path(), &[&far[..], &["-k"]].concat()).starts_with("tg_"));
    let whole_url = format!("{url}{TOKEN}");
    assert!(run_ok(dir, &token(&["--url", &whole_url])).starts_with("tg_"));

    // A server that does not speak OAuth, and one that does not respond.
    let output = run_err(dir, 1, &token(&["--url", &format!("{url}/nosuch")]));
    assert!(output.contains("404"), "{output}");
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    assert!(run_err(dir, 1, &token(&["--url", &format!("http://{closed}")])).contains("cannot connect"));
    run_err(dir, 2, &token(&["--url", "localhost:8443"]));
}

#[test]
fn explain_shows_the_outcome_of_a_request() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let explained = |arguments: &[&str]| -> Value {
        let output = run(dir, &[&["explain", "--json"], arguments].concat());
        let explained: Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        let refused = explained["verdict"]["status"].is_u64();
        assert_eq!(output.code, Some(if refused { 3 } else { 0 }), "{output:?}");
        explained
    };
    let verdict = |arguments: &[&str]| explained(arguments)["verdict"].clone();
    assert_eq!(
        verdict(&["GET", "https://localhost/hello", "--client", "one"]),
        serde_json::json!({ "passes": true, "upstream": "api", "path": "/hello" })
    );
    let refused = |arguments: &[&str]| verdict(arguments)["status"].as_u64().expect("a status");
    assert_eq!(refused(&["GET", "/hello"]), 401);
    assert_eq!(refused(&["GET", "/hello", "--client", "two"]), 401);
    assert_eq!(refused(&["GET", "/hello", "--scope", "write"]), 403);
    assert_eq!(refused(&["POST", "/hello", "--scope", "read"]), 405);
    assert_eq!(refused(&["GET", "/a/../hello", "--scope", "read"]), 400);
    let output = run_ok(dir, &["explain", "GET", "/users/%61?x", "--scope", "read"]);
    assert!(
        output.contains("/users/a")
            && output.contains("public")
            && output.contains("as /users/a and its query"),
        "{output}"
    );
    assert!(run_err(dir, 2, &["explain", "GET", "/hello", "--client", "three"]).contains("no client"));
    assert!(
        run_err(dir, 2, &["explain", "GET", "/hello", "--client", "one", "--scope", "write"])
            .contains("invalid_scope")
    );
    run_err(dir, 2, &["explain", "GET", "hello"]);
    // A text that is not a token is rejected without a gateway; a token needs one.
    assert_eq!(refused(&["GET", "/hello", "--token", "0470b16b-7bf8-4fa3-9ae1-6a10e0f0b699"]), 401);
}

#[test]
fn explain_compares_the_outcome_with_the_expected_one() {
    let dir = folder(&small().text());
    let expect = |outcome: &str, request: &[&str]| {
        run(dir.path(), &[&["explain", "--expect", outcome], request].concat())
    };
    let scoped = ["GET", "/hello", "--scope", "read"];
    let table: [(&str, &[&str]); 4] = [
        ("pass", &scoped),
        ("401", &["GET", "/hello"]),
        ("403", &["GET", "/hello", "--scope", "write"]),
        ("endpoint", &["POST", "/oauth/v2/oauth-token"]),
    ];
    for (outcome, request) in table {
        let output = expect(outcome, request);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
        for (other, _) in table.iter().filter(|(other, _)| *other != outcome) {
            let output = expect(other, request);
            assert_eq!(output.code, Some(1), "{output:?}");
            assert_eq!(output.stderr, format!("expected {other}, and the outcome is {outcome}\n"));
        }
    }
    assert_eq!(expect("refused", &scoped).code, Some(2));
}

#[test]
fn a_refusal_names_the_setting_that_decides() {
    let dir = folder(&small().text());
    let text = |request: &[&str]| run(dir.path(), &[&["explain", "GET"], request].concat()).stdout;
    let output = text(&["/elsewhere;x", "--scope", "write"]);
    assert!(output.contains("400: the path has a semicolon"), "{output}");
    assert!(output.contains("setting         allow_semicolon = true on the route"), "{output}");
    assert!(text(&["/elsewhere%2Fx", "--scope", "write"]).contains("allow_encoded_slash = true"));
    assert!(
        text(&["/hello", "--client", "one", "--scope", "read", "--body", "1GiB"])
            .contains("`max_body_size` of the route")
    );
    assert!(!text(&["/hello", "--scope", "read"]).contains("setting"));
    assert!(!text(&["/a/../b"]).contains("setting"));
    let dir = dir.path();
    let output = run(dir, &["explain", "GET", "/hello", "--scope", "write", "--json"]);
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(json["verdict"]["setting"], "clients.scopes");
}

#[test]
fn explain_introspects_a_token() {
    let (gateway, _) = with_known_port();
    let dir = gateway.dir();
    let token = run_ok(dir, &["token", "--client", "other", "--secret", SECRET, "--scope", "read"]);
    let token = token.trim();
    assert!(run_err(dir, 2, &["explain", "GET", "/hello", "--token", token]).contains("introspection"));
    let explain = |path: &str, token: &str| {
        let asker = ["--client", "introspector", "--secret", SECRET, "--json"];
        let output = run(dir, &[&["explain", "GET", path, "--token", token], &asker[..]].concat());
        serde_json::from_str::<Value>(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    };
    let explained = explain("/hello", token);
    assert_eq!(
        (&explained["client_id"], &explained["verdict"]["passes"]),
        (&"other".into(), &true.into()),
        "{explained}"
    );
    assert_eq!(explain("/write", token)["verdict"]["error"], "insufficient_scope");
    let body = format!("token={token}");
    let mut conn = Conn::tls(gateway.tls(), &["http/1.1"]);
    conn.request(post_form(crate::support::REVOKE, &[&basic("other", SECRET)], body)).status(200);
    assert_eq!(explain("/hello", token)["verdict"]["error"], "invalid_token");
    let not_asker = ["--client", "other", "--secret", SECRET];
    let output = run_err(dir, 1, &[&["explain", "GET", "/hello", "--token", token], &not_asker[..]].concat());
    assert!(output.contains("unauthorized_client"), "{output}");
}

#[test]
fn routes_prints_the_access_matrix() {
    let dir = folder(&small().text());
    let table = run_ok(dir.path(), &["routes"]);
    assert!(table.lines().all(|line| line.chars().count() <= 80) || table.contains("->"), "{table}");
    let routes = json(dir.path(), &["routes", "--json"]);
    let paths: Vec<&str> = routes
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|route| route["path"].as_str().or(route["prefix"].as_str()))
        .collect();
    assert_eq!(paths, ["/hello", "/users/{name}", "/"], "the most specific first");
    assert_eq!(routes[0]["clients"]["one"]["allowed"], true);
    assert_eq!(
        routes[0]["clients"]["two"],
        serde_json::json!({ "allowed": false, "reason": "disabled", "missing": [] })
    );
    assert_eq!(routes[1]["clients"]["two"]["allowed"], true, "a public route");
    assert_eq!(routes[2]["clients"]["one"]["missing"], serde_json::json!(["write", "admin"]));

    // Many clients: a list that fits the width.
    let many = (0..20).fold(small(), |config, n| {
        config.client(&format!("client-number-{n}"), SECRET, "scopes = [\"read\"]")
    });
    let dir = folder(&many.text());
    let list = run_ok(dir.path(), &["routes"]);
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    assert!(list.contains("GET /hello  ->  api") && list.contains("  yes  client-number-19"), "{list}");
    assert!(list.contains("  no   client-number-3 (lacks write or admin)"), "{list}");
}

#[test]
fn a_change_that_widens_access_fails_a_review() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let before = text_of(dir);
    std::fs::write(dir.join("before.toml"), &before).expect("before.toml");
    assert_eq!(run_ok(dir, &["diff", "before.toml"]), "Nothing that clients can reach changes.\n");

    run_ok(dir, &["client", "enable", "two"]);
    let widened = run(dir, &["diff", "before.toml"]);
    assert_eq!(widened.code, Some(1), "{widened:?}");
    assert!(widened.stdout.contains("+ client \"two\" gets through GET /hello\n"), "{widened:?}");
    assert!(widened.stderr.contains("widen"), "{widened:?}");
    unshown(&widened);

    // The same change in reverse removes access.
    let narrowed = json(dir, &["diff", "gateway.toml", "before.toml", "--json"]);
    let narrowed = narrowed.as_array().expect("a list");
    let lost = serde_json::json!({
        "change": "lost", "client": "two", "route": "GET /hello", "widens": false,
        "text": "client \"two\" no longer gets through GET /hello",
    });
    assert!(narrowed.contains(&lost), "{narrowed:?}");
    assert!(narrowed.iter().all(|change| change["widens"] == false), "{narrowed:?}");
    run_err(dir, 2, &["diff", "nosuch.toml"]);
}

#[test]
fn schema_and_completions_are_printed() {
    let dir = tempfile::tempdir().expect("a folder");
    // The schema contains a sample hash, so it is not searched for hashes.
    let schema: Value = serde_json::from_str(&run(dir.path(), &["schema"]).stdout).expect("JSON");
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    for shell in ["bash", "zsh", "fish"] {
        let script = run_ok(dir.path(), &["completions", shell]);
        assert!(script.contains("TOLLGATE_COMPLETE"), "{shell}: {script}");
    }
    run_err(dir.path(), 2, &["completions", "nosuchshell"]);
}

#[test]
fn a_shell_completes_commands_and_the_names_in_the_file() {
    let dir = folder(&small().text());
    let complete = |words: &[&str]| -> Vec<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_tollgate"))
            .arg("--")
            .args(words)
            .current_dir(dir.path())
            .env("TOLLGATE_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", (words.len() - 1).to_string())
            .env("_CLAP_IFS", "\n")
            .output()
            .expect("completions");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("UTF-8").lines().map(str::to_owned).collect()
    };
    assert!(complete(&["tollgate", "client", ""]).contains(&"reset-secret".to_owned()));
    assert_eq!(complete(&["tollgate", "client", "edit", "o"]), ["one"]);
    assert_eq!(complete(&["tollgate", "client", "add", "x", "--scope", "w"]), ["write"]);
    assert_eq!(complete(&["tollgate", "explain", "GET", "/", "--client", "t"]), ["two"]);
    std::fs::rename(dir.path().join("gateway.toml"), dir.path().join("other.toml")).expect("renamed");
    assert_eq!(complete(&["tollgate", "client", "show", "o"]), [""; 0]);
    assert_eq!(complete(&["tollgate", "--config", "other.toml", "client", "show", "o"]), ["one"]);
}

#[test]
fn a_client_without_scopes_comes_with_advice() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let output = run_ok(dir, &["client", "add", "bare"]);
    assert!(
        output.contains("open only routes that need none")
            && output.contains("client edit \"bare\" --add-scope"),
        "{output}"
    );
    let output = run_ok(dir, &["client", "add", "scoped", "--scope", "read"]);
    assert!(output.contains("a token without scopes opens nothing"), "{output}");
    assert!(output.contains("tollgate client edit \"scoped\" --add-default-scope read"), "{output}");
    let output = run_ok(dir, &["client", "add", "ready", "--default-scope", "read"]);
    assert!(!output.contains("without scopes"), "{output}");
    let shown = json(dir, &["client", "show", "ready", "--json"]);
    assert_eq!(
        (&shown["scopes"], &shown["default_scopes"]),
        (&serde_json::json!(["read"]), &serde_json::json!(["read"]))
    );
}

#[test]
fn a_client_is_edited() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let output = run_ok(
        dir,
        &["client", "edit", "one", "--add-scope", "write", "--default-scope", "write", "--rate-limit", "9/s"],
    );
    assert!(output.contains("is changed: scopes, default_scopes, rate_limit."), "{output}");
    let shown = json(dir, &["client", "show", "one", "--json"]);
    assert_eq!(shown["scopes"], serde_json::json!(["read", "write"]));
    let edited = json(dir, &["client", "edit", "one", "--remove-scope", "write", "--json"]);
    assert_eq!(edited["changed"], serde_json::json!(["scopes", "default_scopes"]));
    let output =
        run_ok(dir, &["client", "edit", "one", "--no-rate-limit", "--add-capability", "introspection"]);
    assert!(output.contains("capabilities, rate_limit"), "{output}");
    assert!(
        run_ok(dir, &["client", "edit", "one", "--no-rate-limit"]).contains("already had these settings")
    );

    let before = text_of(dir);
    assert!(run_err(dir, 2, &["client", "edit", "one"]).contains("no change is given"));
    assert!(
        run_err(dir, 2, &["client", "edit", "twoo", "--add-scope", "read"]).contains("did you mean \"two\"?")
    );
    assert!(
        run_err(dir, 2, &["client", "edit", "one", "--remove-scope", "raed"])
            .contains("did you mean \"read\"?")
    );
    assert!(run_err(dir, 2, &["client", "edit", "one", "--rate-limit", "fast"]).contains("100/s"));
    assert_eq!(text_of(dir), before);
}

#[test]
fn a_closed_output_pipe_is_not_a_failure() {
    let dir = folder(&small().text());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .arg("schema")
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    drop(child.stdout.take());
    let mut output = String::new();
    child.stderr.take().expect("stderr").read_to_string(&mut output).expect("stderr");
    assert!(child.wait().expect("its status").success() && output.is_empty(), "{output}");
}
