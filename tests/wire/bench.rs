//! `tollgate bench`: short runs against a running gateway, and against one that it starts itself.

use crate::support::config::SERVER_SECRET;
use crate::support::program::Output;
use crate::support::{Config, Gateway, Next, Upstream, get, raw, run};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::path::Path;

/// Long enough for a result; the figures do not matter here.
const SHORT: [&str; 6] = ["--duration", "400ms", "--rounds", "2", "--connections", "4"];

fn bench(dir: &Path, arguments: &[&str]) -> Output {
    run(dir, &[&["bench"], SHORT.as_slice(), arguments].concat())
}

#[track_caller]
fn report_of(output: &Output) -> Value {
    assert_eq!(output.code, Some(0), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
}

#[track_caller]
fn number(json: &Value, pointer: &str) -> f64 {
    let number = json.pointer(pointer).and_then(Value::as_f64);
    number.unwrap_or_else(|| panic!("{pointer}: {json:#}"))
}

fn config(upstream: &Upstream) -> Config {
    Config::bare()
        .upstream("api", upstream.address())
        .client("server", SERVER_SECRET, "scopes = [\"read\", \"write\"]")
        .route("path = \"/hello\"\nscopes = [\"read\"]\nforward_token = true\nupstream = \"api\"")
        .route("path = \"/open/{name}\"\naccess = \"public\"\nupstream = \"api\"")
}

fn folder(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("gateway.toml"), config).expect("gateway.toml");
    dir
}

#[test]
fn a_running_gateway_is_measured_and_left_as_it_was() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream));
    let url = format!("http://{}", gateway.plain());
    let arguments =
        ["--url", &url, "--secret", SERVER_SECRET, "--tokens", "3", "--rate", "50", "--json", "-"];
    let output = bench(gateway.dir(), &arguments);
    let json = report_of(&output);

    assert_eq!(json["schema"], "tollgate-bench/1");
    assert_eq!(json["target"]["own"], false);
    assert_eq!(json["target"]["route"], "GET /hello");
    assert_eq!(json["target"]["public_route"], "GET /open/1");
    assert_eq!(json["target"]["pid"], json!(gateway.pid()), "found by its socket");
    let scenarios = json["scenarios"].as_array().expect("scenarios");
    let names: Vec<&str> = scenarios.iter().filter_map(|scenario| scenario["name"].as_str()).collect();
    assert_eq!(names, ["public", "protected", "issuing", "fixed"], "invalid tokens are sent only on request");
    for scenario in scenarios {
        for errors in ["errors", "unexpected_status", "unsent"] {
            assert_eq!(scenario[errors], 0, "{scenario:#}");
        }
        assert!(number(scenario, "/requests") > 0.0 && number(scenario, "/requests_per_second") > 0.0);
        assert_eq!(scenario["statuses"], json!({ "200": scenario["requests"] }), "{scenario:#}");
        let order =
            ["p50", "p90", "p99", "p99_9", "max"].map(|name| number(scenario, &format!("/latency/{name}")));
        assert!(order.is_sorted() && order[0] > 0.0, "{scenario:#}");
        assert!(number(scenario, "/gateway_cpu_per_request/user") >= 0.0);
    }
    assert_eq!(scenarios[0]["rounds"].as_array().map(Vec::len), Some(2));
    // Due at 0, 20, 40 ms … 380 ms and, depending on rounding, at 400 ms.
    assert!((20.0..=21.0).contains(&number(&scenarios[3], "/requests")), "{:#}", scenarios[3]);
    assert!(number(&json, "/ratios/protected_to_public/requests_per_second/median") > 0.0);

    // The API has served the counted requests, one before counting began, and the warm-up.
    let (hello, open) = (upstream.requests("GET /hello "), upstream.requests("GET /open/1 "));
    let counted = number(&scenarios[1], "/requests") + number(&scenarios[3], "/requests");
    assert!(hello.len() as f64 > counted, "{} of {counted}", hello.len());
    assert!(open.len() as f64 > number(&scenarios[0], "/requests"));
    let mut tokens: Vec<String> =
        hello.iter().flat_map(|request| request.all("authorization")).map(Into::into).collect();
    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 3, "all tokens are used");
    // The tokens were revoked after the measurement.
    for token in tokens {
        raw(gateway.plain(), get("/hello", &[&format!("Authorization: {token}")])).status(401);
    }
    assert!(!output.all().contains(SERVER_SECRET) && !output.all().contains("tg_"), "{output:?}");
}

