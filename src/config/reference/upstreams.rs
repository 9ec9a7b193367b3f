//! `[upstreams.NAME]`.

use serde_json::json;

use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::compile::headers::{CONNECTION, GATEWAY};
use crate::config::settings::{ejection, health_check, retry_budget, upstreams as settings};
use crate::config::units::Shown;

const SERVER: &str = "URL: `http://` or `https://`, a host, and perhaps a port and a path; or `unix:` and the path of a socket";
const WITH_KEY: &str = "client_key = \"tls/client_key.pem\"";
const WITH_CERTIFICATE: &str = "client_certificate = \"tls/client_certificate.pem\"";
const DOCUMENT: &str = "[upstreams.hello]\n§";

pub(super) fn upstream() -> Table {
    let servers = vec![Kind::text(SERVER, pattern::server()), Kind::Table(server())];
    let servers = Kind::list(Kind::Either(servers)).not_empty();
    Table::new("[upstreams.NAME]", "An API behind the gateway.", DOCUMENT)
        .base("servers = [\"http://127.0.0.1:9000\"]")
        .keys([
            Key::new(
                "servers",
                servers,
                "The servers of the API. A name with several addresses is used with all of them. A path in the URL \
                 comes before every path that is sent there, and is the same for all servers; health checks do not \
                 have it. `unix:/run/app.sock` is a server that speaks HTTP on a Unix socket; its name in `Host`, \
                 where the gateway sets one, is `localhost`.",
            )
            .required()
            .example(r#"["http://10.0.0.1:9000", { url = "http://10.0.0.2:9000", weight = 2 }]"#)
            .wrong(r#"["http://127.0.0.1:9000/api?key=1"]"#)
            .beside(""),
            Key::new(
                "balance",
                Kind::Choice(vec!["round_robin", "random", "least_requests", "consistent"]),
                "How a server is picked: in turn, at random, the one with the fewest requests in flight, or \
                 always the same one for a client id.",
            )
            .default(r#""round_robin""#)
            .example(r#""least_requests""#)
            .wrong(r#""ip_hash""#),
            Key::new(
                "protocol",
                Kind::Choice(vec!["http1", "http2"]),
                "What is spoken to the servers. HTTP/2 is without TLS to `http://` servers and agreed on by \
                 ALPN with `https://` servers. gRPC needs `http2`.",
            )
            .default(r#""http1""#)
            .example(r#""http2""#)
            .wrong(r#""h2c""#),
            Key::new(
                "host",
                Kind::text("`preserve`, `upstream`, or a host with or without a port", pattern::host_and_port()),
                "The `Host` of requests and health probes: the client's (`preserve`; probes have the server's), the \
                 server's own from its URL (`upstream`), or this name.",
            )
            .default(r#""preserve""#)
            .example(r#""orders.internal""#)
            .wrong(r#""https://orders.internal""#),
            Key::duration(&settings::CONNECT_TIMEOUT, "How long it may take to connect to a server, TLS \
                included."),
            Key::duration(&settings::READ_TIMEOUT, "How long a server may pause while it answers."),
            Key::optional_duration(&settings::TOTAL_TIMEOUT, "How long a request may take, from its head to \
                the end of the response.")
                .default_note("no limit")
                .example(r#""2m""#),
            Key::duration(&settings::IDLE_TIMEOUT, "How long a connection without requests is used again. A server \
                that says `Keep-Alive: timeout=` gets its way if that is shorter. With HTTP/2, it counts in steps of \
                ten seconds.")
                .example(r#""20s""#),
            Key::number(
                &settings::RETRIES,
                "How often a failed request is sent again: an idempotent one without a body, or one that no \
                 server began to process.",
            ),
            Key::new(
                "health_check",
                Kind::Table(health()),
                "Probes the servers. A server that fails its probes gets no requests until it passes them \
                 again. `{}` probes by connecting.",
            )
            .default_note("servers are not probed")
            .example(r#"{ path = "/health", interval = "5s" }"#)
            .wrong("true"),
            Key::new(
                "credentials",
                Kind::Table(credentials()),
                "What the gateway adds to every request, so that the API knows it: a header, or HTTP Basic.",
            )
            .default_note("nothing is added")
            .example(r#"{ header = "X-Api-Key", value = "env:LEGACY_KEY" }"#)
            .wrong(r#"{ header = "X-Api-Key" }"#),
            Key::new("tls", Kind::Table(tls()), "TLS to `https://` servers.")
                .default_note("the certificate authorities of the system")
                .example(r#"{ ca = "tls/internal-ca.pem" }"#)
                .wrong(r#"{ server_name = "" }"#)
                .beside("servers = [\"https://api.internal\"]"),
            Key::flag("case_insensitive", false, "Matches the paths of its routes in any case. Set it if its \
                servers do so themselves, as IIS does."),
            Key::new(
                "ejection",
                Kind::Either(vec![Kind::Off, Kind::Table(ejection())]),
                "Sends no requests to a server for a while if they fail there. `false` turns it off.",
            )
            .default(format!(
                "{{ failures = {}, for = \"{}\", max = \"{}\" }}",
                ejection::FAILURES.default,
                Shown(ejection::FOR.default),
                Shown(ejection::MAX.default)
            ))
            .example("{ failures = 3, server_errors = true }")
            .wrong("true"),
            Key::new(
                "retry_budget",
                Kind::Either(vec![Kind::Off, Kind::Table(retry_budget())]),
                "How many of the requests of the last ten seconds may be retried, so that retries do not \
                 multiply an overload. `false` turns the budget off.",
            )
            .default(format!(
                "{{ percent = {}, min_per_second = {} }}",
                retry_budget::PERCENT.default,
                retry_budget::MIN_PER_SECOND.default
            ))
            .example("{ percent = 10 }")
            .wrong("20"),
            Key::new(
                "jwt_audience",
                Kind::text("1 to 255 bytes, no control characters", pattern::UPSTREAM_NAME),
                "The `aud` claim of the JWTs that routes with `forward_token = \"jwt\"` send to this upstream. No two \
                 upstreams that do not trust each other should have the same.",
            )
            .default_note("the name of the upstream")
            .example(r#""https://orders.internal""#)
            .wrong(r#""""#),
            Key::optional_number(&settings::MAX_IN_FLIGHT, "The most requests in flight. More are answered \
                with 503, or wait in the queue.")
                .default_note("no limit")
                .example("64"),
            Key::optional_number(&settings::MAX_QUEUE, "How many requests may wait until others end.")
                .default_note("none waits")
                .example("32")
                .beside("servers = [\"http://127.0.0.1:9000\"]\nmax_in_flight = 64"),
            Key::duration(&settings::QUEUE_TIMEOUT, "How long a request may wait in the queue.")
                .beside("servers = [\"http://127.0.0.1:9000\"]\nmax_in_flight = 64\nmax_queue = 32"),
        ])
        .rule(
            "`max_queue` needs `max_in_flight`, and `queue_timeout` needs `max_queue`.",
            json!({ "dependentRequired": { "max_queue": ["max_in_flight"], "queue_timeout": ["max_queue"] } }),
        )
        .rule(
            "`tls` is for `https://` servers: there must be one.",
            json!({
                "if": { "required": ["tls"] },
                "then": { "properties": { "servers": { "contains": { "anyOf": [
                    { "type": "string", "pattern": "^([Hh][Tt][Tt][Pp][Ss]|env):" },
                    { "type": "object", "properties": { "url": { "pattern": "^([Hh][Tt][Tt][Pp][Ss]|env):" } } },
                ] } } } },
            }),
        )
}

fn server() -> Table {
    Table::new("server", "A server with a weight.", "[upstreams.hello]\nservers = [{ § }]")
        .base("url = \"http://127.0.0.1:9000\"")
        .keys([
            Key::new("url", Kind::text(SERVER, pattern::server()), "Where the server is.")
                .required()
                .example(r#""http://127.0.0.1:9000""#)
                .wrong(r#""127.0.0.1:9000""#)
                .beside(""),
            Key::number(&settings::WEIGHT, "Its share of the requests, compared with the other servers.")
                .example("2"),
        ])
}

fn health() -> Table {
    let (least, most) = health_check::STATUSES;
    let one = || Kind::Number(u32::from(least), u32::from(most));
    Table::new(
        "health_check",
        "How servers are probed.",
        "[upstreams.hello]\nservers = \
        [\"http://127.0.0.1:9000\"]\nhealth_check = { § }",
    )
    .keys([
        Key::new(
            "path",
            Kind::text("path, with or without a query", pattern::TARGET),
            "The path that is requested with GET.",
        )
        .default_note("the probe only connects")
        .example(r#""/health""#)
        .wrong(r#""health""#),
        Key::new(
            "status",
            Kind::Either(vec![
                Kind::text("range such as `\"2xx\"` or `\"200-299\"`", pattern::STATUSES),
                one(),
                Kind::list(one()).not_empty(),
            ]),
            "The statuses of a good answer.",
        )
        .default(format!("\"{}-{}\"", health_check::STATUS.0, health_check::STATUS.1))
        .example("[200, 204]")
        .wrong(r#""ok""#)
        .beside("path = \"/health\""),
        Key::duration(&health_check::INTERVAL, "The time from one probe to the next."),
        Key::duration(
            &health_check::TIMEOUT,
            "How long a probe may take. It cannot be longer than \
                `interval`, which is the default if it is shorter.",
        ),
        Key::number(
            &health_check::HEALTHY_AFTER,
            "The good probes in a row after which a server gets \
                requests again.",
        ),
        Key::number(
            &health_check::UNHEALTHY_AFTER,
            "The failed probes in a row after which a server \
                gets no requests.",
        ),
    ])
    .rule("`status` needs `path`.", json!({ "dependentRequired": { "status": ["path"] } }))
}

fn credentials() -> Table {
    let secret = || Kind::Schema("secret", pattern::secret_value());
    let names = CONNECTION.into_iter().chain(GATEWAY);
    Table::new(
        "credentials",
        "A header, or HTTP Basic.",
        "[upstreams.hello]\nservers = \
        [\"http://127.0.0.1:9000\"]\ncredentials = { § }",
    )
    .base("header = \"X-Api-Key\"\nvalue = \"env:LEGACY_KEY\"")
    .keys([
        Key::new(
            "header",
            Kind::text("header name", pattern::HEADER_NAME).but_not(pattern::one_of(names, true)),
            "The header that carries the value. Headers of the connection, and those that the gateway \
                 sets, are refused.",
        )
        .example(r#""X-Api-Key""#)
        .wrong(r#""X-Client-Id""#)
        .beside("value = \"env:LEGACY_KEY\""),
        Key::new("value", secret(), "The value of the header.")
            .example(r#""env:LEGACY_KEY""#)
            .wrong(r#""env:LEGACY KEY""#)
            .beside("header = \"X-Api-Key\""),
        Key::new("basic", Kind::Table(basic(secret())), "A user name and password (RFC 7617).")
            .example(r#"{ user = "gateway", password = "file:password.txt" }"#)
            .wrong(r#"{ user = "gateway" }"#)
            .beside(""),
    ])
    .rule(
        "Either `header` and `value`, or `basic`.",
        json!({ "oneOf": [
                { "required": ["header", "value"], "properties": { "basic": false } },
                { "required": ["basic"], "properties": { "header": false, "value": false } },
            ] }),
    )
}

fn basic(secret: Kind) -> Table {
    Table::new(
        "basic",
        "HTTP Basic.",
        "[upstreams.hello]\nservers = [\"http://127.0.0.1:9000\"]\ncredentials = { basic = { § } }",
    )
    .keys([
        Key::new(
            "user",
            Kind::text("text without colon", r"[^:\x00-\x1f\x7f-\x9f]{1,255}"),
            "The user name.",
        )
        .required()
        .example(r#""gateway""#)
        .wrong(r#""gate:way""#)
        .beside("password = \"file:password.txt\""),
        Key::new("password", secret, "The password.")
            .required()
            .example(r#""file:password.txt""#)
            .wrong(r#""""#)
            .beside("user = \"gateway\""),
    ])
}

fn tls() -> Table {
    let file = |name, about| {
        Key::new(name, Kind::text("path of a PEM file", pattern::LINE), about)
            .example(format!("\"tls/{name}.pem\""))
            .wrong_for_check(r#""missing.pem""#)
    };
    let document = "[upstreams.hello]\nservers = [\"https://api.internal\"]\ntls = { § }";
    Table::new("tls", "TLS to `https://` servers.", document)
        .keys([
            file(
                "ca",
                "The authorities that the servers' certificates are verified with. A server's own self-signed \
                 certificate can be named, too. If it is itself an authority (`CA:TRUE`, as `openssl req -x509` makes it), \
                 it is trusted for any name until it expires. Otherwise it must have the server's name.",
            )
            .default_note("those of the system"),
            file("client_certificate", "The certificate that the gateway shows to the servers.")
                .beside(WITH_KEY),
            file("client_key", "Its private key.").beside(WITH_CERTIFICATE),
            Key::new(
                "server_name",
                Kind::text("DNS name or IP address", pattern::host()),
                "The name that the servers' certificates must have.",
            )
            .default_note("the host in the server's URL")
            .example(r#""api.example.com""#)
            .wrong(r#""""#),
            Key::new(
                "pin_sha256",
                Kind::set(Kind::text("SHA-256 in base64", pattern::PIN)).not_empty(),
                "The public keys that the servers may have: the SHA-256 of a certificate's SubjectPublicKeyInfo, in \
                 base64, as curl's `--pinnedpubkey` and RFC 7469 have it. A pin stays good when a certificate is \
                 renewed with the same key. Without `ca` the pins alone decide: the name, the dates and the issuer of \
                 the certificate do not matter. With `ca` the certificate must pass both.",
            )
            .default_note("any key")
            .example(r#"["47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="]"#)
            .wrong(r#"["e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"]"#),
            Key::new(
                "insecure_skip_verify",
                Kind::Flag,
                "Accepts any certificate. Anybody between the gateway and the servers can then read and change \
                 requests, credentials included; each start warns of it. `pin_sha256` is the safe way to reach a \
                 server whose certificate nobody can verify.",
            )
            .default("false")
            .example("true")
            .wrong(r#""yes""#),
        ])
        .rule(
            "`insecure_skip_verify` is not for an upstream with `ca` or `pin_sha256`.",
            json!({
                "if": { "properties": { "insecure_skip_verify": { "const": true } }, "required": ["insecure_skip_verify"] },
                "then": { "not": { "anyOf": [{ "required": ["ca"] }, { "required": ["pin_sha256"] }] } },
            }),
        )
        .rule(
            "`client_certificate` and `client_key` go together.",
            json!({ "dependentRequired": {
                "client_certificate": ["client_key"],
                "client_key": ["client_certificate"],
            } }),
        )
}

fn ejection() -> Table {
    Table::new(
        "ejection",
        "When, and for how long.",
        "[upstreams.hello]\nservers = \
        [\"http://127.0.0.1:9000\"]\nejection = { § }",
    )
    .keys([
        Key::number(
            &ejection::FAILURES,
            "The failures in a row after which a server is ejected: it cannot \
            be reached, or does not answer in time.",
        ),
        Key::flag("server_errors", false, "Counts answers of 500 and above as failures, too."),
        Key::duration(
            &ejection::FOR,
            "How long a server is ejected for the first time. Every time that \
            follows soon is twice as long.",
        ),
        Key::duration(
            &ejection::MAX,
            "The longest ejection. It cannot be shorter than `for`, which is the \
            default if it is longer.",
        ),
        Key::duration(
            &ejection::RETURN_OVER,
            "How long it takes until a server that returns has its whole \
            share of requests again.",
        ),
    ])
}

fn retry_budget() -> Table {
    Table::new(
        "retry_budget",
        "A share of the requests, and a minimum.",
        "[upstreams.hello]\nservers = [\"http://127.0.0.1:9000\"]\nretry_budget = { § }",
    )
    .keys([
        Key::number(&retry_budget::PERCENT, "The share of the requests that may be retried."),
        Key::number(
            &retry_budget::MIN_PER_SECOND,
            "The retries per second that are always allowed, however few requests there are.",
        ),
    ])
}
