//! `[store]` with `kind = "redis"`.

use std::path::PathBuf;
use std::time::Duration;

use super::tls;
use crate::config::{
    address::Host,
    error::ErrorKind,
    reader::{Table, Value},
    settings::store as settings,
    units::Shown,
    warning::Lint,
};
use crate::store::{EngineAddress, EngineLogin, EngineTls, RedisOptions, Topology};

const WANTED: &str =
    "a URL such as \"redis://127.0.0.1:6379\", \"rediss://redis.example.com\" or \"unix:/run/redis.sock\"";

/// A URL of a server.
struct Url {
    address: EngineAddress,
    tls: bool,
    loopback: bool,
}

/// The keys of the table, which are taken whatever the kind is.
pub(super) struct Keys<'a> {
    url: Option<Value<'a>>,
    urls: Option<Value<'a>>,
    sentinel: Option<Value<'a>>,
    cluster: Option<Value<'a>>,
    user: Option<Value<'a>>,
    password: Option<Value<'a>>,
    sentinel_user: Option<Value<'a>>,
    sentinel_password: Option<Value<'a>>,
    tls: Option<Value<'a>>,
    prefix: Option<Value<'a>>,
    lease: Option<Value<'a>>,
    allow_cached: Option<Value<'a>>,
}

impl<'a> Keys<'a> {
    pub(super) fn take(table: &mut Table<'a>) -> Self {
        Self {
            url: table.take("url"),
            urls: table.take("urls"),
            sentinel: table.take("sentinel"),
            cluster: table.take("cluster"),
            user: table.take("user"),
            password: table.take("password").map(Value::secret),
            sentinel_user: table.take("sentinel_user"),
            sentinel_password: table.take("sentinel_password").map(Value::secret),
            tls: table.take("tls"),
            prefix: table.take("prefix"),
            lease: table.take(settings::LEASE.bounds.name),
            allow_cached: table.take(settings::ALLOW_CACHED.bounds.name),
        }
    }

    /// Reports the keys that another kind of store does not have.
    pub(super) fn refuse(self) {
        let Self { url, urls, sentinel, cluster, user, password, .. } = self;
        let Self { sentinel_user, sentinel_password, tls, prefix, lease, allow_cached, .. } = self;
        let all = [
            url,
            urls,
            sentinel,
            cluster,
            user,
            password,
            sentinel_user,
            sentinel_password,
            tls,
            prefix,
            lease,
            allow_cached,
        ];
        for value in all.into_iter().flatten() {
            value.problem(
                ErrorKind::Conflict,
                "belongs to a store that gateways share: write kind = \"redis\", or remove it",
            );
        }
    }

    /// Reads them. Returns `None` only after an error was reported.
    pub(super) fn read(self, table: &Table<'a>) -> Option<RedisOptions> {
        let clustered = self.cluster.as_ref().and_then(Value::boolean).unwrap_or(false);
        let default_port = if self.sentinel.is_some() { settings::SENTINEL_PORT } else { settings::PORT };
        let urls = urls(self.url, self.urls, self.sentinel.is_some() || clustered, default_port, table);
        let primary = self.sentinel.as_ref().map(|value| value.text("the name of the primary", 255));
        if let (Some(sentinel), true) = (&self.sentinel, clustered) {
            sentinel.problem(
                ErrorKind::Conflict,
                "is for a primary with replicas, and a cluster has none of it: remove one",
            );
        }
        let login = login(self.user, self.password.clone(), "user", table);
        let sentinel_login =
            login_of_sentinels(self.sentinel_user, self.sentinel_password, self.sentinel.is_some(), table);
        let tls = self.tls.map(|value| {
            let files = value.table("a table: { ca = \"…\" }", engine_tls);
            (value, files)
        });
        let prefix = self.prefix.map_or(Some(settings::PREFIX.to_owned()), |value| prefix(&value));
        let lease =
            self.lease.map_or(Some(settings::LEASE.default), |value| value.duration(&settings::LEASE.bounds));
        let allow_cached = self.allow_cached.map_or(Some(Duration::ZERO), |value| allow_cached(&value));
        let urls = urls?;
        let encrypted = urls.iter().any(|(_, url)| url.tls);
        for (value, url) in &urls {
            if url.tls != encrypted {
                value.problem(
                    ErrorKind::Conflict,
                    "must be rediss:// as the others are, or none of them must be",
                );
            }
            if !url.tls && !url.loopback {
                value.warn(
                    Lint::PlainHttp,
                    "is not encrypted: whoever is on the way can read the password and make tokens. Use rediss://",
                );
            }
        }
        if let Some((value, _)) = tls.as_ref().filter(|_| !encrypted) {
            value.problem(
                ErrorKind::Conflict,
                "is for rediss://, and no URL is one: remove it, or change the URL",
            );
        }
        let mut addresses = urls.into_iter().map(|(_, url)| url.address);
        let topology = match (primary, clustered) {
            (Some(primary), _) => {
                Topology::Sentinel { sentinels: addresses.collect(), primary: primary?.to_owned() }
            }
            (None, true) => Topology::Cluster(addresses.collect()),
            (None, false) => Topology::Single(addresses.next()?),
        };
        let tls = match (encrypted, tls) {
            (false, _) => None,
            (true, None) => Some(EngineTls::default()),
            (true, Some((_, files))) => Some(files??),
        };
        Some(RedisOptions {
            tls,
            login: login?,
            sentinel_login: sentinel_login?,
            prefix: prefix?,
            lease: lease?,
            allow_cached: allow_cached?,
            ..RedisOptions::of(topology)
        })
    }
}