#[test]
fn a_benchmark_starts_its_own_gateway_and_leaves_no_files() {
    let upstream = Upstream::start();
    let text = config(&upstream).text();
    let dir = folder(&text);
    // Nothing listens on port 0, so this is what `tollgate bench` does when no gateway runs.
    let output = bench(dir.path(), &["--html", "report.html", "--json", "report.json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    for line in ["public route", "protected route", "issuing tokens", "invalid tokens", "fixed rate, "] {
        let found = output.stdout.lines().find(|found| found.starts_with(line));
        let line = found.unwrap_or_else(|| panic!("{line}: {output:?}"));
        assert!(line.ends_with("   0"), "errors: {output:?}");
    }
    assert!(output.stdout.contains("protected route against public route: "), "{output:?}");
    assert!(
        output.stderr.contains("public route, round 1 of 2: ") && !output.stderr.contains('\x1b'),
        "{output:?}"
    );

    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).expect("a file");
    let json: Value = serde_json::from_str(&read("report.json")).expect("JSON");
    assert_eq!(json["target"]["own"], true);
    assert_eq!(json["scenarios"].as_array().map(Vec::len), Some(5));
    assert_eq!(json["scenarios"][3]["statuses"], json!({ "401": json["scenarios"][3]["requests"] }));
    let html = read("report.html");
    assert!(html.ends_with("</html>\n") && !html.contains("<script"), "{html}");
    assert_eq!(read("gateway.toml"), text, "the client exists only in memory");
    assert_eq!(upstream.bytes(), 0, "the real API is left alone");
}

#[test]
fn the_benchmark_s_gateway_serves_tls_and_http_2_without_limits() {
    let upstream = Upstream::start();
    let text = config(&upstream)
        .route("prefix = \"/orders\"\nmethods = [\"PUT\"]\nscopes = [\"write\"]\nstrip_prefix = \"/orders\"\nhost = \"api.example.test\"\nrate_limit = \"1/h\"\nallow = [\"192.0.2.1\"]\nmax_in_flight = 1\nupstream = \"api\"")
        .text()
        .replace("http://127.0.0.1:0", "https://127.0.0.1:0");
    let dir = folder(&text);
    for http in [["--http2"].as_slice(), &[]] {
        let arguments =
            ["--own", "--route", "PUT", "/orders/7?x=y", "--scenario", "protected,public", "--json", "-"];
        let json = report_of(&bench(dir.path(), &[&arguments, http].concat()));
        assert_eq!(json["target"]["http"], if http.is_empty() { "1.1" } else { "2" });
        assert_eq!(json["target"]["tls"], true);
        let errors: Vec<&Value> =
            json["scenarios"].as_array().expect("scenarios").iter().map(|s| &s["errors"]).collect();
        assert_eq!(errors, [0, 0], "{json:#}");
    }
}

#[test]
fn a_benchmark_of_another_machine_must_be_confirmed() {
    let upstream = Upstream::start();
    let dir = folder(&config(&upstream).text());
    // An unassigned address (RFC 5737): a connection attempt would take long and fail differently.
    let output = bench(dir.path(), &["--url", "https://192.0.2.1:8443", "--secret", "x"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("--remote") && output.stdout.is_empty(), "{output:?}");

    let remote = config(&upstream).text().replace(&upstream.address().to_string(), "192.0.2.1:9000");
    let gateway = Gateway::start_text(&remote, &[]);
    let url = format!("http://{}", gateway.plain());
    let output = bench(gateway.dir(), &["--url", &url, "--secret", SERVER_SECRET]);
    assert_eq!(output.code, Some(2), "{output:?}");
    assert!(output.stderr.contains("192.0.2.1:9000") && output.stderr.contains("--own"), "{output:?}");
}

#[test]
fn a_benchmark_that_cannot_run_says_why() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(
        &config(&upstream).route("path = \"/missing\"\nscopes = [\"read\"]\nupstream = \"api\""),
    );
    let url = format!("http://{}", gateway.plain());
    upstream.on_bytes("/missing", Next::KeepAlive, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let gone = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("its address");
    let gone = format!("http://{gone}");
    let secret = ["--secret", SERVER_SECRET];
    let table: [(i32, &[&str], &str); 10] = [
        (1, &["--url", &gone], "cannot connect to http://127.0.0.1:"),
        (1, &["--url", &url, "--secret", "wrong"], "invalid_client"),
        (1, &["--url", &url, "--route", "GET", "/missing"], "answers GET /missing with status 404"),
        (2, &["--url", &url, "--route", "GET", "/nowhere"], "no route for GET /nowhere"),
        (2, &["--url", &url, "--route", "GET", "/open/1"], "is public"),
        (2, &["--url", &url, "--rate", "5", "--scenario", "public"], "--scenario fixed"),
        (2, &["--url", &url, "--rate", "0"], "is not from 0.1 to 1000000"),
        (2, &["--own", "--scenario", "fixed,flood"], "invalid value 'flood'"),
        (2, &["--own", "--tokens", "100000"], "more than 10000"),
        (2, &["--own", "--html", "no/such/folder/x.html"], "cannot write no/such/folder/x.html"),
    ];
    for (code, arguments, text) in table {
        let has_secret = arguments.contains(&"--secret") || arguments.contains(&"--own");
        let more = if has_secret { &[][..] } else { &secret[..] };
        let output = bench(gateway.dir(), &[arguments, more].concat());
        assert_eq!(output.code, Some(code), "{arguments:?}: {output:?}");
        assert!(output.stderr.contains(text), "{arguments:?}: {output:?}");
        assert!(!output.stderr.contains("panicked"), "{output:?}");
    }
}
