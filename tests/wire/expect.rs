//! `[[expect]]`: access tests, in `tollgate check` and in a reload.

use crate::support::{Config, Conn, Gateway, get, run};
use serde_json::Value;

const FILE: &str = r#"[upstreams.api]
servers = ["http://127.0.0.1:9000"]

[[routes]]
prefix = "/"
access = "public"
upstream = "api"

[[routes]]
path = "/admin"
upstream = "api"

[[expect]]
url = "/admin"
result = 401

[[expect]]
never = ["GET /admin/**"]
"#;

fn folder(text: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("gateway.toml"), text).expect("gateway.toml");
    dir
}

#[test]
fn a_violation_names_its_line_and_a_request_that_gets_through() {
    let dir = folder(FILE);
    for command in ["check", "run"] {
        let output = run(dir.path(), &[command]);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
        assert!(
            output.stderr.starts_with(
                "gateway.toml:18:10: expect[1].never[0]: is violated: GET /admin/x gets through with no token, by the \
                 route in gateway.toml:4\n"
            ),
            "{output:?}"
        );
    }
    let good = FILE.replace("path = \"/admin\"", "prefix = \"/admin\"");
    let output = run(folder(&good).path(), &["check"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("2 access tests"), "{output:?}");
}

#[test]
fn scripts_get_every_access_test() {
    let output = run(folder(FILE).path(), &["check", "--json"]);
    assert_eq!(output.code, Some(2), "{output:?}");
    let report: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(report["good"], false);
    assert_eq!(report["errors"][0]["kind"], "expectation-violated");
    let tests = report["expectations"].as_array().expect("a list");
    assert_eq!((&tests[0]["holds"], &tests[1]["holds"]), (&true.into(), &false.into()));
    assert_eq!((&tests[0]["line"], &tests[1]["line"]), (&13.into(), &17.into()));
    assert!(tests[1]["violations"][0].as_str().is_some_and(|text| text.contains("GET /admin/x")), "{report}");
}

#[test]
fn a_reload_that_violates_an_access_test_changes_nothing() {
    let config = Config::bare()
        .upstream("api", "127.0.0.1:9".parse().expect("an address"))
        .route("prefix = \"/admin\"\nupstream = \"api\"\n[[expect]]\nnever = [\"* /admin/**\"]");
    let gateway = Gateway::start(&config);
    gateway.rewrite(|text| text.replace("prefix = \"/admin\"", "prefix = \"/admin\"\naccess = \"public\""));
    gateway.wait_for("is violated: GET /admin gets through with no token");
    let mut conn = Conn::plain(gateway.plain());
    conn.request(get("/admin/x", &[])).status(401);
}
