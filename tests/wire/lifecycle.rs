//! Start, check, stop: exit codes, one clear line, no request lost on SIGTERM, no secret in the output.

use crate::support::config::{SECRET, cheap_hash};
use crate::support::upstream::ok;
use crate::support::{
    Config, Conn, Fixture, Gateway, INTROSPECT, PATIENCE, TOKEN, Upstream, basic, credentials, get,
};
use crate::support::{post_form, run};
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

fn folder(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("gateway.toml"), config).expect("gateway.toml");
    dir
}

#[track_caller]
fn one_clear_line(output: &crate::support::program::Output, said: &str) {
    assert_eq!(output.code, Some(2), "{output:?}");
    // Warnings about the test's own configuration do not count.
    let is_error = |line: &&str| !line.trim().is_empty() && !line.contains(" WARN ");
    let lines: Vec<&str> = output.stderr.lines().filter(is_error).collect();
    assert_eq!(lines.len(), 1, "one error on stderr\n{output:?}");
    assert!(lines[0].contains(said), "{said:?} is not in it\n{output:?}");
    assert!(!output.all().contains("panicked"), "{output:?}");
}

#[test]
fn a_port_in_use_is_one_line_and_exit_code_2() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("its address").to_string();
    let config = Config::standard("127.0.0.1:9".parse().expect("an address")).text();
    let dir = folder(&config.replace("127.0.0.1:0\"", &format!("{address}\"")));
    let started = Instant::now();
    one_clear_line(&run(dir.path(), &["run", "--config", "gateway.toml"]), &address);
    assert!(started.elapsed() < Duration::from_secs(5), "it tried for {:?}", started.elapsed());
}

#[test]
fn a_missing_certificate_is_exit_code_2() {
    let config = Config::bare().listen("https://127.0.0.1:0").text();
    let config = config.replace(
        "[token_service]",
        "[server.tls]\ncertificate = \"tls/nosuch-cert.pem\"\nkey = \"tls/nosuch-key.pem\"\n[token_service]",
    );
    let dir = folder(&config);
    for command in ["run", "check"] {
        let output = run(dir.path(), &[command, "--config", "gateway.toml"]);
        assert_eq!(output.code, Some(2), "{command}: {output:?}");
        assert!(output.stderr.contains("nosuch-cert.pem"), "{command}: {output:?}");
        assert!(!output.all().contains("panicked"), "{command}: {output:?}");
    }
}

#[test]
fn a_missing_file_and_a_wrong_argument_are_exit_code_2() {
    let dir = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["run"][..],
        &["check"],
        &["check", "--config", "nosuch.toml"],
        &["nosuch-command"],
        &["run", "--nosuch-option"],
    ] {
        let output = run(dir.path(), arguments);
        assert_eq!(output.code, Some(2), "{arguments:?}: {output:?}");
        assert!(!output.stderr.trim().is_empty(), "{arguments:?}: {output:?}");
        assert!(!output.all().contains("panicked"), "{arguments:?}: {output:?}");
    }
    let help = run(dir.path(), &["--help"]);
    assert_eq!(help.code, Some(0), "{help:?}");
    assert!(help.stdout.contains("check") && help.stdout.contains("run"), "{help:?}");
}