fn urls<'a>(
    one: Option<Value<'a>>,
    several: Option<Value<'a>>,
    may_be_several: bool,
    port: u16,
    table: &Table<'a>,
) -> Option<Vec<(Value<'a>, Url)>> {
    let read = |value: Value<'a>| url(&value, port).map(|url| (value, url));
    match (one, several) {
        (Some(one), Some(_)) => {
            one.fail(ErrorKind::Conflict, "is there beside `urls`: name all servers in one of them")
        }
        (Some(one), None) => Some(vec![read(one)?]),
        (None, Some(several)) => {
            let urls = several.each("URLs, such as \"redis://10.0.0.1:6379\"", read)?;
            match (urls.len(), may_be_several) {
                (0, _) => several.invalid("is empty: name at least one server"),
                (1, _) | (_, true) => Some(urls),
                (_, false) => several.fail(
                    ErrorKind::Conflict,
                    "has several servers: add sentinel = \"NAME\" if they are sentinels, or cluster = true",
                ),
            }
        }
        (None, None) => {
            table.missing("`url` is missing: the server, such as \"redis://127.0.0.1:6379\"");
            None
        }
    }
}

fn url(value: &Value<'_>, default_port: u16) -> Option<Url> {
    let text = value.string(WANTED)?;
    if let Some(path) = text.strip_prefix("unix:") {
        if !path.starts_with('/') {
            return value.invalid("must have an absolute path after \"unix:\"");
        }
        return Some(Url { address: EngineAddress::Unix(PathBuf::from(path)), tls: false, loopback: true });
    }
    let (tls, rest) = match text.split_once("://") {
        Some(("redis" | "valkey", rest)) => (false, rest),
        Some(("rediss" | "valkeys", rest)) => (true, rest),
        _ => return value.invalid(format!("must be {WANTED}")),
    };
    if rest.contains('@') {
        return value
            .invalid("has a login in it: write it as `user` and `password`, which can be \"env:NAME\"");
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#']) {
        return value.invalid(
            "has something behind the port: the keys are told apart by `prefix`, not by a database",
        );
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|port| *port > 0)),
        _ => (rest, Some(default_port)),
    };
    let (Some(host), Some(port)) = (Host::parse(host), port) else {
        return value.invalid(format!("has no host name or no valid port: it must be {WANTED}"));
    };
    let loopback = host.is_loopback();
    let host = match host {
        Host::Address(ip) => ip.to_string(),
        Host::Name(name) => name.into(),
    };
    Some(Url { address: EngineAddress::Tcp { host, port }, tls, loopback })
}

fn login<'a>(
    user: Option<Value<'a>>,
    password: Option<Value<'a>>,
    name: &str,
    table: &Table<'a>,
) -> Option<EngineLogin> {
    if user.is_some() && password.is_none() {
        table.missing(format!("`{name}` needs its password beside it"));
        return None;
    }
    let user = user.map(|value| value.text("a user name", 255).map(str::to_owned));
    let password = password.map(|value| value.secret_text("the password"));
    Some(EngineLogin { user: user.map_or(Some(None), |user| user.map(Some))?, password: optional(password)? })
}

fn login_of_sentinels<'a>(
    user: Option<Value<'a>>,
    password: Option<Value<'a>>,
    has_sentinels: bool,
    table: &Table<'a>,
) -> Option<EngineLogin> {
    if let Some(value) = user.as_ref().or(password.as_ref()).filter(|_| !has_sentinels) {
        return value.fail(ErrorKind::Conflict, "is for sentinels: add sentinel = \"NAME\", or remove it");
    }
    login(user, password, "sentinel_user", table)
}

/// `None` stays for what was wrong.
fn optional<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    read.map_or(Some(None), |read| read.map(Some))
}

fn engine_tls(table: &mut Table<'_>) -> Option<EngineTls> {
    let ca = table.take("ca").map(|value| tls::authorities(&value));
    let client = tls::pair(table, "client_certificate", "client_key", "");
    Some(EngineTls { ca: optional(ca)?, client: client.map(|files| (files.certificate, files.key)) })
}

fn prefix(value: &Value<'_>) -> Option<String> {
    let text = value.text("a prefix", 64)?;
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    if text.is_empty() || !text.bytes().all(allowed) {
        return value.invalid("must be 1 to 64 letters, digits, or any of - _ . :");
    }
    Some(text.to_owned())
}

fn allow_cached(value: &Value<'_>) -> Option<Duration> {
    let duration = value.duration(&settings::ALLOW_CACHED.bounds)?;
    if !duration.is_zero() {
        value.warn(
            Lint::AcceptsRevoked,
            format!(
                "while this gateway cannot reach the engine, it accepts tokens that were revoked elsewhere, for up to \
                 {}. With \"0s\" it answers 503 instead",
                Shown(duration)
            ),
        );
    }
    Some(duration)
}
