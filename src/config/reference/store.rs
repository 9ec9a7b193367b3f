//! `[store]`.

use serde_json::json;

use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::compile::STORE_KINDS;
use crate::config::settings::store as settings;

const ONE: &str = "kind = \"redis\"\nurl = \"redis://127.0.0.1:6379\"";
const KIND: &str = "kind = \"redis\"";
const SENTINELS: &str =
    "kind = \"redis\"\nurls = [\"redis://10.0.0.1\", \"redis://10.0.0.2\"]\nsentinel = \"tollgate\"";
const SENTINEL_URLS: &str = "kind = \"redis\"\nurls = [\"redis://10.0.0.1\", \"redis://10.0.0.2\"]";
const WITH_PASSWORD: &str =
    "kind = \"redis\"\nurl = \"redis://127.0.0.1:6379\"\npassword = \"file:password.txt\"";
const WITH_SENTINEL_PASSWORD: &str = "kind = \"redis\"\nurls = [\"redis://10.0.0.1\", \"redis://10.0.0.2\"]\n\
     sentinel = \"tollgate\"\nsentinel_password = \"file:password.txt\"";
const ENCRYPTED: &str = "kind = \"redis\"\nurl = \"rediss://redis.example.com\"";

/// Describes the key of a user name.
fn user(name: &'static str, about: &'static str) -> Key {
    Key::new(name, Kind::text("user name", pattern::LINE), about)
        .default_note("the default user")
        .example(r#""tollgate""#)
        .wrong("1")
}

/// Describes the key of a password.
fn password(name: &'static str, about: &'static str) -> Key {
    let kind = Kind::Schema("a password, or `\"env:NAME\"` or `\"file:path\"`", pattern::secret_value());
    Key::new(name, kind, about).example(r#""file:password.txt""#).wrong(r#""""#)
}

pub(super) fn store() -> Table {
    let url = || Kind::text("URL: `redis://`, `rediss://` or `unix:/path`", pattern::ENGINE_URL);
    Table::new("[store]", "Where issued tokens are kept.", "[store]\n§")
        .keys([
            Key::new(
                "kind",
                Kind::Choice(STORE_KINDS.to_vec()),
                "`journal`: in memory, and in a journal in `state_dir` from which a restart takes them. Revocations and used \
                 client assertions are on disk before they are answered, tokens 10 ms after they were issued. \
                 `state_dir` must be on a local disk. `memory`: in memory alone. A restart then ends every token, and \
                 forgets the client assertions that were used; those that are older than the restart are refused by \
                 their date. `redis`: in Redis (7.0 or later) or Valkey (7.2 or later), which several gateways share: a \
                 token that one of them has issued is good at all of them, and one that is revoked is refused by all of \
                 them (see [many gateways](many-gateways.md)). Left out, a gateway whose `state_dir` cannot be used starts \
                 with tokens in memory alone, and its log says so.",
            )
            .default_note("`journal` if `state_dir` can be used, else `memory`")
            .example(r#""memory""#)
            .wrong(r#""disk""#),
            Key::new(
                "url",
                url(),
                "The server, with `kind = \"redis\"`. `rediss://` is TLS. Without a port it is 6379, or 26379 for a sentinel.",
            )
            .example(r#""redis://127.0.0.1:6379""#)
            .wrong(r#""http://127.0.0.1:6379""#)
            .beside(KIND),
            Key::new(
                "urls",
                Kind::set(url()).not_empty(),
                "Several servers: the sentinels if `sentinel` is set, or nodes of the cluster if `cluster` is set. One that \
                 answers is enough.",
            )
            .example(r#"["redis://10.0.0.1", "redis://10.0.0.2"]"#)
            .wrong("[]")
            .beside("kind = \"redis\"\ncluster = true"),
            Key::new(
                "sentinel",
                Kind::text("the name of a primary", pattern::LINE),
                "Asks sentinels for the primary of this name (`sentinel monitor NAME …`).",
            )
            .example(r#""tollgate""#)
            .wrong("true")
            .beside(SENTINEL_URLS),
            Key::flag("cluster", false, "Whether the servers are nodes of a cluster.").beside(ONE),
            user("user", "The user of the engine (`ACL SETUSER`), if it is not the default one.")
                .beside(WITH_PASSWORD),
            password("password", "The password of the user.").default_note("no login").beside(ONE),
            user("sentinel_user", "The user of the sentinels, if it is not the default one.")
                .beside(WITH_SENTINEL_PASSWORD),
            password(
                "sentinel_password",
                "The password of the sentinels, which is not that of the servers.",
            )
            .default_note("no login to sentinels")
            .beside(SENTINELS),
            Key::new("tls", Kind::Table(tls()), "TLS to `rediss://` servers.")
                .default_note("the certificate authorities of the system")
                .example(r#"{ ca = "tls/internal-ca.pem" }"#)
                .wrong("true")
                .beside(ENCRYPTED),
            Key::new(
                "prefix",
                Kind::text("1 to 64 letters, digits, or any of - _ . :", pattern::KEY_PREFIX),
                "What the names of all keys begin with. Gateways with the same prefix on the same engine are one; give \
                 others another one.",
            )
            .default(format!("\"{}\"", settings::PREFIX))
            .example(r#""staging""#)
            .wrong(r#""a b""#)
            .beside(ONE),
            Key::duration(
                &settings::LEASE,
                "How long a gateway trusts what it has in memory after its last read of the log of revocations. A revocation \
                 is confirmed that much later, so it must be the same for all gateways.",
            )
            .beside(ONE),
            Key::duration(
                &settings::ALLOW_CACHED,
                "How long this gateway accepts the tokens that it has in memory while it cannot reach the engine. With the \
                 default it answers 503 once the lease is over. Anything longer means that it accepts tokens that were \
                 revoked elsewhere for that time; `tollgate check` warns of it (`accepts-revoked`).",
            )
            .example(r#""30s""#)
            .beside(ONE),
        ])
        .rule(
            "A store that gateways share needs `kind = \"redis\"` and one of `url` and `urls`.",
            json!({
                "if": { "required": ["kind"], "properties": { "kind": { "const": "redis" } } },
                "then": { "oneOf": [{ "required": ["url"] }, { "required": ["urls"] }] },
                "else": { "not": { "anyOf": REDIS_KEYS.map(|key| json!({ "required": [key] })) } },
            }),
        )
        .rule(
            "A user needs a password.",
            json!({ "dependentRequired": { "user": ["password"], "sentinel_user": ["sentinel_password"] } }),
        )
}

/// The keys that only `kind = "redis"` has.
const REDIS_KEYS: [&str; 12] = [
    "url",
    "urls",
    "sentinel",
    "cluster",
    "user",
    "password",
    "sentinel_user",
    "sentinel_password",
    "tls",
    "prefix",
    "lease",
    "allow_cached",
];

fn tls() -> Table {
    let file = |name, about| {
        Key::new(name, Kind::text("path of a PEM file", pattern::LINE), about)
            .example(format!("\"tls/{name}.pem\""))
            .wrong_for_check(r#""missing.pem""#)
    };
    let document = "[store]\nkind = \"redis\"\nurl = \"rediss://redis.example.com\"\ntls = { § }";
    Table::new("tls", "TLS to `rediss://` servers.", document)
        .keys([
            file("ca", "The authorities that the servers' certificates are verified with.")
                .default_note("those of the system"),
            file("client_certificate", "The certificate that the gateway shows to the servers.")
                .beside("client_key = \"tls/client_key.pem\""),
            file("client_key", "Its private key.")
                .beside("client_certificate = \"tls/client_certificate.pem\""),
        ])
        .rule(
            "`client_certificate` and `client_key` go together.",
            json!({
                "dependentRequired": {
                    "client_certificate": ["client_key"],
                    "client_key": ["client_certificate"],
                },
            }),
        )
}
