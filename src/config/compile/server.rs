//! `[server]`, `[server.tls]`, `[server.limits]`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
    time::Duration,
};

use super::address_ranges;
use crate::config::{
    address::{Host, Origin, Scheme},
    error::{ErrorKind, Place},
    model::{AccessLog, BodyLimit, Limits, Listener, ListenerProtocol, Server, ServerCertificate, ServerTls},
    reader::{Table, Value},
    values::TIMEOUT,
};

/// Reads `[server]`, or gives its defaults. `root` tells the folder that paths start from.
pub(super) fn server(value: Option<Value<'_>>, root: &Table<'_>) -> Server {
    value
        .and_then(|value| value.table("a table: [server]", read))
        .unwrap_or_else(|| defaults(root.base_dir().join("state"), root.place()))
}

fn defaults(state_dir: PathBuf, place: Place) -> Server {
    Server {
        listen: default_listen(place),
        threads: None,
        state_dir,
        tls: ServerTls { certificate: ServerCertificate::SelfSigned, client_ca: None },
        limits: default_limits(),
        shutdown_grace: Duration::from_secs(10),
        access_log: AccessLog::Off,
        request_id: false,
        trusted_proxies: Vec::new(),
    }
}

fn default_listen(place: Place) -> Vec<Listener> {
    let address = (Ipv4Addr::LOCALHOST, 8443).into();
    vec![Listener { address, protocol: ListenerProtocol::Https, proxy_protocol: false, place }]
}

fn default_limits() -> Limits {
    Limits {
        header_timeout: Duration::from_secs(10),
        max_header_size: 16 << 10,
        max_headers: 100,
        idle_timeout: Duration::from_secs(75),
        max_connections: 20_000,
        max_connections_per_address: None,
        max_body_size: BodyLimit::Bytes(10 << 20),
        body_timeout: Duration::from_secs(30),
        write_timeout: Duration::from_secs(30),
        handshake_timeout: Duration::from_secs(10),
    }
}

fn read(table: &mut Table<'_>) -> Server {
    let Server {
        listen,
        threads,
        state_dir,
        tls,
        limits,
        shutdown_grace,
        access_log,
        request_id: _,
        trusted_proxies,
    } = defaults(table.base_dir().join("state"), table.place());
    let access_log = table.or("access_log", access_log, |value| self::access_log(&value));
    Server {
        listen: table.or("listen", listen, |value| listeners(&value)),
        threads: table
            .or("threads", threads, |value| Some(NonZeroUsize::new(index(value.integer(0..=1024)?)))),
        state_dir: table.or("state_dir", state_dir, |value| value.path("the path of a folder")),
        tls: table.or("tls", tls, |value| value.table("a table: [server.tls]", read_tls)),
        limits: table.or("limits", limits, |value| value.table("a table: [server.limits]", read_limits)),
        shutdown_grace: table.or("shutdown_grace", shutdown_grace, |value| {
            value.duration(Duration::ZERO..=Duration::from_secs(86_400))
        }),
        request_id: table.or("request_id", access_log != AccessLog::Off, |value| value.boolean()),
        access_log,
        trusted_proxies: table.or("trusted_proxies", trusted_proxies, |value| address_ranges(&value)),
    }
}

/// `true` is standard output; a table may name a file.
fn access_log(value: &Value<'_>) -> Option<AccessLog> {
    const WANTED: &str = "true, false, or { file = \"access.log\" }";
    if let Some(on) = value.inner().as_bool() {
        return Some(if on { AccessLog::Stdout } else { AccessLog::Off });
    }
    value.table(WANTED, |table| {
        // The only one there is; named, so that another one can come.
        table.or("format", (), |value| match value.string("\"json\"")? {
            "json" => Some(()),
            _ => value.invalid("must be \"json\", the only format there is"),
        });
        let Some(file) = table.take("file") else { return Some(AccessLog::Stdout) };
        let path = file.path("the path of a file")?;
        match path.parent() {
            Some(folder) if !folder.is_dir() => file.fail(
                ErrorKind::FileUnavailable,
                format!("cannot be written: there is no folder {}", folder.display()),
            ),
            _ => Some(AccessLog::File(path)),
        }
    })?
}

/// A number that was checked to be small.
fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn read_limits(table: &mut Table<'_>) -> Limits {
    let Limits {
        header_timeout,
        max_header_size,
        max_headers,
        idle_timeout,
        max_connections,
        max_connections_per_address,
        max_body_size,
        body_timeout,
        write_timeout,
        handshake_timeout,
    } = default_limits();
    Limits {
        header_timeout: table.or("header_timeout", header_timeout, |value| value.duration(TIMEOUT)),
        // The HTTP library's own buffer is never smaller than 8 KiB.
        max_header_size: table
            .or("max_header_size", max_header_size, |value| value.size(8 << 10..=1 << 20).map(index)),
        max_headers: table.or("max_headers", max_headers, |value| value.integer(1..=10_000).map(index)),
        idle_timeout: table.or("idle_timeout", idle_timeout, |value| value.duration(TIMEOUT)),
        max_connections: table
            .or("max_connections", max_connections, |value| value.integer(1..=10_000_000).map(index)),
        max_connections_per_address: table.or(
            "max_connections_per_address",
            max_connections_per_address,
            // 0 is no limit.
            |value| value.integer(0..=10_000_000).map(|most| (most > 0).then(|| index(most))),
        ),
        max_body_size: table.or("max_body_size", max_body_size, |value| body_limit(&value)),
        body_timeout: table.or("body_timeout", body_timeout, |value| value.duration(TIMEOUT)),
        write_timeout: table.or("write_timeout", write_timeout, |value| value.duration(TIMEOUT)),
        handshake_timeout: table.or("handshake_timeout", handshake_timeout, |value| value.duration(TIMEOUT)),
    }
}

