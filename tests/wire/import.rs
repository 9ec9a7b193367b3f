//! `tollgate import` and `tollgate health`, as a script sees them.

use crate::support::program::run;
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
fn an_import_is_staged_and_the_next_one_stages_what_differs() {
    let dir = tempfile::tempdir().expect("a folder");
    let api = dir.path().join("api.yaml");
    fs::write(&api, DESCRIPTION).expect("the description");
    let own = "# mine\n[scopes]\nother = \"Mine\"\n\n[upstreams.orders]\nservers = [\"http://127.0.0.1:1\"]  # mine\n\n\
               [[routes]]\npath = \"/mine\"\nscopes = [\"other\"]\nupstream = \"orders\"\n";
    let file = dir.path().join("gateway.toml");
    fs::write(&file, own).expect("gateway.toml");
    let staged = run(dir.path(), &["import", "api.yaml", "--draft"]);
    assert_eq!(staged.code, Some(0), "{staged:?}");
    assert!(staged.stderr.contains("1 new, 0 changed, 1 gone, 0 the same"), "{staged:?}");
    assert!(staged.stderr.contains("any /mine (line 8) stays"), "{staged:?}");
    assert_eq!(fs::read_to_string(&file).expect("gateway.toml"), own, "nothing is applied yet");
    let id = staged.stdout.trim();
    let shown = run(dir.path(), &["change", "show", id]);
    assert!(shown.stdout.contains("import 1 scope, 1 route"), "{shown:?}");
    let commit = |id: &str| {
        let committed = run(dir.path(), &["change", "commit", id, "-m", "an import"]);
        assert_eq!(committed.code, Some(0), "{committed:?}");
    };
    commit(id);
    let text = fs::read_to_string(&file).expect("gateway.toml");
    assert!(text.starts_with("# mine\n[scopes]\nother = \"Mine\"\n"), "{text}");
    assert!(
        text.contains("servers = [\"http://127.0.0.1:1\"]  # mine") && text.contains("/v1/orders"),
        "{text}"
    );
    let again = run(dir.path(), &["import", "api.yaml", "--draft"]);
    assert_eq!((again.code, &*again.stdout), (Some(0), ""), "{again:?}");
    assert!(again.stderr.contains("there is nothing to change"), "{again:?}");

    // The description has another scope, and the configuration has a route that is not in it.
    let next = DESCRIPTION.replacen("get: { tags: [orders] }", "get: { tags: [sales] }", 1);
    fs::write(&api, next).expect("the description");
    let differs = run(dir.path(), &["import", "api.yaml", "--draft", "--prune"]);
    assert!(differs.stderr.contains("0 new, 1 changed, 1 gone"), "{differs:?}");
    commit(differs.stdout.trim());
    let text = fs::read_to_string(&file).expect("gateway.toml");
    assert!(text.contains("scopes = [\"sales.read\"]") && !text.contains("/mine"), "{text}");
    let same = run(dir.path(), &["import", "api.yaml", "--diff"]);
    assert_eq!(same.code, Some(0), "{same:?}");

    fs::write(dir.path().join("kong.yaml"), "_format_version: '3.0'\nservices:\n- name: kong\n  url: http://127.0.0.1:2\n  routes:\n  - paths: [/kong]\n")
        .expect("the declaration");
    let kong = run(dir.path(), &["import", "kong", "kong.yaml", "--draft"]);
    assert_eq!(kong.code, Some(0), "{kong:?}");
    commit(kong.stdout.trim());
    assert!(fs::read_to_string(&file).expect("gateway.toml").contains("[upstreams.kong]"));
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