#[test]
fn check_of_a_good_file_is_0() {
    let config = Config::standard("127.0.0.1:9".parse().expect("an address")).listen("https://127.0.0.1:0");
    let dir = folder(&config.text());
    for arguments in
        [&["check"][..], &["check", "--config", "gateway.toml"], &["--config", "gateway.toml", "check"]]
    {
        let output = run(dir.path(), arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
    }
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = run(shipped, &["check"]);
    assert_eq!(output.code, Some(0), "the gateway.toml that ships: {output:?}");
}

/// Ten mistakes, each followed by the key that its error must name.
const TEN_MISTAKES: &str = r#"
[server]
listen = ["http://0.0.0.0:8080"]               # wrong: listen
threads = "many"                               # wrong: threads

[token_service]
issuer = "https://localhost:8443"
token_lifetime = "299"                         # wrong: token_lifetime
token_endpont = "/oauth/v2/oauth-token"        # wrong: token_endpont

[scopes]
read = "Read from the APIs"

[clients.server]
secret = "Sup3rS3cretInPlain"                  # wrong: secret
capabilities = ["client_credential"]           # wrong: capabilities
scopes = ["raed"]                              # wrong: scopes

[upstreams.hello]
servers = ["gopher://127.0.0.1:9000"]          # wrong: servers

[[routes]]
path = "/hello"
scopes = ["read"]
upstream = "helo"                              # wrong: upstream

[[routes]]
prefix = "/orders"
scopes = ["read"]
upstream = "hello"
strip_prefix = "/ord"                          # wrong: strip_prefix
"#;

/// Returns whether a line names `gateway.toml:N` with exactly this N.
fn names_line(line: &str, number: usize) -> bool {
    let place = format!("gateway.toml:{number}");
    line.match_indices(&place)
        .any(|(at, _)| !line[at + place.len()..].starts_with(|c: char| c.is_ascii_digit()))
}

#[test]
fn check_reports_ten_mistakes_at_once_each_with_its_line() {
    let dir = folder(TEN_MISTAKES);
    let output = run(dir.path(), &["check", "--config", "gateway.toml"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    let all = output.all();
    let wrong: Vec<(usize, &str)> = TEN_MISTAKES
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, line.split_once("# wrong: ")?.1)))
        .collect();
    assert_eq!(wrong.len(), 10, "the test's own file");
    let missing: Vec<_> = wrong
        .iter()
        .filter(|(number, key)| !all.lines().any(|line| names_line(line, *number) && line.contains(key)))
        .collect();
    assert!(missing.is_empty(), "not reported as gateway.toml:LINE with the key: {missing:?}\n{all}");
    for (number, line) in TEN_MISTAKES.lines().enumerate().map(|(index, line)| (index + 1, line)) {
        let right = !line.contains("# wrong: ");
        assert!(
            !right || !all.lines().any(|out| names_line(out, number)),
            "line {number} is right: {line}\n{all}"
        );
    }
    assert!(!all.contains("Sup3rS3cretInPlain"), "the secret is printed\n{all}");
    // The gateway does not start with this file either.
    assert_eq!(run(dir.path(), &["run", "--config", "gateway.toml"]).code, Some(2));
}

