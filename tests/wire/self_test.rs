//! `tollgate self-test` against the gateway, and against servers with a hole each.

use crate::support::config::SECRET;
use crate::support::program::{Output, finish};
use crate::support::{Config, Fixture, Gateway, Upstream, get, raw};
use serde_json::Value;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// The lifetime of the tokens, which the test waits for once. It replaces its tokens before they expire.
pub(super) const LIFETIME: &str = "token_lifetime = \"4s\"";

/// One client, one protected and one public route, and a route that has no safe method.
pub(super) fn config(upstream: SocketAddr) -> Config {
    Config::bare()
        .upstream("api", upstream)
        .client(
            "tester",
            SECRET,
            &format!("scopes = [\"read\", \"write\"]\naudiences = [\"https://other.example\", \"https://api.example\"]\n{LIFETIME}"),
        )
        .route("path = \"/v1/orders/{id}\"\nmethods = [\"GET\"]\nscopes = [\"read\"]\naudience = \"https://api.example\"\nupstream = \"api\"")
        .route("prefix = \"/open\"\naccess = \"public\"\nupstream = \"api\"")
        .route("path = \"/pay\"\nmethods = [\"POST\"]\nscopes = [\"write\"]\nupstream = \"api\"")
}

/// Runs the test of the configuration in the gateway's folder against `address`.
pub(super) fn self_test(gateway: &Gateway, address: SocketAddr, arguments: &[&str]) -> Output {
    self_test_of(gateway, &format!("http://{address}"), arguments)
}

/// Does the same for any origin.
pub(super) fn self_test_of(gateway: &Gateway, url: &str, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command
        .args(["self-test", "--wait-for-expiry", "30s", "--timeout", "1m", "--url", url])
        .args(arguments)
        .env("TOLLGATE_CLIENT_SECRET", SECRET)
        .env("NO_COLOR", "1")
        .current_dir(gateway.dir());
    finish(command, Duration::from_secs(120))
}

/// Returns the attacks that passed, with what was special about them.
pub(super) fn passed(output: &Output) -> Vec<(String, String)> {
    let report: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
    let routes = report["routes"].as_array().expect("routes");
    let cases = routes.iter().flat_map(|route| route["cases"].as_array().expect("cases"));
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    cases
        .filter(|case| case["result"] == "passed")
        .map(|case| (text(&case["attack"]), text(&case["what"])))
        .collect()
}

/// Asserts that a self-test has found the hole that each of these attacks gets through.
#[track_caller]
pub(super) fn assert_finds(output: &Output, attacks: &[&str]) {
    assert_eq!(output.code, Some(1), "{attacks:?}: {output:?}");
    let found = passed(output);
    for attack in attacks {
        assert!(found.iter().any(|(name, _)| name == attack), "{attack}: {found:?}");
    }
    // A server that accepts every token accepts other attacks, too.
    if let [planted] = attacks {
        assert!(found.iter().all(|(name, _)| name == planted), "{attacks:?}: {found:?}");
    }
}

#[test]
fn a_gateway_that_keeps_its_configuration_lets_nothing_through() {
    let upstream = Upstream::start();
    upstream.on("/open", |request, stream| {
        // An API that shows the headers that it gets.
        let body = &request.head;
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(body)?;
        Ok(crate::support::upstream::Next::KeepAlive)
    });
    let gateway = Gateway::start(&config(upstream.address()));
    let (output, report) = thread::scope(|scope| {
        let report = scope.spawn(|| self_test(&gateway, gateway.plain(), &["--json"]));
        let output = self_test(&gateway, gateway.plain(), &["--junit", "junit.xml"]);
        (output, report.join().expect("a report"))
    });
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("and nothing passed that must not"), "{output:?}");
    let skipped =
        "no_token: the route has no method without an effect; --unsafe-methods attacks it anyway (1 route)";
    assert!(output.stdout.contains(skipped), "{output:?}");
    let junit = fs::read_to_string(gateway.dir().join("junit.xml")).expect("junit.xml");
    assert!(
        junit.contains("failures=\"0\"")
            && junit.contains("name=\"expired_token: an expired token (HTTP/1.1)\"/>"),
        "{junit}"
    );
    assert!(!junit.contains(SECRET) && !output.all().contains(SECRET), "{output:?}");

    // What reached the API: the good token, the forged headers, and well-formed heads with a broken body.
    for request in upstream.requests("/") {
        assert!(["/v1/orders/1", "/open"].contains(&request.target()), "{}", request.text());
        assert_eq!(request.method(), "GET", "{}", request.text());
        assert!(!request.text().contains("forged-"), "{}", request.text());
    }
    assert!(upstream.requests("/v1/orders/1").iter().all(|request| request.all("x-client-id") == ["tester"]));
    assert_eq!(passed(&report), [], "{report:?}");
    for attack in [
        "control",
        "no_token",
        "invalid_token",
        "token_elsewhere",
        "foreign_scope",
        "other_audience",
        "revoked_token",
        "expired_token",
        "path_spelling",
        "method",
        "identity_header",
        "framing",
        "header_size",
    ] {
        assert!(report.stdout.contains(&format!("\"attack\": \"{attack}\"")), "{attack}: {report:?}");
    }
}

