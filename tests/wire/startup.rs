//! What the gateway prints when it starts, and what its log says after a reload.

use crate::support::certificates::{pem, self_signed};
use crate::support::config::{SECRET, cheap_hash};
use crate::support::{Config, Gateway, get, raw};
use serde_json::Value;

/// Returns what was written to standard output and to standard error.
fn streams(gateway: &Gateway) -> (String, String) {
    let written = gateway.written();
    let (stdout, stderr) = written.split_once("--- stderr\n").expect("both streams");
    (stdout.trim_start_matches("--- stdout\n").to_owned(), stderr.to_owned())
}

fn config() -> Config {
    Config::bare()
        .upstream("api", "127.0.0.1:9".parse().expect("an address"))
        .client("reader", SECRET, "scopes = [\"read\"]")
        .route(
            "path = \"/orders/{id}\"\nmethods = [\"GET\", \"PUT\"]\nscopes = [\"read\"]\nupstream = \"api\"",
        )
        .route("prefix = \"/status\"\nhost = \"api.example.test\"\naccess = \"public\"\nupstream = \"api\"")
}

#[test]
fn the_banner_lists_the_methods_and_hosts_of_routes() {
    let gateway = Gateway::start(&config());
    let (stdout, stderr) = streams(&gateway);
    for line in [
        "  GET,PUT /orders/{id}  ->  api  (scope read)",
        "  any method api.example.test/status/…  ->  api  (no token (public))",
    ] {
        assert!(stdout.lines().any(|found| found == line), "{line}\n{stdout}");
    }
    assert!(stdout.contains("Changes of ") && stdout.contains("tollgate: listening on http://"), "{stdout}");
    assert!(!stderr.contains("Protects:"), "{stderr}");
}

#[test]
fn the_banner_leaves_standard_output_to_the_access_log() {
    let gateway = Gateway::start(&config().server("access_log = true"));
    raw(gateway.plain(), get("/nowhere", &[])).status(404);
    gateway.wait_for("\"/nowhere\"");
    let (stdout, stderr) = streams(&gateway);
    assert!(stderr.contains("Protects:") && stderr.contains("listening on http://"), "{stderr}");
    for line in stdout.lines() {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    }
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
}

#[test]
fn the_commands_of_the_banner_have_k_only_for_a_self_signed_certificate() {
    let config = config().text().replace("\"http://127.0.0.1:0\"", "\"https://127.0.0.1:0\"");
    let gateway = Gateway::start_text(&config, &[]);
    let (stdout, _) = streams(&gateway);
    assert_eq!(stdout.matches("curl -k ").count(), 2, "{stdout}");

    let folder = tempfile::tempdir().expect("a folder");
    let identity = self_signed("localhost");
    let at = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(at("cert.pem"), pem("CERTIFICATE", &identity.certificate)).expect("a file");
    std::fs::write(at("key.pem"), pem("PRIVATE KEY", &identity.key)).expect("a file");
    let tls = format!("\n[server.tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", at("cert.pem"), at("key.pem"));
    let gateway = Gateway::start_text(&format!("{config}{tls}"), &[]);
    let (stdout, _) = streams(&gateway);
    assert_eq!(stdout.matches("curl ").count(), 2, "{stdout}");
    assert!(
        stdout.contains("curl -X POST https://issuer.example.test/oauth/") && !stdout.contains("-k "),
        "{stdout}"
    );
}

#[test]
fn a_reload_says_what_changed() {
    let gateway = Gateway::start(&config());
    let reload = |change: &dyn Fn(&str) -> String| {
        let before = gateway.times_written(" reloaded: ");
        gateway.rewrite(change);
        gateway.wait_until_written(" reloaded: ", before);
        let (_, log) = streams(&gateway);
        log.rsplit_once(" reloaded: ").expect("the line").1.to_owned()
    };
    let late = format!(
        "[clients.late]\nsecret = \"{}\"\ncapabilities = [\"client_credentials\"]\nscopes = [\"read\"]\n",
        cheap_hash(SECRET)
    );
    let line =
        reload(&|text| format!("{late}{}", text.replace("prefix = \"/status\"", "prefix = \"/health\"")));
    assert!(
        line.starts_with(
            "2 clients, 2 routes; added client \"late\", route any api.example.test/health/…; \
             removed route any api.example.test/status/…\n"
        ),
        "{line}"
    );
    gateway.wait_for("wider access: client \"late\" gets through GET,PUT /orders/{id}");
    gateway.wait_for("wider access: client \"late\" can authenticate with a new secret \"default\"");

    let line = reload(&|text| text.replace("127.0.0.1:9\"", "127.0.0.1:10\""));
    assert!(line.starts_with("2 clients, 2 routes; changed upstream \"api\"\n"), "{line}");
    let line = reload(&|text| format!("# A comment shifts every line.\n{text}"));
    assert!(line.starts_with("2 clients, 2 routes; no client, route or upstream changed\n"), "{line}");
    let line = reload(&|text| text.replace(&late, ""));
    assert!(line.starts_with("1 client, 2 routes; removed client \"late\"\n"), "{line}");
    gateway.wait_for("narrower access: client \"late\" no longer gets through GET,PUT /orders/{id}");
    assert!(!gateway.written().contains("$argon2id"), "{}", gateway.written());
}
