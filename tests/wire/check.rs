//! `tollgate check`, and the warnings of a start and of a reload.

use crate::support::{Config, Gateway, run};
use serde_json::Value;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

const FILE: &str = r#"
[scopes]
read = "Read"

[upstreams.api]
servers = ["http://127.0.0.1:9000"]

[[routes]]
path = "/a"
methods = ["GTE"]
scopes = ["read"]
upstream = "api"
"#;

fn folder(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    write(dir.path(), text);
    dir
}

fn write(dir: &Path, text: &str) {
    let file = dir.join("gateway.toml");
    std::fs::write(&file, text).expect("gateway.toml");
    std::fs::set_permissions(&file, Permissions::from_mode(0o600)).expect("its mode");
}

#[test]
fn a_warning_names_its_position_and_fails_only_a_strict_check() {
    let dir = folder(FILE);
    let output = run(dir.path(), &["check"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.ends_with("1 route, 1 warning)\n"), "{output:?}");
    let line = "gateway.toml:10:12: warning: routes[0].methods[0] = \"GTE\": is not a known HTTP method (did you mean \
                \"GET\"?); methods are matched letter by letter (unknown-method)\n";
    assert_eq!(output.stderr, line);

    let output = run(dir.path(), &["check", "--strict"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    assert!(output.stderr.starts_with(line) && output.stderr.contains("--strict"), "{output:?}");
    let output = run(dir.path(), &["check", "--strict", "--allow", "unknown-method"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    let output = run(dir.path(), &["check", "--allow", "unknown-methods"]);
    assert_eq!(output.code, Some(2), "{output:?}");
}

#[test]
fn scripts_get_errors_and_warnings_as_json() {
    let dir = folder(FILE);
    let json = |arguments: &[&str], code: i32| -> Value {
        let output = run(dir.path(), arguments);
        assert_eq!((output.code, output.stderr.as_str()), (Some(code), ""), "{output:?}");
        serde_json::from_str(&output.stdout).expect("JSON")
    };
    let report = json(&["check", "--json"], 0);
    assert_eq!(report["good"], true);
    assert_eq!(report["errors"], serde_json::json!([]));
    let warning = &report["warnings"][0];
    assert_eq!(warning["lint"], "unknown-method");
    assert_eq!((&warning["line"], &warning["column"]), (&10.into(), &12.into()));
    assert_eq!((&warning["key"], &warning["value"]), (&"routes[0].methods[0]".into(), &"\"GTE\"".into()));
    assert_eq!(json(&["check", "--json", "--strict"], 2)["good"], true);

    write(dir.path(), &FILE.replace("/a", "/a/*"));
    let report = json(&["check", "--json"], 2);
    assert_eq!(report["good"], false);
    let error = &report["errors"][0];
    assert_eq!((&error["kind"], &error["key"]), (&"invalid-value".into(), &"routes[0].path".into()));
    assert_eq!((&error["line"], &error["column"]), (&9.into(), &8.into()));
    assert!(error["message"].as_str().expect("text").contains("write prefix = \"/a\""), "{error}");
}

#[test]
fn a_wildcard_beside_a_public_route_does_not_start() {
    let text = FILE.replace("path = \"/a\"", "prefix = \"/admin/*\"")
        + "[[routes]]\nprefix = \"/\"\naccess = \"public\"\nupstream = \"api\"\n";
    let dir = folder(&text);
    for arguments in [&["check"][..], &["run"]] {
        let output = run(dir.path(), arguments);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
        assert!(
            output.stderr.starts_with("gateway.toml:9:10: routes[0].prefix = \"/admin/*\": "),
            "{output:?}"
        );
        assert!(output.stderr.contains("write prefix = \"/admin\""), "{output:?}");
    }
}

#[test]
fn a_start_and_a_reload_log_their_warnings() {
    let config = Config::bare()
        .upstream("api", "127.0.0.1:9".parse().expect("an address"))
        .route("path = \"/a\"\nmethods = [\"GTE\"]\nscopes = [\"read\"]\nupstream = \"api\"");
    let gateway = Gateway::start(&config);
    gateway.wait_for("did you mean \"GET\"?); methods are matched letter by letter (unknown-method)");
    gateway.rewrite(|text| text.replace("\"GTE\"", "\"*\""));
    gateway.wait_for("for every method, leave `methods` out (unknown-method)");
}