/// A server in front of the gateway that answers as the API would where it has its hole.
fn with_hole(
    gateway: SocketAddr,
    hole: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> SocketAddr {
    server(move |client| serve(client, gateway, &hole))
}

/// A server that serves each connection on a thread of its own.
pub(super) fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let serve = Arc::new(serve);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let serve = Arc::clone(&serve);
            thread::spawn(move || serve(client));
        }
    });
    address
}

fn serve(mut client: TcpStream, gateway: SocketAddr, hole: &dyn Fn(&str) -> Option<String>) {
    let mut bytes = vec![0; 64 * 1024];
    // The test sends a request at once, and it fits in a segment on loopback.
    let Ok(read) = client.read(&mut bytes) else { return };
    bytes.truncate(read);
    if let Some(answer) = hole(&String::from_utf8_lossy(&bytes)) {
        let _ = client.write_all(answer.as_bytes());
        return;
    }
    let Ok(mut server) = TcpStream::connect(gateway) else { return };
    let _ = server.write_all(&bytes);
    let (Ok(mut from), Ok(mut to)) = (client.try_clone(), server.try_clone()) else { return };
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
}

const API: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

#[test]
fn every_planted_hole_is_found() {
    let upstream = Upstream::start();
    let short = Gateway::start(&config(upstream.address()));
    let long = Gateway::start_text(
        &config(upstream.address()).text().replace(LIFETIME, "token_lifetime = \"1h\""),
        &[],
    );
    let is_token = |request: &str| request.contains("/oauth/");
    let has_bearer = |request: &str| request.contains("Authorization: Bearer tg_");
    type Hole = Box<dyn Fn(&str) -> bool + Send + Sync>;
    let holes: Vec<(Hole, &[&str])> = vec![
        (
            Box::new(|request| {
                request.starts_with("GET /v1/orders/1 ")
                    && !request.contains("Bearer")
                    && !request.contains("tg_")
                    && !request.contains("Content-Length")
            }),
            &["no_token"],
        ),
        (
            Box::new(move |request| request.starts_with("GET /v1/orders/1 ") && has_bearer(request)),
            &["invalid_token", "foreign_scope", "other_audience", "revoked_token", "expired_token"],
        ),
        (Box::new(|request| request.contains("Authorization: Basic tg_")), &["invalid_token"]),
        (Box::new(|request| request.contains("?access_token=")), &["token_elsewhere"]),
        (Box::new(|request| request.contains("Cookie: access_token=")), &["token_elsewhere"]),
        (Box::new(|request| request.contains("/..;/")), &["path_spelling"]),
        (Box::new(|request| request.starts_with("GET /V1/ORDERS/1 ")), &["path_spelling"]),
        (Box::new(|request| request.starts_with("TRACE ")), &["method"]),
        (Box::new(|request| request.contains("Content-Length: +5")), &["framing"]),
    ];
    let (short, long) = (&short, &long);
    thread::scope(|scope| {
        for (hole, attacks) in holes {
            scope.spawn(move || {
                let gateway = if attacks.contains(&"expired_token") { short } else { long };
                let address = with_hole(gateway.plain(), move |request| {
                    (!is_token(request) && hole(request)).then(|| API.to_owned())
                });
                let output = self_test(gateway, address, &["--json"]);
                assert_finds(&output, attacks);
            });
        }
        scope.spawn(|| an_api_that_shows_forged_headers_is_found(long));
        scope.spawn(|| a_request_that_hides_in_a_body_is_found(long));
    });
}

