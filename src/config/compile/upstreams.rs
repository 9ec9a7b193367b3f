//! `[upstreams.…]`.

use std::{collections::BTreeSet, num::NonZeroU32};

use super::{forwarding, headers, jwt, resilience, socket, tls as tls_settings};
use crate::config::{
    address::{Origin, Scheme},
    error::{ErrorKind, Position},
    model::{Balance, Credentials, Protocol, Upstream, UpstreamHost, UpstreamServer},
    reader::{Table, Value},
    settings::upstreams::{CONNECT_TIMEOUT, IDLE_TIMEOUT, READ_TIMEOUT, RETRIES, TOTAL_TIMEOUT, WEIGHT},
};
use crate::oauth::secret::Secret;

pub(super) fn upstream(name: &str, value: Value<'_>) -> Option<Upstream> {
    if name.is_empty() || name.chars().any(char::is_control) || name.len() > 255 {
        value.key_problem(
            ErrorKind::InvalidValue,
            "an upstream's name is 1 to 255 bytes long, without control characters",
        );
    }
    let position = value.position();
    value.table("a table: [upstreams.NAME]", |table| {
        let servers = table
            .need("servers", "where the API is: [\"http://127.0.0.1:9000\"]")
            .and_then(|value| servers(&value));
        let tls_value = table.take("tls");
        let tls = tls_value
            .as_ref()
            .and_then(|value| value.table("a table of TLS settings", tls_settings::upstream));
        if let (Some(value), Some(servers)) = (&tls_value, &servers)
            && servers.0.iter().all(|server| server.origin.scheme == Scheme::Http)
        {
            value.problem(
                ErrorKind::Conflict,
                "is for https:// servers, and this upstream has none: remove it, or use https://",
            );
        }
        let max_in_flight = resilience::max_in_flight(table);
        let (servers, base_path) = servers.unzip();
        Some(Upstream {
            name: name.to_owned(),
            base_path: base_path.unwrap_or_default(),
            host: table.or("host", UpstreamHost::Preserve, |value| forwarding::host(&value)),
            balance: table.or("balance", Balance::RoundRobin, |value| {
                value.choice(&[
                    ("round_robin", Balance::RoundRobin),
                    ("random", Balance::Random),
                    ("least_requests", Balance::LeastRequests),
                    ("consistent", Balance::Consistent),
                ])
            }),
            protocol: table.or("protocol", Protocol::Http1, |value| {
                value.choice(&[("http1", Protocol::Http1), ("http2", Protocol::Http2)])
            }),
            connect_timeout: table.duration(&CONNECT_TIMEOUT),
            read_timeout: table.duration(&READ_TIMEOUT),
            total_timeout: table.optional_duration(&TOTAL_TIMEOUT),
            idle_timeout: table.duration(&IDLE_TIMEOUT),
            retries: table.number(&RETRIES),
            health_check: table.or("health_check", None, |value| resilience::health_check(&value).map(Some)),
            credentials: table.or("credentials", None, |value| credentials(value).map(Some)),
            tls: tls.unwrap_or_default(),
            case_insensitive: table.flag("case_insensitive"),
            ejection: resilience::ejection(table),
            retry_budget: resilience::retry_budget(table),
            jwt_audience: table.or("jwt_audience", None, |value| jwt::audience(&value).map(Some)),
            max_in_flight,
            queue: resilience::queue(table, max_in_flight.is_some()),
            servers: servers?,
            position,
        })
    })?
}

/// Reads the servers, and the path that all their URLs have.
fn servers(value: &Value<'_>) -> Option<(Vec<UpstreamServer>, String)> {
    let mut seen = BTreeSet::new();
    let mut base_path = None;
    let servers = value.each("URLs, such as \"http://127.0.0.1:9000\"", |item| {
        let (server, path) = server(&item)?;
        if *base_path.get_or_insert_with(|| path.clone()) != path {
            return item.fail(
                ErrorKind::Conflict,
                "has another path than the servers before it: all servers of an upstream have the same, because \
                 a request that fails at one is sent to another",
            );
        }
        if !seen.insert(server.to_string()) {
            return item
                .fail(ErrorKind::Duplicate, "is in this list already: give the server a weight instead");
        }
        Some(server)
    })?;
    if servers.is_empty() {
        return value.invalid("is empty; an upstream needs a server, such as \"http://127.0.0.1:9000\"");
    }
    Some((servers, base_path.unwrap_or_default()))
}

