//! `tollgate import` and `tollgate health`, as a script sees them.

use crate::support::gateway::run;
use crate::support::{Config, Gateway};
use std::fs;

const DESCRIPTION: &str = "openapi: 3.1.0
info: { title: Orders, version: '1' }
servers: [{ url: 'http://127.0.0.1:9000/v1' }]
paths:
  /orders:
    get: { tags: [orders] }
  /orders/{id}.pdf:
    get: { tags: [orders] }
";

#[test]
fn an_import_is_checked_and_the_next_one_shows_the_differences() {
    let dir = tempfile::tempdir().expect("a folder");
    let api = dir.path().join("api.yaml");
    fs::write(&api, DESCRIPTION).expect("the description");
    let imported = run(dir.path(), &["import", "api.yaml"]);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    let left_out =
        "api.yaml:8:5: GET /orders/{id}.pdf is not imported: \"{id}.pdf\" mixes text and parameters";
    assert!(imported.stderr.starts_with(left_out), "{imported:?}");
    assert!(imported.stderr.contains("api.yaml: 2 found, 1 routes for 1 of them"), "{imported:?}");

    fs::write(dir.path().join("gateway.toml"), &imported.stdout).expect("gateway.toml");
    let checked = run(dir.path(), &["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    // A token is needed: without one, nothing that was imported is reached.
    let explained = run(dir.path(), &["explain", "GET", "/v1/orders", "--expect", "401"]);
    assert_eq!(explained.code, Some(0), "{explained:?}");

    let same = run(dir.path(), &["import", "api.yaml", "--diff"]);
    assert_eq!((same.code, &*same.stdout), (Some(0), "0 new, 0 changed, 0 gone, 1 the same\n"), "{same:?}");
    fs::write(
        &api,
        DESCRIPTION.replace("get: { tags: [orders] }\n  /orders/", "put: { tags: [orders] }\n  /orders/"),
    )
    .expect("the description");
    let differs = run(dir.path(), &["import", "api.yaml", "--diff"]);
    assert_eq!(differs.code, Some(1), "{differs:?}");
    assert!(differs.stdout.contains("+ methods = [\"PUT\"]"), "{differs:?}");
    assert!(differs.stdout.contains("- GET /v1/orders (line "), "{differs:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_one_line_and_exit_code_2() {
    let dir = tempfile::tempdir().expect("a folder");
    fs::write(dir.path().join("broken.yaml"), "openapi: [").expect("a file");
    for (arguments, expected) in [
        (&["import", "absent.yaml"][..], "absent.yaml: No such file"),
        (&["import", "broken.yaml"], "broken.yaml:"),
        (&["import", "nginx"], "name the file: tollgate import nginx FILE"),
        (&["import", "apache", "x"], "\"apache\" is not a kind of gateway"),
        (&["import", "nginx", "broken.yaml", "--name", "x"], "are for OpenAPI descriptions"),
        (&["import", "broken.yaml", "--upstream", "http://h/x"], "is not an origin"),
    ] {
        let output = run(dir.path(), arguments);
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains(expected) && output.stderr.lines().count() == 1, "{output:?}");
        assert_eq!(output.stdout, "", "{output:?}");
    }
}

#[test]
fn health_says_whether_the_gateway_serves() {
    let mut gateway = Gateway::start(&Config::bare());
    let url = format!("http://{}", gateway.plain());
    let dir = gateway.dir().to_owned();
    let serves = run(&dir, &["health", "--url", &url]);
    assert_eq!((serves.code, serves.stdout), (Some(0), format!("{url} serves\n")));
    gateway.signal("TERM");
    gateway.wait(std::time::Duration::from_secs(10));
    let gone = run(&dir, &["health", "--url", &url]);
    assert_eq!(gone.code, Some(1), "{gone:?}");
    assert!(gone.stderr.contains("is the gateway running?"), "{gone:?}");
}