fn an_api_that_shows_forged_headers_is_found(gateway: &Gateway) {
    let shows = with_hole(gateway.plain(), |request| {
        let length = request.len();
        request.contains("X-Tollgate-Self-Test").then(|| {
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{request}")
        })
    });
    let output = self_test(gateway, shows, &[]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stdout.contains("the API got the client's X-Client-Id"), "{output:?}");
}

fn a_request_that_hides_in_a_body_is_found(gateway: &Gateway) {
    let smuggles = with_hole(gateway.plain(), |request| {
        request.contains("10000000000000005\r\n").then(|| [API, API].concat())
    });
    let output = self_test(gateway, smuggles, &["--json"]);
    let expected = ("framing".to_owned(), "a chunk size beyond 64 bits".to_owned());
    assert!(passed(&output).contains(&expected), "{output:?}");
}

#[test]
fn tokens_are_replaced_before_they_expire() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(upstream.address()));
    let asked = Arc::new(AtomicUsize::new(0));
    let asked_before = Arc::new(AtomicUsize::new(0));
    let (now, before) = (Arc::clone(&asked), Arc::clone(&asked_before));
    let slow = with_hole(gateway.plain(), move |request| {
        if request.starts_with("POST /oauth/v2/oauth-token ") {
            now.fetch_add(1, Ordering::SeqCst);
        }
        // The first attack takes more than half of the lifetime of the tokens.
        if request.starts_with("GET /tollgate-self-test-") {
            before.store(now.load(Ordering::SeqCst), Ordering::SeqCst);
            thread::sleep(Duration::from_secs(3));
        }
        None
    });
    let output = self_test(&gateway, slow, &["--json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(asked.load(Ordering::SeqCst) > asked_before.load(Ordering::SeqCst), "no new tokens: {output:?}");
    // A token that has expired is 401 whatever its scope is.
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    let routes = report["routes"].as_array().expect("routes");
    let cases = routes.iter().flat_map(|route| route["cases"].as_array().expect("cases"));
    let foreign: Vec<_> =
        cases.filter(|case| case["attack"] == "foreign_scope").map(|case| &case["status"]).collect();
    assert!(!foreign.is_empty() && foreign.iter().all(|status| **status == 403), "{foreign:?}");
}

#[test]
fn a_gateway_with_another_configuration_is_found() {
    let upstream = Upstream::start();
    let text = config(upstream.address());
    let gateway = Gateway::start(&text);
    let wide = text.text().replace("scopes = [\"read\"]\naudience", "access = \"public\"\n#");
    let running = Gateway::start_text(&wide, &[]);
    // Another gateway refuses a request that must pass.
    let narrow = text
        .text()
        .replace("scopes = [\"read\"]\naudience", "scopes = [\"read\", \"write\", \"admin\"]\naudience");
    let refusing = Gateway::start_text(&narrow, &[]);
    let (of_wide, of_narrow) = thread::scope(|scope| {
        let of_narrow = scope.spawn(|| self_test(&gateway, refusing.plain(), &[]));
        (self_test(&gateway, running.plain(), &["--json"]), of_narrow.join().expect("a report"))
    });
    assert_eq!(of_wide.code, Some(1), "{of_wide:?}");
    assert!(passed(&of_wide).iter().any(|(attack, _)| attack == "no_token"), "{of_wide:?}");
    assert_eq!(of_narrow.code, Some(1), "{of_narrow:?}");
    assert!(
        of_narrow.stdout.contains("DIFFERS") && of_narrow.stdout.contains("another configuration"),
        "{of_narrow:?}"
    );
}

#[test]
fn the_test_stays_on_this_machine_and_within_its_bounds() {
    let fixture = Fixture::start(|config| config);
    let far: SocketAddr = "192.0.2.1:80".parse().expect("an address");
    let output = self_test(&fixture.gateway, far, &["--no-client"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("--remote"), "{output:?}");
    let output = self_test(&fixture.gateway, fixture.address(), &["--no-client", "--max-requests", "10"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("--max-requests is 10"), "{output:?}");
    // Nothing was sent.
    assert!(fixture.upstream.requests("/").is_empty());
    raw(fixture.address(), get("/nowhere", &[])).status(404);
    let output = self_test(&fixture.gateway, fixture.address(), &["--no-client"]);
    assert_eq!(output.code, Some(0), "{output:?}");
}
