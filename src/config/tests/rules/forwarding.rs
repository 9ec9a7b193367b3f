//! The keys of a route about forwarding.

use super::*;

#[test]
fn forwarding_keys() {
    let route = |lines: &str| format!("[[routes]]\npath = \"/users/{{id}}\"\nupstream = \"api\"\n{lines}");
    for (lines, key, kind, text) in [
        ("upstream_path = \"/r/{uid}\"", "upstream_path", InvalidValue, "{uid}"),
        ("upstream_path = \"r\"", "upstream_path", InvalidValue, "begin with /"),
        ("upstream_path = \"/r;v=1\"", "upstream_path", InvalidValue, "contains a ;"),
        ("strip_prefix = \"/users\"\nupstream_path = \"/r\"", "upstream_path", Conflict, "`strip_prefix`"),
        ("token_header = \"authorization\"", "token_header", InvalidValue, "leave it out"),
        ("token_header = \"Host\"", "token_header", InvalidValue, "sets or removes itself"),
        ("access = \"public\"\ntoken_header = \"X-Token\"", "token_header", Conflict, "needs no token"),
        ("identity_headers = { scope = \"Via\" }", "identity_headers.scope", InvalidValue, "itself"),
        (
            "identity_headers = { client_id = \"X\", scope = \"x\" }",
            "identity_headers",
            Conflict,
            "same header",
        ),
        ("request_headers = { remove = [\"Host\"] }", "request_headers.remove[0]", InvalidValue, "itself"),
        ("request_headers = { set = { Te = \"a\" } }", "request_headers.set.Te", InvalidValue, "itself"),
        (
            "forward_token = true\nrequest_headers = { remove = [\"Authorization\"] }",
            "request_headers",
            Conflict,
            "sends the token",
        ),
        (
            "forward_token = \"jwt\"\nrequest_headers = { set = { Authorization = \"a\" } }",
            "request_headers",
            Conflict,
            "or the JWT",
        ),
        (
            "forward_token = \"jwt\"\ntoken_header = \"X-T\"\nrequest_headers = { set = { X-T = \"a\" } }",
            "request_headers",
            Conflict,
            "sends the JWT",
        ),
        ("forward_token = \"JWT\"", "forward_token", InvalidValue, "\"jwt\""),
        ("forward_token = 1", "forward_token", WrongType, "\"jwt\""),
        ("buffer_request = \"1GiB\"", "buffer_request", InvalidValue, "64MiB"),
    ] {
        let line = 3 + u32::try_from(lines.lines().count()).unwrap();
        check(&[(&route(lines), line, &format!("routes[0].{key}"), kind, text)]);
    }
    let of_iis = |path: &str| {
        format!(
            "[upstreams.iis]\nservers = [\"http://h\"]\ncase_insensitive = true\n[[routes]]\npath = {path:?}\nupstream = \"iis\""
        )
    };
    for (path, text) in [("/admin./x", "ends with a dot"), ("/%C3%89tat", "outside of ASCII")] {
        check(&[(&of_iis(path), 5, "routes[0].path", InvalidValue, text)]);
    }
    check(&[(
        "[upstreams.h2]\nservers = [\"http://h\"]\nprotocol = \"http2\"\n[[routes]]\npath = \"/\"\nupstream = \
         \"h2\"\nbuffer_request = \"1KiB\"",
        7,
        "routes[0].buffer_request",
        Conflict,
        "HTTP/2 needs no length",
    )]);
}