/// A size, of which 0 is none.
pub(super) fn body_limit(value: &Value<'_>) -> Option<BodyLimit> {
    match value.size(0..=1 << 50)? {
        0 => Some(BodyLimit::Unlimited),
        bytes => Some(BodyLimit::Bytes(bytes)),
    }
}

fn read_tls(table: &mut Table<'_>) -> ServerTls {
    let certificate = table.take("certificate");
    let key = table.take("key");
    let client_ca =
        table.or("client_ca", None, |value| value.readable_file("a PEM file of certificates").map(Some));
    if certificate.is_some() != key.is_some() {
        table.missing("`certificate` and `key` go together; leave both out for a self-signed certificate");
    }
    let certificate =
        certificate.and_then(|value| value.readable_file("a PEM file with the certificate chain"));
    let key = key.and_then(|value| value.readable_file("a PEM file with the private key"));
    let certificate = match (certificate, key) {
        (Some(certificate), Some(key)) => ServerCertificate::Files { certificate, key },
        _ => ServerCertificate::SelfSigned,
    };
    ServerTls { certificate, client_ca }
}

fn listeners(value: &Value<'_>) -> Option<Vec<Listener>> {
    let mut so_far: Vec<Listener> = Vec::new();
    let all = value.each("URLs to listen on, such as \"https://127.0.0.1:8443\"", |item| {
        let listener = listener(&item)?;
        if taken(&so_far, listener.address) {
            return item.fail(ErrorKind::Duplicate, "another listener already has this address and port");
        }
        so_far.push(listener.clone());
        Some(listener)
    })?;
    if all.is_empty() {
        return value.invalid("is empty; leave it out to listen on \"https://127.0.0.1:8443\"");
    }
    Some(all)
}

/// Whether one of the listeners holds this address already; port 0 is a new port each time.
pub(super) fn taken(listeners: &[Listener], address: SocketAddr) -> bool {
    let collide = |one: IpAddr, other: IpAddr| {
        one == other || (one.is_ipv4() == other.is_ipv4() && (one.is_unspecified() || other.is_unspecified()))
    };
    address.port() != 0
        && listeners
            .iter()
            .any(|other| other.address.port() == address.port() && collide(other.address.ip(), address.ip()))
}

fn listener(value: &Value<'_>) -> Option<Listener> {
    const WANTED: &str =
        "a URL to listen on, such as \"https://127.0.0.1:8443\", or { url = \"…\", behind_tls = true }";
    if !value.inner().is_table() {
        return finish_listener(value, value.string(WANTED)?, false, false, false);
    }
    value.table(WANTED, |table| {
        let url = table.need("url", "where to listen, such as \"http://0.0.0.0:8080\"");
        let (behind_tls, h2c) = (table.flag("behind_tls"), table.flag("h2c"));
        let proxy_protocol = table.flag("proxy_protocol");
        let url = url?;
        finish_listener(&url, url.string("a URL to listen on")?, behind_tls, h2c, proxy_protocol)
    })?
}

fn finish_listener(
    value: &Value<'_>,
    text: &str,
    behind_tls: bool,
    h2c: bool,
    proxy_protocol: bool,
) -> Option<Listener> {
    let origin = match Origin::parse(text) {
        Ok(origin) => origin,
        Err(error) => return value.invalid(error.to_string()),
    };
    let ip = match origin.host {
        Host::Address(ip) => ip,
        Host::Name(ref name) if &**name == "localhost" => Ipv4Addr::LOCALHOST.into(),
        Host::Name(_) => {
            return value.invalid(
                "must name an IP address of this machine, or localhost; 0.0.0.0 and [::] are all addresses",
            );
        }
    };
    let protocol = match origin.scheme {
        Scheme::Https if behind_tls || h2c => {
            return value.fail(
                ErrorKind::Conflict,
                "behind_tls and h2c are for http:// listeners; an https:// listener has TLS and HTTP/2 by itself",
            );
        }
        Scheme::Https => ListenerProtocol::Https,
        Scheme::Http if !ip.to_canonical().is_loopback() && !behind_tls => {
            return value.fail(
                ErrorKind::InsecureListener,
                "sends secrets and tokens in the clear over the network (RFC 6749 §3.2, RFC 6750 §5.3): use https://, \
                 listen on 127.0.0.1, or, if a TLS terminator stands before it, \
                 write { url = \"http://…\", behind_tls = true }",
            );
        }
        Scheme::Http => ListenerProtocol::Http { behind_tls, h2c },
    };
    let address = SocketAddr::new(ip, origin.port);
    Some(Listener { address, protocol, proxy_protocol, place: value.place() })
}