fn server(value: &Value<'_>) -> Option<(UpstreamServer, String)> {
    const WANTED: &str =
        "a URL such as \"http://127.0.0.1:9000\", \"unix:/run/app.sock\", or { url = \"…\", weight = 2 }";
    let position = value.position();
    if !value.inner().is_table() {
        return address(value, WANTED, NonZeroU32::MIN, position);
    }
    value.table(WANTED, |table| {
        let url = table.need("url", "where the server is, such as \"http://127.0.0.1:9000\"");
        let weight = table.positive(&WEIGHT);
        address(&url?, WANTED, weight, position)
    })?
}

/// Reads where a server is, and the path behind it.
fn address(
    value: &Value<'_>,
    wanted: &str,
    weight: NonZeroU32,
    position: Position,
) -> Option<(UpstreamServer, String)> {
    if let Some(path) = socket::path(value.string(wanted)?) {
        let socket = Some(socket::socket(value, path)?);
        return Some((UpstreamServer { origin: socket::origin(), socket, weight, position }, String::new()));
    }
    let (origin, path) = origin(value, wanted)?;
    Some((UpstreamServer { origin, socket: None, weight, position }, path))
}

/// Reads the origin of a server, and the path behind it.
fn origin(value: &Value<'_>, wanted: &str) -> Option<(Origin, String)> {
    match Origin::parse_with_rest(value.string(wanted)?) {
        Ok((Origin { port: 0, .. }, _)) => value.invalid("must not have port 0"),
        Ok((origin, rest)) => {
            if origin.scheme == Scheme::Https {
                tls_settings::check_server_name(value, &origin.host)?;
            }
            Some((origin, forwarding::base_path(value, rest)?))
        }
        Err(error) => value.invalid(error.to_string()),
    }
}

fn credentials(value: Value<'_>) -> Option<Credentials> {
    const WANTED: &str =
        "{ header = \"X-Api-Key\", value = \"env:NAME\" } or { basic = { user = \"…\", password = \"…\" } }";
    // A value of the wrong type may be the secret.
    value.secret().table(WANTED, |table| {
        let (header, secret, basic) = (table.take("header"), table.take("value"), table.take("basic"));
        match (header, secret, basic) {
            (None, None, Some(basic)) => basic.table("{ user = \"…\", password = \"…\" }", read_basic)?,
            (Some(header), Some(secret), None) => {
                let name = headers::credential_name(&header.public());
                let value = credential_text(secret, "a header value", |text| {
                    (!headers::fits_a_value(text)).then_some(
                        "cannot be the value of a header: it has control characters, or spaces at its ends",
                    )
                });
                Some(Credentials::Header { name: name?, value: value? })
            }
            (None, None, None) => {
                table.missing(format!("credentials are {WANTED}"));
                None
            }
            (_, _, Some(_)) => {
                table.problem(
                    ErrorKind::Conflict,
                    format!("has `basic` beside `header` or `value`: credentials are {WANTED}"),
                );
                None
            }
            (header, _, None) => {
                let missing = if header.is_some() { "value" } else { "header" };
                table.missing(format!("`{missing}` is missing: {WANTED}"));
                None
            }
        }
    })?
}

fn read_basic(table: &mut Table<'_>) -> Option<Credentials> {
    let user = table.need("user", "the user name").and_then(|value| {
        let value = value.public();
        let text = value.text("a user name", 255)?;
        // RFC 7617 §2: the first colon ends the user name.
        if text.contains(':') {
            value.invalid("must not contain a colon (RFC 7617 §2)")
        } else {
            Some(text.to_owned())
        }
    });
    let password =
        table.need("password", "the password, or \"env:NAME\" or \"file:path\"").and_then(|value| {
            credential_text(value, "a password", |text| {
                text.chars().any(char::is_control).then_some("has control characters in it (RFC 7617 §2)")
            })
        });
    Some(Credentials::Basic { user: user?, password: password? })
}

fn credential_text(
    value: Value<'_>,
    what: &str,
    problem: impl FnOnce(&str) -> Option<&'static str>,
) -> Option<Secret> {
    let secret = value.clone().secret_text(what)?;
    match problem(secret.expose()) {
        Some(problem) => value.secret().invalid(problem),
        None => Some(secret),
    }
}
