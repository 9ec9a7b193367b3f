//! Files that are not TOML, and files with unknown keys.

use super::*;
use crate::config::ErrorKind;

#[test]
fn ten_errors_are_reported_at_once() {
    let text = r#"[server]
listen = ["http://0.0.0.0:80", "ftp://127.0.0.1"]
threads = "many"
thread = 4

[token_service]
token_lifetime = "299"
max_tokens = 0

[clients.server]
secret = "Password1"
scopes = ["raed"]

[[routes]]
path = "hello"
upstream = "nowhere"
"#;
    let errors = parse(text).unwrap_err();
    let reported: Vec<(u32, &str)> =
        errors.iter().map(|error| (error.position.unwrap().line, error.key.as_str())).collect();
    let wanted = [
        (2, "server.listen[0]"),
        (2, "server.listen[1]"),
        (3, "server.threads"),
        (4, "server.thread"),
        (7, "token_service.token_lifetime"),
        (8, "token_service.max_tokens"),
        (11, "clients.server.secret"),
        (12, "clients.server.scopes[0]"),
        (15, "routes[0].path"),
        (16, "routes[0].upstream"),
    ];
    assert_eq!(reported, wanted, "{errors}");
    let shown = errors.to_string();
    assert!(shown.ends_with("\n10 errors"), "{shown}");
    assert_eq!(shown.lines().count(), 11, "{shown}");
    assert!(shown.lines().take(10).all(|line| line.starts_with("gateway.toml:")), "{shown}");
}

#[test]
fn ten_errors_in_one_table() {
    let text = "[server.limits]\nheader_timeout = 1\nmax_header_size = \"1\"\nmax_headers = 0\nidle_timeout = \"\"\n\
                max_connections = -1\nmax_body_size = \"10MB\"\nbody_timeout = \"2 s\"\nwrite_timeout = true\n\
                handshake_timeout = \"2d\"\nnothing = 1\n";
    let errors = parse(text).unwrap_err();
    let lines: Vec<u32> = errors.iter().map(|error| error.position.unwrap().line).collect();
    assert_eq!(lines, (2..=11).collect::<Vec<_>>(), "{errors}");
}

#[test]
fn an_error_reads_as_one_line() {
    let error =
        only_error("[scopes]\nread = \"r\"\n[clients.a]\nsecret = \"HASH\"\nscopes = [\"read\", \"raed\"]\n");
    assert_eq!(
        error.to_string(),
        "gateway.toml:5:19: clients.a.scopes[1] = \"raed\": is not in [scopes]: add it there, or remove it here (did you mean \"read\"?)"
    );
    assert_eq!(error.kind, ErrorKind::UnknownName);
}

#[test]
fn columns_count_characters() {
    let errors = parse("demo = { listen = \"127.0.0.1:9\", \"é\" = 1, nix = 1 }\n").unwrap_err();
    let columns: Vec<u32> = errors.iter().map(|error| error.position.unwrap().column).collect();
    assert_eq!(columns, [34, 43], "{errors}");
}

#[test]
fn errors_about_unknown_keys_suggest_a_similar_one() {
    let table = [
        ("[sever]\n", 1, "sever", "did you mean `server`?"),
        ("[server]\nlitsen = []\n", 2, "server.litsen", "did you mean `listen`?"),
        ("[server.limits]\nmax_header = 1\n", 2, "server.limits.max_header", "did you mean `max_headers`?"),
        ("[clients.a]\nsecret = \"HASH\"\nscope = []\n", 3, "clients.a.scope", "did you mean `scopes`?"),
        ("[demo]\nlisten = \"127.0.0.1:1\"\ncolour = 1\n", 3, "demo.colour", "the keys here are listen"),
        (
            "[upstreams.\"my api\"]\nservers = [\"http://h\"]\n\"a b\" = 1\n",
            3,
            "upstreams.\"my api\".\"a b\"",
            "unknown key",
        ),
    ];
    for (text, line, key, help) in table {
        let error = only_error(text);
        assert_eq!((error.kind, error.key.as_str()), (ErrorKind::UnknownKey, key), "{error}");
        assert_eq!(error.position.unwrap().line, line, "{error}");
        assert!(error.message.contains(help), "{error}");
    }
}

#[test]
fn broken_toml_is_reported_with_its_line_beside_other_errors() {
    let text =
        "[server]\nlisten = [\"http://0.0.0.0:80\"]\nthreads = = 2\n\n[token_service]\nmax_tokens = 0\n";
    let errors = parse(text).unwrap_err();
    let reported: Vec<_> = errors.iter().map(|error| (error.kind, error.position.unwrap().line)).collect();
    assert_eq!(
        reported,
        [(ErrorKind::InsecureListener, 2), (ErrorKind::Syntax, 3), (ErrorKind::InvalidValue, 6)],
        "{errors}"
    );
    for text in ["a", "[", "[a", "a = [", "a = \"", "a = 1\na = 2", "[a]\n[a]\n", "= 1", "a = 'x\n"] {
        let errors = parse(text).unwrap_err();
        assert!(errors.iter().any(|error| error.kind == ErrorKind::Syntax), "{text:?}: {errors}");
    }
}

#[test]
fn keys_on_a_broken_line_are_not_reported_as_missing() {
    let text = "[upstreams.hello]\nservers = [\"http://127.0.0.1:1\" \"http://127.0.0.1:2\"]\n\
                [[routes]]\npath = \"/\"\nupstream = hello\n";
    let errors = parse(text).unwrap_err();
    assert!(errors.iter().all(|error| error.kind == ErrorKind::Syntax), "{errors}");
    let lines: Vec<u32> = errors.iter().map(|error| error.position.unwrap().line).collect();
    assert_eq!(lines, [2, 5], "{errors}");
}

#[test]
fn an_unreadable_file_is_one_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.toml");
    let errors = Config::load(&missing).unwrap_err();
    assert_eq!(errors.len(), 1);
    assert!(
        errors.to_string().contains("none.toml: cannot read the configuration: No such file"),
        "{errors}"
    );
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, b"a = 1\n\xff\n").unwrap();
    let errors = Config::load(&binary).unwrap_err();
    assert!(errors.to_string().contains("binary.toml:2:1: not UTF-8"), "{errors}");
    assert!(errors.to_string().ends_with("\n1 error"), "{errors}");
}

#[test]
fn errors_about_types_name_both_types() {
    let table = [
        ("server = 1\n", "server", "is a whole number; it must be a table"),
        (
            "[server]\nlisten = \"https://127.0.0.1:1\"\n",
            "server.listen",
            "is a string; it must be a list of",
        ),
        ("[server]\nlisten = [1]\n", "server.listen[0]", "is a whole number; it must be a URL"),
        ("[server]\naccess_log = \"yes\"\n", "server.access_log", "it must be true, false, or { file"),
        ("[server]\nthreads = 1.5\n", "server.threads", "is a number with a fraction"),
        ("[token_service]\ntoken_lifetime = 299\n", "token_service.token_lifetime", "write \"299s\""),
        ("[scopes]\nread = 1\n", "scopes.read", "it must be a description"),
        ("[routes]\npath = \"/\"\n", "routes", "is a table; it must be a list of routes: [[routes]]"),
    ];
    for (text, key, help) in table {
        let error = only_error(text);
        assert_eq!((error.kind, error.key.as_str()), (ErrorKind::WrongType, key), "{error}");
        assert!(error.message.contains(help), "{error}");
    }
}
