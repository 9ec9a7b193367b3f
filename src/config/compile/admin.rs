//! `[admin]`.

use std::net::{IpAddr, SocketAddr};

use super::{authentication::password_hash, server};
use crate::config::{
    address::{Host, Origin, Scheme},
    error::ErrorKind,
    model::{Admin, AdminUser, Demo, Metrics, Role, Server, Upstream},
    reader::{Table, Value, read_all},
    settings::admin::{MAX_USERS, SESSION_IDLE_TIMEOUT, SESSION_LIFETIME, USER_NAME_LENGTH},
};

const WANTED: &str = "a URL to listen on, such as \"http://127.0.0.1:9465\"";

/// Reads `[admin]`.
pub(super) fn admin(value: &Value<'_>, server: &Server) -> Option<Admin> {
    value.table("a table: [admin]", |table| {
        let listen = table.need("listen", WANTED).and_then(|value| address(&value, server));
        let hosts = table.or("hosts", Some(Vec::new()), |value| Some(hosts(&value)));
        let read_only = table.flag("read_only");
        let session_idle_timeout = table.duration(&SESSION_IDLE_TIMEOUT);
        let session_lifetime = table.duration(&SESSION_LIFETIME);
        let users = table.take("users").map(|value| users(&value));
        let (listen, tls) = listen?;
        Some(Admin {
            listen,
            tls,
            hosts: hosts?,
            read_only,
            session_idle_timeout,
            session_lifetime,
            users: users.unwrap_or(Some(Vec::new()))?,
            position: value.position(),
        })
    })?
}

/// Reads the address, and whether it speaks TLS.
fn address(value: &Value<'_>, server: &Server) -> Option<(SocketAddr, bool)> {
    let origin = match Origin::parse(value.string(WANTED)?) {
        Ok(origin) => origin,
        Err(error) => return value.invalid(error.to_string()),
    };
    let ip = server::own_address(value, &origin, "other names for it are `hosts`")?;
    let tls = origin.scheme == Scheme::Https;
    if !tls && !ip.to_canonical().is_loopback() {
        return value.fail(
            ErrorKind::InsecureListener,
            "sends passwords and tokens in the clear over the network: use https://, or listen on 127.0.0.1 and reach it \
             through `ssh -L`",
        );
    }
    let address = SocketAddr::new(ip, origin.port);
    if server::taken(&server.listen, address) {
        return value.fail(ErrorKind::Duplicate, "the gateway itself listens there ([server] listen)");
    }
    Some((address, tls))
}

/// Reads the names by which operators reach the console.
fn hosts(value: &Value<'_>) -> Option<Vec<Host>> {
    value.set_of("host names", |item| {
        let text = item.string("a host name, such as \"gateway.example.com\"")?;
        match Host::parse(text) {
            Some(host) => Some(host),
            None => item.invalid("must be a host name or an IP address, without a port"),
        }
    })
}

fn users(value: &Value<'_>) -> Option<Vec<AdminUser>> {
    let entries = value.table("a table of users: [admin.users.NAME]", Table::take_all)?;
    if entries.len() > MAX_USERS {
        return value.fail(ErrorKind::TooMany, format!("has more than {MAX_USERS} users"));
    }
    read_all(entries, user)
}

fn user(name: &str, value: Value<'_>) -> Option<AdminUser> {
    let good_name = !name.is_empty()
        && name.len() <= USER_NAME_LENGTH
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'@'));
    if !good_name {
        value.key_problem(
            ErrorKind::InvalidValue,
            "a user name is 1 to 64 letters, digits and any of - _ . @",
        );
    }
    let position = value.position();
    // The whole table may be a password that was written in the wrong place.
    let hidden = if value.inner().is_table() { value } else { value.secret() };
    hidden.table("a table: [admin.users.NAME]", |table| {
        let password = table
            .need("password", "the argon2id hash of the password, which `tollgate admin user` makes")
            .and_then(|value| password_hash(value, name));
        let role = table
            .need("role", "\"viewer\", \"editor\" or \"owner\"")
            .and_then(|value| value.choice(&Role::ALL));
        let user = AdminUser { name: name.to_owned(), password: password?, role: role?, position };
        good_name.then_some(user)
    })?
}

/// Refuses what the admin listener would make reachable or would collide with: an upstream with its address,
/// and a listener of `[metrics]` or `[demo]` on it.
pub(super) fn separate(
    value: &Value<'_>,
    admin: &Admin,
    upstreams: &[Upstream],
    metrics: Option<&Metrics>,
    demo: Option<&Demo>,
) {
    let others =
        [(metrics.map(|metrics| metrics.listen), "[metrics]"), (demo.map(|demo| demo.listen), "[demo]")];
    for (address, table) in others {
        if address.is_some_and(|address| address.port() != 0 && address == admin.listen) {
            value.problem(
                ErrorKind::Duplicate,
                format!("listens on the address of {table}: change one of them"),
            );
        }
    }
    if admin.listen.port() == 0 {
        return;
    }
    for upstream in upstreams {
        let reaches = upstream.servers.iter().any(|server| {
            server.origin.port == admin.listen.port()
                && server.socket.is_none()
                && match &server.origin.host {
                    Host::Address(ip) => is_reached_at(admin.listen.ip(), *ip),
                    Host::Name(name) => &**name == "localhost" || admin.hosts.contains(&server.origin.host),
                }
        });
        if reaches {
            value.problem(
                ErrorKind::Conflict,
                format!(
                    "is the address of a server of upstream {:?}: requests to the gateway would reach the console; give \
                     one of them another port",
                    upstream.name
                ),
            );
        }
    }
}

/// Returns whether a connection to `target` reaches a listener on `listen`.
pub(crate) fn is_reached_at(listen: IpAddr, target: IpAddr) -> bool {
    let (listen, target) = (listen.to_canonical(), target.to_canonical());
    listen == target
        // Linux connects to the own machine if the address is unspecified.
        || (target.is_unspecified() && (listen.is_loopback() || listen.is_unspecified()))
        // The addresses of this machine are not known here, except loopback.
        || (listen.is_unspecified() && target.is_loopback())
}
