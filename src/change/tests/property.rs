//! Whatever an editor submits, operations or a text, no difference that only owners may make is committed.
//!
//! What owners guard is read from the compiled configurations here, while the code under test compares texts:
//! the two ways must agree.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::desk::{Desk, actor, operation};
use super::*;
use crate::change::actor::Role;
use crate::change::error::ChangeError;
use crate::change::operation::Operation;
use crate::config::{Credentials, Host};
use crate::gate::KeySource;

const TEXT: &str = "[server]
listen = [\"http://127.0.0.1:8080\"]
[admin]
listen = \"http://127.0.0.1:9465\"
[admin.users.ann]
password = \"OLD\"
role = \"owner\"
[scopes]
read = \"R\"
[clients.a]
secret = \"OLD\"
scopes = [\"read\"]
[clients.root]
secret = \"OLD\"
scopes = [\"tollgate:admin.write\"]
[upstreams.shop]
servers = [\"http://10.0.0.1:9000\"]
credentials = { header = \"X-Key\", value = \"sesame\" }
[upstreams.other]
servers = [\"http://10.0.0.2:9000\"]
[[routes]]
path = \"/orders\"
scopes = [\"read\"]
upstream = \"shop\"
";

/// A generator of numbers that is the same in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // xorshift64*
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % bound
    }

    fn one<'v, T>(&mut self, values: &'v [T]) -> &'v T {
        &values[self.below(values.len())]
    }
}

/// Values that an attacker would put into any key.
const VALUES: &[&str] = &[
    "read",
    "tollgate:admin.write",
    "env:PATH",
    "file:/etc/hostname",
    "/etc/hostname",
    "http://10.0.0.9:80",
    "http://169.254.169.254",
    "http://[::ffff:a9fe:a9fe]/x",
    "http://127.0.0.1:9465",
    "http://localhost:8080",
    "unix:/run/x.sock",
    "shop",
    "other",
    "owner",
    "5m",
    "public",
];
const KEYS: &[&str] = &[
    "servers",
    "credentials",
    "tls",
    "scopes",
    "any_scope",
    "access",
    "upstream",
    "secret",
    "jwks_uri",
    "enabled",
    "default_scopes",
    "forward_token",
    "token_lifetime",
    "host",
    "response_headers",
    "request_headers",
    "users",
    "listen",
    "role",
    "rate_limit",
    "token_endpoint_auth_methods",
    "mode",
    "strip_prefix",
    "insecure_skip_verify",
];

fn value(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth == 0 { 3 } else { 6 }) {
        0..=1 => json!(random.one(VALUES)),
        2 => json!(random.below(2) == 0),
        3 => json!([value(random, 0)]),
        4 => json!({ "header": "X-Key", "value": random.one(&["sesame", "env:HOME", "new"]) }),
        _ => json!({ *random.one(&["ca", "client_key", "set", "url", "insecure_skip_verify", "server_name"]):
            value(random, depth - 1) }),
    }
}

fn settings(random: &mut Random) -> Value {
    let mut settings = serde_json::Map::new();
    for _ in 0..=random.below(3) {
        settings.insert((*random.one(KEYS)).to_owned(), value(random, 2));
    }
    Value::Object(settings)
}

fn submitted(random: &mut Random) -> Value {
    let client = *random.one(&["a", "root", "new"]);
    let upstream = *random.one(&["shop", "other", "new"]);
    let scope = *random.one(&["read", "tollgate:admin.write", "tollgate:x", "new"]);
    let user = *random.one(&["ann", "eve"]);
    match random.below(18) {
        0 => json!({ "op": "scope_add", "name": scope, "description": "D" }),
        1 => json!({ "op": "scope_remove", "name": scope }),
        2 => json!({ "op": "client_scopes", "id": client, "scopes": { "add": [scope] } }),
        3 => json!({ "op": "client_scopes", "id": client, "scopes": { "set": [] } }),
        4 => json!({ "op": "client_enabled", "id": client, "enabled": false }),
        5 => json!({ "op": "client_remove", "id": client }),
        6 => json!({ "op": "client_authentication", "id": client, "settings": {
            "token_endpoint_auth_methods": ["private_key_jwt"], "jwks_uri": value(random, 0), "secret": null } }),
        7 => json!({ "op": "client_authentication", "id": client, "settings": settings(random) }),
        8 => json!({ "op": "upstream_add", "name": upstream, "settings": {
            "servers": [value(random, 0)], "credentials": value(random, 1) } }),
        9 | 10 => json!({ "op": "upstream_set", "name": upstream, "settings": {
            "servers": [random.one(VALUES)] } }),
        11 | 12 => json!({ "op": "upstream_set", "name": upstream, "settings": settings(random) }),
        13 => json!({ "op": "route_set", "route": { "path": "/orders" }, "settings": settings(random) }),
        14 => json!({ "op": "route_add", "route": { "path": "/new", "access": "public", "upstream": upstream,
            "response_headers": { "set": { "X-A": random.one(VALUES) } } } }),
        15 => json!({ "op": "client_lifetime", "id": client, "token_lifetime": "9m" }),
        16 => json!({ "op": "admin_user_role", "name": user, "role": "owner" }),
        _ => json!({ "op": "client_default_scopes", "id": client, "scopes": { "set": [scope] } }),
    }
}

/// Everything in a compiled configuration that only owners change. Each entry of `after` that is not in
/// `before` would be a breach, and so would be another first part.
fn guarded(config: &Config) -> (String, BTreeSet<String>) {
    let fixed = format!(
        "{:?} {:?} {:?} {:?} {:?} {:?}",
        config.server.listen,
        config.server.tls,
        config.admin,
        config.metrics,
        config.demo,
        config.token_service.issuer
    );
    let mut uses = BTreeSet::new();
    for file in &config.files {
        uses.insert(format!("file {}", file.display()));
    }
    for upstream in &config.upstreams {
        for server in &upstream.servers {
            if let Some(socket) = &server.socket {
                uses.insert(format!("socket {}", socket.display()));
            }
            if let Host::Address(ip) = &server.origin.host {
                let link_local = match ip.to_canonical() {
                    std::net::IpAddr::V4(ip) => ip.is_link_local(),
                    std::net::IpAddr::V6(ip) => ip.is_unicast_link_local(),
                };
                let own = [8080, 9465].contains(&server.origin.port) && ip.is_loopback();
                if link_local || own {
                    uses.insert(format!("address {}", server.origin));
                }
            }
            if server.origin.host.is_loopback() && [8080, 9465].contains(&server.origin.port) {
                uses.insert(format!("address {}", server.origin));
            }
            let secret = match &upstream.credentials {
                Some(Credentials::Header { value, .. }) => value.expose(),
                Some(Credentials::Basic { password, .. }) => password.expose(),
                None => "",
            };
            if secret == "sesame" {
                let tls = upstream.tls.insecure_skip_verify;
                uses.insert(format!("sesame to {} {tls} of {}", server.origin, upstream.name));
            }
        }
    }
    for client in &config.clients {
        let mut scopes = client.scopes.iter().chain(client.default_scopes.iter());
        if scopes.any(|scope| scope.starts_with("tollgate:")) {
            let mut client = client.clone();
            client.position = crate::config::Position::default();
            for secret in client.authentication.secret.iter_mut().flat_map(|secret| &mut secret.secrets) {
                secret.position = crate::config::Position::default();
            }
            uses.insert(format!("admin {client:?}"));
        }
        if let Some(KeySource::Uri(uri)) = &client.authentication.private_key_jwt
            && (uri.contains("169.254") || uri.contains("9465") || uri.contains("8080"))
        {
            uses.insert(format!("keys {uri}"));
        }
    }
    (fixed, uses)
}

#[test]
fn no_editor_commits_what_only_owners_may() {
    let editor = actor("eve", Role::Editor);
    let mut random = Random(0x5eed_1234_5678_9abc);
    let (mut committed, mut refused) = (0, 0);
    let desk = Desk::new(TEXT);
    let whole = desk.fixture.text();
    let start = Config::load(&desk.fixture.path).unwrap();
    let positionless = |config: &Config| {
        let mut config = config.clone();
        for listener in &mut config.server.listen {
            listener.position = crate::config::Position::default();
        }
        if let Some(admin) = &mut config.admin {
            admin.position = crate::config::Position::default();
            admin.users.iter_mut().for_each(|user| user.position = crate::config::Position::default());
        }
        guarded(&config)
    };
    let (fixed, uses) = positionless(&start);
    for round in 0..1_000 {
        let operations: Vec<Operation> = if round % 3 == 0 {
            // A text: the lines of the file, some of them changed, moved or doubled.
            let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
            for _ in 0..=random.below(3) {
                let at = random.below(lines.len());
                match random.below(3) {
                    0 => lines[at] = format!("{} = {}", random.one(KEYS), json!(random.one(VALUES))),
                    1 => lines.insert(at, format!("{} = [{}]", random.one(KEYS), json!(random.one(VALUES)))),
                    _ => drop(lines.remove(at)),
                }
            }
            vec![Operation::Restore {
                version: 1,
                keep_today: random.below(2) == 0,
                files: vec![("gateway.toml".to_owned(), lines.join("\n"))],
            }]
        } else {
            (0..=random.below(3)).map(|_| operation(submitted(&mut random))).collect()
        };
        match desk.control.change(&editor, &operations, "c", None) {
            Ok(_) => {
                committed += 1;
                let config = Config::load(&desk.fixture.path).unwrap();
                let (now_fixed, now_uses) = positionless(&config);
                assert_eq!(now_fixed, fixed, "{operations:#?}");
                let new: Vec<_> = now_uses.difference(&uses).collect();
                assert!(new.is_empty(), "{new:?}\n{operations:#?}");
                let lost = uses.iter().any(|entry| entry.starts_with("admin") && !now_uses.contains(entry));
                assert!(!lost, "{operations:#?}");
                fs::write(&desk.fixture.path, &whole).unwrap();
            }
            Err(ChangeError::OwnerOnly(_) | ChangeError::Role(_)) => refused += 1,
            Err(_) => {}
        }
        assert_eq!(desk.fixture.text(), whole);
    }
    assert!(committed > 25 && refused > 100, "{committed} {refused}");
}
