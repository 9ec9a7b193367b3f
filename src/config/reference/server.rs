//! `[server]`, `[metrics]` and `[demo]`.

use serde_json::json;

use super::acme::acme;
use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::settings::{limits, server as settings};

const LISTEN: &str = "URL: `https://` or `http://`, an IP address of this machine or `localhost`, and a \
    port; port 0 picks one";

pub(super) fn server() -> Table {
    Table::new("[server]", "Where and how the gateway listens.", "[server]\n§").keys([
        Key::new(
            "listen",
            Kind::list(Kind::Either(vec![
                Kind::text(LISTEN, pattern::listen(false)),
                Kind::Table(listener()),
            ]))
            .not_empty(),
            "The addresses to listen on. Plain `http://` on anything but loopback is refused, because \
             secrets and tokens would cross the network in the clear, unless a TLS terminator is in front of \
             it and the file says so.",
        )
        .default(format!("[\"https://127.0.0.1:{}\"]", settings::PORT))
        .example(r#"["https://0.0.0.0:443"]"#)
        .wrong(r#"["http://0.0.0.0:80"]"#),
        Key::number(&settings::THREADS, "The number of worker threads. 0 is one per core.").example("4"),
        Key::new(
            "state_dir",
            Kind::text("path of a folder", pattern::LINE),
            "Where the gateway keeps its own files: the self-signed certificate, the journal of its tokens, and when \
             each secret was last used. It is created if it does not exist.",
        )
        .default(format!("{:?}", settings::STATE_DIR))
        .example(r#""/var/lib/tollgate""#)
        .wrong(r#""""#),
        Key::duration(
            &settings::SHUTDOWN_GRACE,
            "How long requests in flight have to finish after SIGTERM. Connections that are still open then \
             are closed.",
        ),
        Key::new(
            "access_log",
            Kind::Either(vec![Kind::Flag, Kind::Table(access_log())]),
            "Writes one line for each request: `true` to standard output, a table to a file. A reload and \
             SIGHUP open the file again, as log rotation needs.",
        )
        .default(false)
        .example("true")
        .wrong(r#""access.log""#),
        Key::new(
            "request_id",
            Kind::Flag,
            "Gives every request an `X-Request-Id`, which the upstream, the response and the access log get.",
        )
        .default_note("whether there is an access log")
        .example("true")
        .wrong("1"),
        Key::new(
            "trusted_proxies",
            Kind::set(Kind::text("address or range", pattern::address_range())),
            "The proxies in front of the gateway whose `Forwarded`, `X-Real-IP` and `X-Forwarded-*` headers \
             are believed. Each of them must set or remove every one of these headers; otherwise its clients \
             could set them. Failed authentications count for the address that they report.",
        )
        .default("[]")
        .example(r#"["10.0.0.0/8", "2001:db8::/32"]"#)
        .wrong(r#"["proxy.internal"]"#),
        Key::new(
            "mode",
            Kind::Choice(vec!["enforce", "shadow"]),
            "The `mode` of the routes that have none of their own.",
        )
        .default(r#""enforce""#)
        .example(r#""shadow""#)
        .wrong(r#""off""#),
        Key::table("tls", tls()),
        Key::table("limits", limits()),
    ])
}

fn listener() -> Table {
    Table::new("listener", "A listener with more settings.", "[server]\nlisten = [\"https://127.0.0.1:8443\", { § }]")
        .base("url = \"http://127.0.0.1:8080\"")
        .keys([
            Key::new("url", Kind::text(LISTEN, pattern::listen(true)), "Where to listen.")
                .required()
                .example(r#""http://127.0.0.1:8080""#)
                .wrong(r#""127.0.0.1:8080""#)
                .beside(""),
            Key::flag("behind_tls", false, "A TLS terminator is in front of this listener, so plain HTTP can \
                be open to the network."),
            Key::new(
                "redirect",
                Kind::Choice(vec!["https"]),
                "Redirects every request with 308 to the same URL over `https`, on the port of the first `https://` \
                 listener: the host of the request, its path and its query stay. Nothing else is served, so the \
                 listener can be open to the network.",
            )
            .default_note("requests are served")
            .example(r#""https""#)
            .wrong("true"),
            Key::flag("h2c", false, "Speaks HTTP/2 without TLS, and only that."),
            Key::new(
                "proxy_protocol",
                Kind::Either(vec![Kind::Flag, Kind::Table(proxy_protocol())]),
                "Connections begin with a PROXY protocol header (version 1 or 2), which is believed. `true` is for \
                 loopback only; elsewhere, `from` says who may connect.",
            )
            .default(false)
            .example(r#"{ from = ["10.0.0.0/8"] }"#)
            .wrong(r#""yes""#),
        ])
        .rule(
            "Plain `http://` outside loopback needs `behind_tls = true` or `redirect = \"https\"`.",
            json!({
                "if": {
                    "properties": { "behind_tls": { "const": false } },
                    "not": { "required": ["redirect"] },
                },
                "then": { "properties": { "url": {
                    "pattern": format!("^({}|{})$", pattern::listen(false), pattern::VARIABLE),
                } } },
            }),
        )
        .rule(
            "`proxy_protocol = true` is for loopback; elsewhere it needs `from`.",
            json!({
                "if": { "properties": { "proxy_protocol": { "const": true } }, "required": ["proxy_protocol"] },
                "then": { "properties": { "url": { "pattern": format!("^({})$", pattern::listen_on_loopback()) } } },
            }),
        )
        .rule(
            "`behind_tls`, `h2c` and `redirect` are for `http://` listeners.",
            json!({
                "if": { "properties": { "url": { "pattern": "^[Hh][Tt][Tt][Pp][Ss]:" } }, "required": ["url"] },
                "then": {
                    "properties": { "behind_tls": { "const": false }, "h2c": { "const": false } },
                    "not": { "required": ["redirect"] },
                },
            }),
        )
}

fn proxy_protocol() -> Table {
    Table::new(
        "proxy_protocol",
        "Who may send the header.",
        "[server]\nlisten = [{ url = \"https://0.0.0.0:8443\", proxy_protocol = { § } }]",
    )
    .keys([Key::new(
        "from",
        Kind::set(Kind::text("address or range", pattern::address_range())).not_empty(),
        "The addresses of the load balancers. A connection from elsewhere is closed.",
    )
    .required()
    .example(r#"["10.0.0.0/8"]"#)
    .wrong("[]")
    .beside("")])
}

fn access_log() -> Table {
    Table::new("access_log", "A log with more settings.", "[server]\naccess_log = { § }").keys([
        Key::new(
            "file",
            Kind::text("path of a file", pattern::LINE),
            "The file that lines are appended to. Its folder must exist.",
        )
        .default_note("standard output")
        .example(r#""access.log""#)
        .wrong(r#""""#),
        Key::new("format", Kind::Choice(vec!["json"]), "One JSON object per line.")
            .default(r#""json""#)
            .example(r#""json""#)
            .wrong(r#""combined""#),
    ])
}

fn tls() -> Table {
    let file = |name, about| {
        Key::new(name, Kind::text("path of a PEM file", pattern::LINE), about)
            .example(format!("\"tls/{name}.pem\""))
            .wrong_for_check(r#""missing.pem""#)
    };
    Table::new(
        "[server.tls]",
        "The certificate of the `https://` listeners. Changed files are applied to new connections.",
        "[server.tls]\n§",
    )
    .keys([
        file("certificate", "The certificate chain, the server's own certificate first.")
            .default_note(
                "a self-signed certificate for localhost, 127.0.0.1 and ::1, made on the first \
                start and kept in `state_dir`",
            )
            .beside("key = \"tls/key.pem\""),
        file("key", "The private key of the certificate.").beside("certificate = \"tls/certificate.pem\""),
        file(
            "client_ca",
            "The authorities for client certificates. If it is set, clients are asked for a certificate \
             (mutual TLS). Certificates are verified when they are used, so a change also affects open \
             connections.",
        ),
        Key::new(
            "certificates",
            Kind::list(Kind::Table(certificates())).repeating(),
            "More certificates. The server name that a client sends (SNI) picks the one that has this name; a \
             wildcard in a certificate stands for one label. `certificate` is for clients that send no name, or one \
             that no certificate has; without `certificate`, the first of these is. Two certificates with the same \
             name but keys of different kinds serve old and new clients.",
        )
        .default_note("no more certificates")
        .example(r#"[{ certificate = "tls/certificate.pem", key = "tls/key.pem" }]"#)
        .wrong(r#"["tls/certificate.pem"]"#),
        Key::table("acme", acme()),
    ])
    .rule(
        "`certificate` and `key` go together.",
        json!({ "dependentRequired": { "certificate": ["key"], "key": ["certificate"] } }),
    )
}

fn certificates() -> Table {
    let file = |name: &'static str, about, beside| {
        Key::new(name, Kind::text("path of a PEM file", pattern::LINE), about)
            .required()
            .example(format!("\"tls/{name}.pem\""))
            .wrong_for_check(r#""missing.pem""#)
            .beside(beside)
    };
    Table::new("[[server.tls.certificates]]", "One more certificate.", "[[server.tls.certificates]]\n§").keys(
        [
            file(
                "certificate",
                "The certificate chain, the server's own certificate first.",
                "key = \"tls/key.pem\"",
            ),
            file("key", "The private key of the certificate.", "certificate = \"tls/certificate.pem\""),
        ],
    )
}

fn limits() -> Table {
    Table::new(
        "[server.limits]",
        "What one connection and all of them together may use.",
        "[server.limits]\n§",
    )
    .keys([
        Key::duration(&limits::HEADER_TIMEOUT, "How long a client may take to send the head of a request."),
        Key::size(
            &limits::MAX_HEADER_SIZE,
            "The largest head of a request, with its request line. A larger \
            one is answered with 431.",
        ),
        Key::number(&limits::MAX_HEADERS, "The most header fields of a request."),
        Key::duration(&limits::IDLE_TIMEOUT, "How long a connection may be kept alive without a request."),
        Key::number(
            &limits::MAX_CONNECTIONS,
            "The most open connections. Each may need two open files, so if the limit of the process is too low, \
             fewer are accepted; the gateway raises the soft limit to the hard one, and says so at its start if that \
             is not enough.",
        ),
        Key::optional_number(
            &limits::MAX_CONNECTIONS_PER_ADDRESS,
            "The most open connections from one address (IPv6: from its /64). 0 is no limit. With the PROXY protocol, \
             the address is the client's. Addresses in `trusted_proxies` have no limit, because they stand for all of \
             their clients.",
        )
        .default_note("a quarter of `max_connections`, but not less than 64")
        .example("100"),
        Key::new(
            "rate_limit_by_address",
            Kind::Rate,
            "The requests of one client address (IPv6: of its /64), to routes, endpoints and paths that lead nowhere. \
             More are answered with 429. They are counted before a token or a secret is looked at. Behind \
             `trusted_proxies`, the address is the one that they report. A route can have a limit of its own beside it.",
        )
        .default_note("no limit")
        .example(r#"{ rate = "100/s", burst = 500 }"#)
        .wrong(r#""100""#),
        Key::size(
            &limits::MAX_BODY_SIZE,
            "The largest request body. `\"0\"` is no limit. A route can set \
            its own.",
        ),
        Key::duration(
            &limits::BODY_TIMEOUT,
            "How long a client may pause while it sends a request body. For \
            a request to the token endpoint, the time for the whole body.",
        ),
        Key::duration(&limits::WRITE_TIMEOUT, "How long a client may leave a response unread."),
        Key::duration(&limits::HANDSHAKE_TIMEOUT, "How long a TLS handshake may take."),
        Key::duration(
            &limits::HALF_CLOSED_TIMEOUT,
            "How long an HTTP/1 client that has closed its sending side, as `nc -N` does, waits for the next \
             part of its response. Such a client may have gone: only sending it something would tell. A slow API \
             with such clients needs more.",
        ),
    ])
}

pub(super) fn metrics() -> Table {
    let loopback = format!("^({}|{})$", pattern::listen_plain(false), pattern::VARIABLE);
    Table::new(
        "[metrics]",
        "Prometheus metrics on an address of their own, at `/metrics`. Left out, they \
        are off.",
        "[metrics]\n§",
    )
    .base("listen = \"http://127.0.0.1:9464\"")
    .keys([
        Key::new(
            "listen",
            Kind::text(
                "URL: `http://`, an IP address of this machine or `localhost`, and a port",
                pattern::listen_plain(true),
            ),
            "Where the metrics are served. They have no TLS and need no token.",
        )
        .required()
        .example(r#""http://127.0.0.1:9464""#)
        .wrong(r#""http://0.0.0.0:9464""#)
        .beside(""),
        Key::flag(
            "open_to_network",
            false,
            "Allows an address other than loopback: anybody who reaches \
                it can read the metrics.",
        ),
    ])
    .rule(
        "An address other than loopback needs `open_to_network = true`.",
        json!({
            "if": { "properties": { "open_to_network": { "const": false } } },
            "then": { "properties": { "listen": { "pattern": loopback } } },
        }),
    )
}

pub(super) fn demo() -> Table {
    Table::new(
        "[demo]",
        "A small API in the process of the gateway, so that a new file works without another server. Remove \
         it when the real API is there.",
        "[demo]\n§",
    )
    .keys([Key::new(
        "listen",
        Kind::text("address and port on loopback", pattern::loopback_socket()),
        "Where it listens. It needs no token, so it must be on loopback.",
    )
    .required()
    .example(r#""127.0.0.1:9000""#)
    .wrong(r#""0.0.0.0:9000""#)])
}
