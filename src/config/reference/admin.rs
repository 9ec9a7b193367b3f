//! `[admin]`.

use super::key::{Key, Kind, Table};
use super::pattern;
use crate::config::settings::admin::{SESSION_IDLE_TIMEOUT, SESSION_LIFETIME, USER_NAME_LENGTH};

/// The hash of the tutorial's secret, for the examples.
const HASH: &str =
    "\"$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8\"";

pub(super) fn admin() -> Table {
    Table::new(
        "[admin]",
        "The console and the API for operators, on an address of their own. Left out, they are off.",
        "[admin]\n§",
    )
    .base("listen = \"http://127.0.0.1:9465\"")
    .keys([
        Key::new(
            "listen",
            Kind::text(
                "URL: `https://`, or `http://` on loopback, an IP address of this machine or `localhost`, and a port",
                pattern::listen(false),
            ),
            "Where the console and the API are served. `https://` has the certificate of `[server.tls]`. There is no way \
             to use them without signing in.",
        )
        .required()
        .example(r#""http://127.0.0.1:9465""#)
        .wrong(r#""http://0.0.0.0:9465""#)
        .beside(""),
        Key::new(
            "hosts",
            Kind::set(Kind::text("a host name or an IP address, without a port", pattern::host())),
            "The names by which browsers reach the console, besides its address and `localhost`. A request for any other \
             name is refused with 421.",
        )
        .default("[]")
        .example(r#"["gateway.example.com"]"#)
        .wrong(r#"["https://gateway.example.com"]"#),
        Key::flag(
            "read_only",
            false,
            "Whether changes can only be prepared: as a difference or a patch, for a repository that this file comes from.",
        ),
        Key::duration(&SESSION_IDLE_TIMEOUT, "How long a user stays signed in without a request."),
        Key::duration(&SESSION_LIFETIME, "How long a user stays signed in at most."),
        Key::new(
            "users",
            Kind::map("NAME", pattern::user_name(USER_NAME_LENGTH), "a user name", Kind::Table(user())),
            "The users of the console. `tollgate admin link` prints a link for the first one, and `tollgate admin user` adds \
             others.",
        )
        .default_note("no users: the gateway prints a link with which the first one is made"),
    ])
}

fn user() -> Table {
    Table::new(
        "[admin.users.NAME]",
        "A user of the console: letters, digits and any of `-_.@`.",
        "[admin]\nlisten = \"http://127.0.0.1:9465\"\n[admin.users.alice]\n§",
    )
    .base("password = \"$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8\"\nrole = \"owner\"")
    .keys([
        Key::new(
            "password",
            Kind::text("argon2id hash, or `env:NAME`, or `file:path`", pattern::secret_hash()),
            "The hash of the password. `tollgate admin user NAME` asks for a password and puts its hash here.",
        )
        .required()
        .example(HASH)
        .wrong(r#""Password1""#)
        .beside("role = \"owner\""),
        Key::new(
            "role",
            Kind::Choice(vec!["viewer", "editor", "owner"]),
            "What the user may do. A viewer sees everything but secrets. An editor also changes scopes, clients, routes \
             and upstreams. An owner changes everything: listeners, users, files that are read, and who may use the API.",
        )
        .required()
        .example(r#""owner""#)
        .wrong(r#""admin""#)
        .beside("password = \"$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8\""),
    ])
}
