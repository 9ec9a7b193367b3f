//! `[store]`.

use std::time::Duration;

use super::*;
use crate::config::{Lint, StoreKind};
use crate::store::{EngineAddress, RedisOptions, Topology};

#[track_caller]
fn engine(text: &str) -> (RedisOptions, Vec<Lint>) {
    let config = good(&format!("[store]\nkind = \"redis\"\n{text}"));
    let lints = config.warnings.iter().map(|warning| warning.lint).collect();
    match config.store {
        StoreKind::Redis(options) => (*options, lints),
        other => panic!("{other:?}"),
    }
}

fn tcp(host: &str, port: u16) -> EngineAddress {
    EngineAddress::Tcp { host: host.to_owned(), port }
}

#[test]
fn an_engine_is_one_server_or_several() {
    let (one, lints) = engine("url = \"redis://localhost\"");
    assert_eq!(one, RedisOptions::single(tcp("localhost", 6379)));
    assert!(!lints.contains(&Lint::PlainHttp), "{lints:?}");
    let (socket, _) = engine("url = \"unix:/run/redis.sock\"");
    assert_eq!(socket.topology, Topology::Single(EngineAddress::Unix("/run/redis.sock".into())));
    let (six, _) = engine("url = \"rediss://[::1]:7000/\"");
    assert_eq!((six.topology, six.tls.is_some()), (Topology::Single(tcp("::1", 7000)), true));
    let (sentinels, lints) = engine("urls = [\"redis://a\", \"redis://b:5\"]\nsentinel = \"main\"\n");
    let both = vec![tcp("a", 26379), tcp("b", 5)];
    assert_eq!(sentinels.topology, Topology::Sentinel { sentinels: both, primary: "main".to_owned() });
    assert!(lints.contains(&Lint::PlainHttp), "{lints:?}");
    let (cluster, _) =
        engine("urls = [\"valkeys://a\"]\ncluster = true\nlease = \"200ms\"\nprefix = \"x\"\n");
    assert_eq!(cluster.topology, Topology::Cluster(vec![tcp("a", 6379)]));
    assert_eq!((cluster.lease, &*cluster.prefix), (Duration::from_millis(200), "x"));
}

#[test]
fn a_login_and_a_weakened_setting() {
    let (options, lints) = engine(
        "url = \"redis://127.0.0.1\"\nuser = \"u\"\npassword = \"env:LEGACY_KEY\"\nallow_cached = \"30s\"\n",
    );
    assert_eq!(options.login.user.as_deref(), Some("u"));
    assert_eq!(
        options.login.password.as_ref().map(|password| password.expose()),
        Some("from-the-environment")
    );
    assert!(!format!("{options:?}").contains("from-the-environment"));
    assert!(lints.contains(&Lint::AcceptsRevoked), "{lints:?}");
    assert_eq!(options.allow_cached, Duration::from_secs(30));
}

#[test]
fn errors_of_the_store() {
    check(&[
        ("[store]\nkind = \"redis\"", 1, "store", MissingKey, "`url` is missing"),
        ("[store]\nurl = \"redis://a\"", 2, "store.url", Conflict, "kind = \"redis\""),
        ("[store]\nkind = \"memory\"\nlease = \"1s\"", 3, "store.lease", Conflict, "kind = \"redis\""),
        ("[store]\nkind = \"redis\"\nurl = \"redis://u:p@a\"", 3, "store.url", InvalidValue, "a login"),
        ("[store]\nkind = \"redis\"\nurl = \"redis://a/1\"", 3, "store.url", InvalidValue, "prefix"),
        ("[store]\nkind = \"redis\"\nurl = \"redis://a:0\"", 3, "store.url", InvalidValue, "port"),
        ("[store]\nkind = \"redis\"\nurl = \"http://a\"", 3, "store.url", InvalidValue, "redis://"),
        ("[store]\nkind = \"redis\"\nurl = \"unix:redis.sock\"", 3, "store.url", InvalidValue, "absolute"),
        (
            "[store]\nkind = \"redis\"\nurls = [\"redis://a\", \"redis://b\"]",
            3,
            "store.urls",
            Conflict,
            "cluster = true",
        ),
        (
            "[store]\nkind = \"redis\"\nurls = [\"redis://a\", \"rediss://b\"]\ncluster = true",
            3,
            "store.urls[0]",
            Conflict,
            "rediss://",
        ),
        (
            "[store]\nkind = \"redis\"\nurl = \"redis://localhost\"\ntls = {}",
            4,
            "store.tls",
            Conflict,
            "rediss://",
        ),
        (
            "[store]\nkind = \"redis\"\nurl = \"redis://localhost\"\nuser = \"u\"",
            1,
            "store",
            MissingKey,
            "needs its password",
        ),
        (
            "[store]\nkind = \"redis\"\nurl = \"redis://localhost\"\nsentinel_password = \"p\"",
            4,
            "store.sentinel_password",
            Conflict,
            "sentinels",
        ),
        (
            "[store]\nkind = \"redis\"\nurl = \"redis://localhost\"\nprefix = \"a b\"",
            4,
            "store.prefix",
            InvalidValue,
            "letters",
        ),
        (
            "[store]\nkind = \"redis\"\nurl = \"redis://localhost\"\nlease = \"1ms\"",
            4,
            "store.lease",
            InvalidValue,
            "50ms",
        ),
    ]);
}
