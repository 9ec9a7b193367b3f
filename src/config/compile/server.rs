//! `[server]`, `[server.tls]`, `[server.limits]`.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroUsize,
    path::PathBuf,
};

use super::{acme, addresses::address_ranges, proxy_protocol, tls};
use crate::config::{
    address::{AddressRange, Host, Origin, Scheme},
    error::{ErrorKind, Position},
    model::{
        AccessLog, BodyLimit, ConnectionsPerAddress, Limits, Listener, ListenerProtocol, Mode, Server,
        ServerCertificate, ServerTls,
    },
    reader::{Table, Value},
    settings::{
        limits,
        server::{PORT, SHUTDOWN_GRACE, STATE_DIR, THREADS},
    },
    warning::Lint,
};

/// Reads `[server]`, or returns its defaults. `root` has the folder that relative paths start at.
pub(super) fn server(value: Option<Value<'_>>, root: &Table<'_>) -> Server {
    value
        .and_then(|value| value.table("a table: [server]", read))
        .unwrap_or_else(|| defaults(root.base_dir().join(STATE_DIR), root.position()))
}

fn defaults(state_dir: PathBuf, position: Position) -> Server {
    Server {
        listen: default_listen(position),
        threads: None,
        state_dir,
        tls: ServerTls { certificate: ServerCertificate::SelfSigned, client_ca: None },
        limits: Limits::default(),
        shutdown_grace: SHUTDOWN_GRACE.default,
        access_log: AccessLog::Off,
        request_id: false,
        trusted_proxies: Vec::new(),
        mode: Mode::default(),
    }
}

fn default_listen(position: Position) -> Vec<Listener> {
    let address = (Ipv4Addr::LOCALHOST, PORT).into();
    vec![Listener { address, protocol: ListenerProtocol::Https, proxy_protocol: None, position }]
}

fn read(table: &mut Table<'_>) -> Server {
    let Server {
        listen,
        threads: _,
        state_dir,
        tls,
        limits,
        shutdown_grace: _,
        access_log,
        request_id: _,
        trusted_proxies,
        mode,
    } = defaults(table.base_dir().join(STATE_DIR), table.position());
    let access_log = table.or("access_log", access_log, |value| self::access_log(&value));
    Server {
        listen: table.or("listen", listen, |value| listeners(&value)),
        threads: NonZeroUsize::new(table.count(&THREADS)),
        state_dir: table.or("state_dir", state_dir, |value| value.path("the path of a folder")),
        tls: table.or("tls", tls, |value| value.table("a table: [server.tls]", read_tls)),
        limits: table.or("limits", limits, |value| value.table("a table: [server.limits]", read_limits)),
        shutdown_grace: table.duration(&SHUTDOWN_GRACE),
        request_id: table.or("request_id", access_log != AccessLog::Off, |value| value.boolean()),
        access_log,
        trusted_proxies: table.or("trusted_proxies", trusted_proxies, |value| self::trusted_proxies(&value)),
        mode: self::mode(table, mode).0,
    }
}

fn read_tls(table: &mut Table<'_>) -> ServerTls {
    let acme = table.take("acme").and_then(|value| acme::acme(&value));
    tls::server(table, acme)
}

/// Reads `mode`, of the server or of a route. The second value is the value itself, if the table has one.
pub(super) fn mode<'a>(table: &mut Table<'a>, default: Mode) -> (Mode, Option<Value<'a>>) {
    let value = table.take("mode");
    let chosen = value.as_ref().and_then(|value| value.choice(&Mode::ALL));
    (chosen.unwrap_or(default), value)
}

/// The shortest prefixes of a network that one operator can have: 10.0.0.0/8 and fc00::/7.
const SHORTEST_OWN: [u8; 2] = [8, 7];

/// Reads `trusted_proxies`, and warns about ranges in which clients are.
fn trusted_proxies(value: &Value<'_>) -> Option<Vec<AddressRange>> {
    let ranges = address_ranges(value)?;
    for (range, item) in ranges.iter().zip(value.list("address ranges")?) {
        let [v4, v6] = SHORTEST_OWN;
        if range.prefix < if range.network.is_ipv4() { v4 } else { v6 } {
            item.warn(
                Lint::TrustsEveryone,
                "contains clients, who can then claim any address with X-Forwarded-For: name only the addresses of \
                 your own proxies",
            );
        }
    }
    Some(ranges)
}

/// Reads `access_log`: `true` is standard output, a table can name a file.
fn access_log(value: &Value<'_>) -> Option<AccessLog> {
    const WANTED: &str = "true, false, or { file = \"access.log\" }";
    if let Some(on) = value.inner().as_bool() {
        return Some(if on { AccessLog::Stdout } else { AccessLog::Off });
    }
    value.table(WANTED, |table| {
        // The only format so far; it has a name so that others can be added.
        table.or("format", (), |value| match value.string("\"json\"")? {
            "json" => Some(()),
            _ => value.invalid("must be \"json\", the only format there is"),
        });
        let Some(file) = table.take("file") else { return Some(AccessLog::Stdout) };
        log_file(&file).map(AccessLog::File)
    })?
}

/// Reads the path of a log file, whose folder must exist.
pub(super) fn log_file(value: &Value<'_>) -> Option<PathBuf> {
    let path = value.path("the path of a file")?;
    match path.parent() {
        Some(folder) if !folder.is_dir() => value.fail(
            ErrorKind::FileUnavailable,
            format!("cannot be written: there is no folder {}", folder.display()),
        ),
        _ => Some(path),
    }
}

