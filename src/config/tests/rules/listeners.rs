//! Listeners that redirect, hosts of routes, and servers on Unix sockets.

use super::super::{good, only_error};
use crate::config::ErrorKind::{self, *};

#[track_caller]
fn refused(text: &str, kind: ErrorKind, help: &str) {
    let error = only_error(text);
    assert_eq!(error.kind, kind, "{error}");
    assert!(error.to_string().contains(help), "{error}");
}

#[test]
fn a_redirect_needs_an_https_listener() {
    let listen = |lines: &str| format!("[server]\nlisten = [{lines}]\n");
    let redirect = "{ url = \"http://0.0.0.0:80\", redirect = \"https\" }";
    let config = good(&listen(&format!("{redirect}, \"https://127.0.0.1:8443\"")));
    assert_eq!(
        config.token_service.issuer.as_str(),
        "https://localhost:8443",
        "never the listener that redirects"
    );
    refused(&listen(redirect), Conflict, "no https:// listener");
    let with = |flag: &str| {
        listen(&format!(
            "{{ url = \"http://0.0.0.0:80\", redirect = \"https\", {flag} = true }}, \"https://127.0.0.1:1\""
        ))
    };
    refused(&with("behind_tls"), Conflict, "no meaning beside it");
    refused(&with("h2c"), Conflict, "no meaning beside it");
    refused(
        &listen("{ url = \"https://0.0.0.0:80\", redirect = \"https\" }"),
        Conflict,
        "are for http:// listeners",
    );
    refused(
        &listen("{ url = \"http://127.0.0.1:80\", redirect = \"http\" }, \"https://127.0.0.1:1\""),
        InvalidValue,
        "\"https\"",
    );
}

const API: &str = "[upstreams.api]\nservers = [\"http://127.0.0.1:1\"]\n";

#[test]
fn hosts_are_checked_and_conflicts_are_found_in_each() {
    let route = |host: &str| format!("[[routes]]\npath = \"/\"\nhost = {host}\nupstream = \"api\"\n");
    let one = |host: &str| format!("{API}{}", route(host));
    let config = good(&one("[\"A.example\", \"*.B.example\"]"));
    assert_eq!(config.routes[0].host_names(), "a.example,*.b.example");
    refused(&one("[]"), InvalidValue, "leave it out for any host");
    refused(&one("[\"a\", \"A\"]"), Duplicate, "twice");
    for bad in ["\"*\"", "\"*.\"", "\"a.*\"", "\"*.*.a\"", "\"*.127.0.0.1\"", "\"a:80\"", "\"*a\""] {
        refused(&one(bad), InvalidValue, "*.example.com");
    }
    let two = |first: &str, second: &str| format!("{API}{}{}", route(first), route(second));
    refused(&two("[\"a\", \"*.b\"]", "[\"c\", \"*.B\"]"), RouteConflict, "the route in line 3");
    good(&two("\"*.b\"", "\"*.a.b\""));
    good(&two("\"b\"", "\"*.b\""));
}

#[test]
fn a_socket_has_a_path_of_possible_length() {
    let server = |server: &str| format!("[upstreams.a]\nservers = [\"{server}\"]\n");
    for (text, path) in
        [("unix:/run/a.sock", "/run/a.sock"), ("unix:///run/a.sock", "/run/a.sock"), ("unix:a", "./a")]
    {
        let config = good(&server(text));
        assert_eq!(config.upstreams[0].servers[0].socket.as_ref().unwrap().to_str(), Some(path), "{text}");
    }
    refused(&server("unix:"), InvalidValue, "must name a socket");
    refused(&server("unix:/run/"), InvalidValue, "must name a socket");
    refused(&server(&format!("unix:/{}", "a".repeat(107))), InvalidValue, "107 bytes");
    refused("[upstreams.a]\nservers = [\"unix:/a\", { url = \"unix:///a\" }]\n", Duplicate, "already");
    refused("[upstreams.a]\nservers = [\"unix:/a\"]\ntls = {}\n", Conflict, "https:// servers");
}