#[test]
fn check_reports_conflicting_routes_and_invalid_toml() {
    let route = "path = \"/tied\"\nscopes = [\"read\"]\nupstream = \"api\"";
    let config =
        Config::standard("127.0.0.1:9".parse().expect("an address")).route(route).route(route).text();
    let output = run(folder(&config).path(), &["check"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.all().contains("\"/tied\" matches the same requests as the route in line "), "{output:?}");

    let output = run(folder("[server]\nlisten = [\n").path(), &["check"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.all().contains("gateway.toml:2:11"), "{output:?}");
}

/// Returns a gateway, an upstream that holds `/api/slow`, and the channel that releases it.
fn slow() -> (Gateway, Upstream, String, Sender<()>) {
    let fixture = Fixture::start(|config| config.server("shutdown_grace = \"10m\""));
    let (release, released) = channel::<()>();
    let released = Arc::new(Mutex::new(released));
    fixture.upstream.on("/api/slow", move |_, out| {
        let _ = released.lock().expect("the channel").recv_timeout(Duration::from_secs(20));
        out.write_all(&ok("{\"slow\":true}"))?;
        Ok(crate::support::Next::KeepAlive)
    });
    let bearer = fixture.bearer("server", "read");
    (fixture.gateway, fixture.upstream, bearer, release)
}

#[test]
fn sigterm_finishes_what_is_in_flight_and_exits_0() {
    let (mut gateway, upstream, bearer, release) = slow();
    let mut idle = Conn::plain(gateway.plain());
    idle.request(get("/hello", &[&bearer])).status(200);
    let mut conn = Conn::plain(gateway.plain());
    conn.send(get("/api/slow?m=in-flight", &[&bearer]));
    upstream.wait_for("m=in-flight");
    gateway.signal("TERM");
    thread::sleep(Duration::from_millis(300));
    assert!(gateway.is_running(), "it did not wait for the request in flight\n{}", gateway.written());
    release.send(()).expect("the upstream waits");
    let answer = conn.read();
    assert_eq!(answer.status(200).body(), b"{\"slow\":true}", "{answer}");
    let status = gateway.wait(PATIENCE);
    assert_eq!(status.code(), Some(0), "{}", gateway.written());
    assert!(!gateway.written().contains("panicked"), "{}", gateway.written());
    assert!(gateway.written().trim_end().ends_with("stopped"), "{}", gateway.written());
}

#[test]
fn sigterm_without_requests_exits_quickly() {
    let config = Config::standard("127.0.0.1:9".parse().expect("an address"));
    let mut gateway = Gateway::start(&config.server("shutdown_grace = \"10m\""));
    let mut idle = Conn::plain(gateway.plain());
    idle.request(get("/hello", &[])).status(401);
    gateway.signal("TERM");
    assert_eq!(gateway.wait(PATIENCE).code(), Some(0), "{}", gateway.written());
}

#[test]
fn sigint_stops_immediately() {
    let (mut gateway, upstream, bearer, _release) = slow();
    let mut conn = Conn::plain(gateway.plain());
    conn.send(get("/api/slow?m=stuck", &[&bearer]));
    upstream.wait_for("m=stuck");
    gateway.signal("INT");
    gateway.wait(PATIENCE);
    assert!(!gateway.written().contains("panicked"), "{}", gateway.written());
}

#[test]
fn nothing_secret_is_written_at_any_log_level() {
    let upstream = Upstream::start();
    let config = Config::standard(upstream.address())
        .server("access_log = true")
        .listen("https://127.0.0.1:0")
        .table(&format!("[clients.quiet]\nsecret = \"{}\"\ncapabilities = []", cheap_hash("never-used-99")));
    let mut gateway = Gateway::start_text(&config.text(), &[("RUST_LOG", "trace"), ("RUST_BACKTRACE", "1")]);
    let header = basic("other", SECRET);
    let mut secrets = vec![SECRET.to_owned(), header.trim_start_matches("Authorization: Basic ").to_owned()];
    let mut plain = Conn::plain(gateway.plain());
    let mut tls = Conn::tls(gateway.tls(), &["http/1.1"]);
    for conn in [&mut plain, &mut tls] {
        let grant = "grant_type=client_credentials&scope=read";
        let by_header = conn.request(post_form(TOKEN, &[&header], grant));
        let in_body = conn.request(post_form(TOKEN, &[], format!("{grant}&{}", credentials("other"))));
        for answer in [by_header, in_body] {
            let token = crate::support::token_of(&answer);
            let bearer = format!("Authorization: Bearer {token}");
            conn.request(get("/hello", &[&bearer])).status(200);
            conn.request(get("/write", &[&bearer])).status(403);
            conn.request(get("/public/x", &[&bearer])).status(200);
            conn.request(get("/nowhere", &[&bearer])).status(404);
            conn.request(get(&format!("/public/{token}?{token}"), &[])).status(200);
            conn.request(get(&format!("/hello?access_token={token}"), &[])).status(401);
            let introspection = format!("{}&token={token}", credentials("introspector"));
            conn.request(post_form(INTROSPECT, &[], introspection)).status(200);
            secrets.push(token);
        }
        let wrong = "client_id=other&client_secret=wr0ng-but-close-s3cret";
        conn.request(post_form(TOKEN, &[], format!("grant_type=client_credentials&{wrong}"))).status(401);
        conn.request(get("/hello", &["Authorization: Bearer legacy-bearer-4711"])).status(401);
        conn.request(get("/public/x", &["Authorization: Basic bGVnYWN5OnBhc3N3b3Jk"])).status(200);
    }
    for also in ["wr0ng-but-close-s3cret", "legacy-bearer-4711", "bGVnYWN5OnBhc3N3b3Jk"] {
        secrets.push(also.to_owned());
    }
    let kept = files(gateway.dir());
    gateway.signal("TERM");
    gateway.wait(Duration::from_secs(12));
    let written = gateway.written();
    for secret in secrets {
        assert!(!written.contains(&secret), "{secret:?} was written:\n{written}");
        let holder = kept.iter().find(|(_, content)| content.contains(&secret));
        assert!(holder.is_none(), "{secret:?} is in {:?}", holder.map(|(path, _)| path));
    }
    assert!(!written.contains("$argon2id$"), "a hash was written:\n{written}");
    assert!(written.contains("\"path\":\"/nowhere\""), "nothing was logged:\n{written}");
}

/// Returns all files below a directory as text.
fn files(dir: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("the folder").flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            let content = std::fs::read(entry.path()).unwrap_or_default();
            found.push((entry.path().display().to_string(), String::from_utf8_lossy(&content).into_owned()));
        }
    }
    found
}