fn read_limits(table: &mut Table<'_>) -> Limits {
    Limits {
        header_timeout: table.duration(&limits::HEADER_TIMEOUT),
        max_header_size: header_size(table),
        max_headers: table.count(&limits::MAX_HEADERS),
        idle_timeout: table.duration(&limits::IDLE_TIMEOUT),
        max_connections: table.count(&limits::MAX_CONNECTIONS),
        max_connections_per_address: connections_per_address(table),
        rate_limit_by_address: table.or("rate_limit_by_address", None, |value| value.rate().map(Some)),
        max_body_size: body_limit(table, Limits::default().max_body_size),
        body_timeout: table.duration(&limits::BODY_TIMEOUT),
        write_timeout: table.duration(&limits::WRITE_TIMEOUT),
        handshake_timeout: table.duration(&limits::HANDSHAKE_TIMEOUT),
        half_closed_timeout: table.duration(&limits::HALF_CLOSED_TIMEOUT),
    }
}

fn connections_per_address(table: &mut Table<'_>) -> ConnectionsPerAddress {
    let bounds = &limits::MAX_CONNECTIONS_PER_ADDRESS;
    table.or(bounds.name, ConnectionsPerAddress::Share, |value| {
        let most = value.number(bounds)?;
        Some(match NonZeroUsize::new(usize::try_from(most).unwrap_or(usize::MAX)) {
            None => ConnectionsPerAddress::Unlimited,
            Some(most) => ConnectionsPerAddress::AtMost(most),
        })
    })
}

fn header_size(table: &mut Table<'_>) -> usize {
    let setting = &limits::MAX_HEADER_SIZE;
    let bytes = table.or(setting.bounds.name, setting.default.0, |value| value.size(&setting.bounds));
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// Reads `max_body_size`, of the server or of a route. 0 is no limit.
pub(super) fn body_limit(table: &mut Table<'_>, default: BodyLimit) -> BodyLimit {
    let bounds = &limits::MAX_BODY_SIZE.bounds;
    table.or(bounds.name, default, |value| value.size(bounds).map(BodyLimit::of))
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
    if !all.iter().any(|listener| listener.protocol == ListenerProtocol::Https)
        && all.iter().any(|listener| listener.protocol == ListenerProtocol::Redirect)
    {
        return value.fail(
            ErrorKind::Conflict,
            "has a listener that redirects to https, and no https:// listener to redirect to: add one",
        );
    }
    Some(all)
}

/// Returns whether one of the listeners already has this address. Port 0 is a new port each time.
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
        return finish_listener(value, value.string(WANTED)?, Flags::default(), None);
    }
    value.table(WANTED, |table| {
        let url = table.need("url", "where to listen, such as \"http://0.0.0.0:8080\"");
        let (behind_tls, h2c) = (table.flag("behind_tls"), table.flag("h2c"));
        let redirect = table.or("redirect", false, |value| value.choice(&[("https", true)]));
        let proxy_protocol = table.take("proxy_protocol");
        let url = url?;
        finish_listener(
            &url,
            url.string("a URL to listen on")?,
            Flags { behind_tls, h2c, redirect },
            proxy_protocol.as_ref(),
        )
    })?
}

/// The keys of a listener's table besides its URL.
#[derive(Default)]
struct Flags {
    behind_tls: bool,
    h2c: bool,
    redirect: bool,
}

/// Returns the address of this machine that an origin names. The error for another name ends with `hint`.
pub(super) fn own_address(value: &Value<'_>, origin: &Origin, hint: &str) -> Option<IpAddr> {
    match &origin.host {
        Host::Address(ip) => Some(*ip),
        Host::Name(name) if &**name == "localhost" => Some(Ipv4Addr::LOCALHOST.into()),
        Host::Name(_) => {
            value.invalid(format!("must name an IP address of this machine, or localhost; {hint}"))
        }
    }
}

fn finish_listener(
    value: &Value<'_>,
    text: &str,
    Flags { behind_tls, h2c, redirect }: Flags,
    proxy_protocol: Option<&Value<'_>>,
) -> Option<Listener> {
    let origin = match Origin::parse(text) {
        Ok(origin) => origin,
        Err(error) => return value.invalid(error.to_string()),
    };
    let ip = own_address(value, &origin, "0.0.0.0 and [::] are all addresses")?;
    let protocol = match origin.scheme {
        Scheme::Https if behind_tls || h2c || redirect => {
            return value.fail(
                ErrorKind::Conflict,
                "behind_tls, h2c and redirect are for http:// listeners; an https:// listener has TLS and HTTP/2 \
                 already",
            );
        }
        Scheme::Http if redirect && (behind_tls || h2c) => {
            return value.fail(
                ErrorKind::Conflict,
                "redirects every request to https, so behind_tls and h2c have no meaning beside it: remove them, or \
                 redirect",
            );
        }
        Scheme::Http if redirect => ListenerProtocol::Redirect,
        Scheme::Https => ListenerProtocol::Https,
        Scheme::Http if !ip.to_canonical().is_loopback() && !behind_tls => {
            return value.fail(
                ErrorKind::InsecureListener,
                "sends secrets and tokens in the clear over the network (RFC 6749 §3.2, RFC 6750 §5.3): use https://, \
                 listen on 127.0.0.1, or, if a TLS terminator is in front of it, \
                 write { url = \"http://…\", behind_tls = true }",
            );
        }
        Scheme::Http => ListenerProtocol::Http { behind_tls, h2c },
    };
    let proxy_protocol = match proxy_protocol {
        None => None,
        Some(value) => proxy_protocol::proxy_protocol(value, ip)?,
    };
    let address = SocketAddr::new(ip, origin.port);
    Some(Listener { address, protocol, proxy_protocol, position: value.position() })
}
