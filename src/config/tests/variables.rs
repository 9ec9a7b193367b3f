//! `env:NAME` in values that are not secrets.

use super::*;
use crate::config::ErrorKind;

fn with(variables: &[(&str, &str)], text: &str) -> Result<Config, ConfigErrors> {
    let env =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Config::parse(text, Path::new("gateway.toml"), Path::new("."), &env)
}

const TEXT: &str = r#"
[server]
listen = ["env:LISTEN"]
shutdown_grace = "env:GRACE"
[scopes]
read = "env:ABOUT"
[upstreams.a]
servers = [{ url = "env:API" }]
[[routes]]
path = "env:PATTERN"
upstream = "env:UPSTREAM"
scopes = ["env:SCOPE"]
"#;

#[test]
fn any_text_can_come_from_the_environment() {
    let variables = [
        ("LISTEN", "http://127.0.0.1:8080"),
        ("GRACE", "7s"),
        ("ABOUT", "env:NOT_READ_AGAIN"),
        ("API", "http://10.0.0.1:9000"),
        ("PATTERN", "/x/{id}"),
        ("UPSTREAM", "a"),
        ("SCOPE", "read"),
    ];
    let config = with(&variables, TEXT).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(config.server.listen[0].address.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.shutdown_grace.as_secs(), 7);
    assert_eq!(config.scopes[0].description, "env:NOT_READ_AGAIN");
    assert_eq!(config.upstreams[0].servers[0].origin.to_string(), "http://10.0.0.1:9000");
    assert_eq!(config.routes[0].path.as_str(), "/x/{id}");
}

#[test]
fn each_missing_variable_is_one_error_with_its_position() {
    let errors = with(&[("LISTEN", "https://127.0.0.1:1")], TEXT).unwrap_err();
    let found: Vec<_> =
        errors.iter().map(|error| (error.kind, error.position.unwrap(), &*error.key)).collect();
    let positions: Vec<_> = found.iter().map(|(kind, at, key)| (*kind, at.line, at.column, *key)).collect();
    let unset = ErrorKind::VariableUnset;
    assert_eq!(
        positions,
        [
            (unset, 4, 18, "server.shutdown_grace"),
            (unset, 6, 8, "scopes.read"),
            (unset, 8, 20, "upstreams.a.servers[0].url"),
            (unset, 10, 8, "routes[0].path"),
            (unset, 11, 12, "routes[0].upstream"),
            (unset, 12, 11, "routes[0].scopes[0]"),
        ],
        "{errors}"
    );
    assert!(errors.to_string().contains("GRACE is not set"), "{errors}");
    let error = with(&[], "[server]\nstate_dir = \"env:a b\"\n").unwrap_err();
    assert!(error.to_string().contains("must be the name of an environment variable"), "{error}");
}

#[test]
fn the_value_of_a_variable_is_in_no_error() {
    let secret = "hunter2-hunter2";
    for line in [
        "[upstreams.a]\nservers = [\"env:X\"]",
        "[[routes]]\npath = \"/\"\nupstream = \"env:X\"",
        "[[routes]]\npath = \"env:X\"\nupstream = \"a\"",
        "[server]\nstate_dir = \"s\"\naccess_log = { file = \"env:X\" }\nthreads = \"env:X\"",
        "[server.tls]\nclient_ca = \"env:X\"",
        "[token_service]\nissuer = \"env:X\"",
        "[clients.a]\nsecret = \"env:X\"",
        "[clients.a]\nscopes = [\"env:X\"]",
        "[server]\nlisten = [\"env:X\"]",
        "include = [\"env:X\"]",
    ] {
        let errors = with(&[("X", secret)], line).expect_err(line);
        let debug: Vec<String> = errors.iter().map(|error| format!("{error:?}")).collect();
        let shown = format!("{errors} {debug:?}");
        assert!(!shown.contains(secret), "{line}\n{shown}");
    }
}
