//! Every lint: configurations that it warns about, and their neighbours that it does not warn about.

mod certificates;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::lint;
use crate::config::{Config, ConfigWarning, Lint};

/// The hash of no secret, of the usual cost.
const HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";

fn warnings_of(file: &Path, text: &str) -> Vec<ConfigWarning> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let config = Config::parse(&text.replace("HASH", HASH), file, folder, &|_| Some("a secret".to_owned()))
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"));
    lint(&config)
}

fn warnings(text: &str) -> Vec<ConfigWarning> {
    // The file does not exist, so its permissions cause no warning.
    warnings_of(Path::new("no/such/gateway.toml"), text)
}

/// One upstream and one route, completed by `more`.
fn with(more: &str) -> String {
    format!(
        "[scopes]\nread = \"Read\"\n[upstreams.api]\nservers = [\"http://127.0.0.1:9000\"]\n\
         [[routes]]\nprefix = \"/api\"\nscopes = [\"read\"]\nupstream = \"api\"\n{more}"
    )
}

/// A complete configuration with these lines in its route.
fn route(lines: &str) -> String {
    format!(
        "[scopes]\nread = \"Read\"\n[upstreams.api]\nservers = [\"http://127.0.0.1:9000\"]\n\
         [[routes]]\nupstream = \"api\"\n{lines}\n"
    )
}

#[track_caller]
fn warns(lint: Lint, key: &str, text: &str) -> String {
    let all = warnings(text);
    match all.as_slice() {
        [only] if only.lint == lint && only.key == key => only.to_string(),
        _ => panic!("one {lint:?} at {key} was wanted for\n{text}\nand there are: {all:#?}"),
    }
}

#[track_caller]
fn silent(text: &str) {
    let all = warnings(text);
    assert!(all.is_empty(), "{text}\n{all:#?}");
}

#[test]
fn a_good_configuration_has_no_warning() {
    silent(&with(""));
    silent(&with(
        "[clients.app]\nsecret = \"HASH\"\nscopes = [\"read\"]\ncapabilities = [\"client_credentials\"]",
    ));
    // A later clone of the repository has the mode of its user's umask; the tutorial's hash is no secret.
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("gateway.toml");
    let config = Config::load(&shipped).expect("the shipped gateway.toml");
    let all = lint(&config);
    assert!(all.iter().all(|warning| warning.position.is_none()), "{all:#?}");
}

#[test]
fn unknown_methods() {
    let route = |methods: &str| route(&format!("path = \"/a\"\nscopes = [\"read\"]\nmethods = {methods}"));
    let text = warns(Lint::UnknownMethod, "routes[0].methods[1]", &route("[\"POST\", \"GTE\"]"));
    assert!(text.contains(":9:20: warning: ") && text.contains("did you mean \"GET\"?"), "{text}");
    for wildcard in ["*", "ANY"] {
        let text = warns(Lint::UnknownMethod, "routes[0].methods[0]", &route(&format!("[\"{wildcard}\"]")));
        assert!(text.contains("leave `methods` out"), "{text}");
    }
    silent(&route("[\"GET\", \"PROPFIND\", \"M-SEARCH\", \"PURGE\"]"));
}

#[test]
fn networks_that_never_match() {
    let text = with("allow = [\"::ffff:10.0.0.0/104\"]");
    let text = warns(Lint::UnmatchableNetwork, "routes[0].allow[0]", &text);
    assert!(text.contains("write \"10.0.0.0/8\""), "{text}");
    let denied = with("allow = [\"10.0.0.0/8\", \"10.1.2.0/24\"]\ndeny = [\"10.1.0.0/16\"]");
    warns(Lint::UnmatchableNetwork, "routes[0].allow[1]", &denied);
    silent(&with("allow = [\"10.0.0.0/8\", \"2001:db8::/32\", \"::1\"]\ndeny = [\"10.1.0.0/16\"]"));
}

#[test]
fn proxies_that_contain_clients() {
    let server = |ranges: &str| with(&format!("[server]\ntrusted_proxies = [{ranges}]"));
    for range in ["0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3"] {
        warns(Lint::TrustsEveryone, "server.trusted_proxies[0]", &server(&format!("{range:?}")));
    }
    silent(&server("\"10.0.0.0/8\", \"fc00::/7\", \"192.0.2.7\""));
}

#[test]
fn absurd_throttles() {
    let throttle = |value: &str| with(&format!("[token_service]\nthrottle = {value}"));
    let key = "token_service.throttle";
    let loose = warns(Lint::AbsurdThrottle, key, &throttle("{ failures = 1000000, per = \"1m\" }"));
    assert!(loose.contains("allows 1000000 guesses a minute"), "{loose}");
    warns(Lint::AbsurdThrottle, key, &throttle("{ failures = 1, per = \"1d\" }"));
    for good in [
        "{ failures = 10, per = \"1m\" }",
        "{ failures = 100, per = \"1h\" }",
        "{ failures = 3, per = \"1m\" }",
    ] {
        silent(&throttle(good));
    }
}

#[test]
fn absurd_hashes() {
    let client = |hash: &str| {
        with(&format!(
            "[clients.app]\nsecret = \"{hash}\"\nscopes = [\"read\"]\ncapabilities = [\"client_credentials\"]"
        ))
    };
    let cheap =
        warns(Lint::AbsurdHash, "clients.app.secret", &client(&HASH.replace("m=19456,t=2", "m=8,t=1")));
    assert!(cheap.contains("not shown") && !cheap.contains("$argon2"), "{cheap}");
    warns(Lint::AbsurdHash, "clients.app.secret", &client(&HASH.replace("m=19456,t=2", "m=131072,t=4")));
    for good in ["m=47104,t=1", "m=12288,t=3", "m=7168,t=5", "m=65536,t=3"] {
        silent(&client(&HASH.replace("m=19456,t=2", good)));
    }
}

#[test]
fn the_tutorials_secret() {
    let tutorial = |more: &str| {
        with(&format!(
            "[clients.app]\nsecret = \"{}\"\nscopes = [\"read\"]\ncapabilities = [\"client_credentials\"]\n{more}",
            super::exposure::TUTORIAL_HASH
        ))
    };
    let demo = "[demo]\nlisten = \"127.0.0.1:9000\"\n";
    warns(Lint::TutorialSecret, "clients.app", &tutorial(""));
    let open = "[server]\nlisten = [\"https://192.0.2.1:8443\"]\n";
    warns(Lint::TutorialSecret, "clients.app", &tutorial(&format!("{demo}{open}")));
    silent(&tutorial(demo));
}

#[test]
fn tokens_and_credentials_in_the_clear() {
    let upstream = |server: &str, upstream: &str, route: &str| {
        format!(
            "[scopes]\nread = \"Read\"\n[upstreams.api]\nservers = [\"{server}\"]\n{upstream}\n\
             [[routes]]\nprefix = \"/api\"\nscopes = [\"read\"]\nupstream = \"api\"\n{route}"
        )
    };
    let credentials = "credentials = { header = \"X-Key\", value = \"env:KEY\" }";
    let key = "upstreams.api.servers";
    let text = warns(Lint::PlainHttp, key, &upstream("http://10.0.0.5:80", credentials, ""));
    assert!(text.contains("credentials go to http://10.0.0.5"), "{text}");
    let text = warns(Lint::PlainHttp, key, &upstream("http://legacy.internal", "", "forward_token = true"));
    assert!(text.contains("tokens or JWTs (`forward_token`) go to http://legacy.internal"), "{text}");
    silent(&upstream("http://10.0.0.5:80", "", ""));
    silent(&upstream("https://10.0.0.5", credentials, ""));
    silent(&upstream("http://127.0.0.1:9000", credentials, ""));
    silent(&upstream("http://localhost:9000", "", "forward_token = true"));
}

#[test]
fn upstreams_that_nothing_verifies() {
    let upstream = |tls: &str| {
        with("").replace("http://127.0.0.1:9000\"]", &format!("https://127.0.0.1:9000\"]\n{tls}"))
    };
    let key = "upstreams.api.tls.insecure_skip_verify";
    let found = warns(Lint::UnverifiedUpstream, key, &upstream("tls = { insecure_skip_verify = true }"));
    assert!(found.contains("pin_sha256"), "{found}");
    silent(&upstream("tls = { insecure_skip_verify = false }"));
    silent(&upstream(""));
}

#[test]
fn files_that_every_user_can_read() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| dir.path().join(name);
    let set = |name: &str, mode: u32| {
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).expect("permissions");
    };
    for name in ["gateway.toml", "key.pem", "certificate.pem", "password"] {
        fs::write(at(name), "text").expect("a file");
        set(name, 0o644);
    }
    let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    fs::write(at("certificate.pem"), identity.cert.pem()).expect("a certificate");
    fs::write(at("key.pem"), identity.signing_key.serialize_pem()).expect("a key");
    fs::create_dir(at("state")).expect("a folder");
    set("state", 0o755);
    let text = with(
        "[clients.app]\nsecret = \"HASH\"\nscopes = [\"read\"]\ncapabilities = [\"client_credentials\"]\n\
         [server.tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n\
         [upstreams.other]\nservers = [\"http://127.0.0.1:9001\"]\n\
         credentials = { basic = { user = \"u\", password = \"in the clear\" } }\n\
         [upstreams.third]\nservers = [\"http://127.0.0.1:9002\"]\n\
         credentials = { basic = { user = \"u\", password = \"file:password\" } }\n\
         [[routes]]\nprefix = \"/b\"\nscopes = [\"read\"]\nupstream = \"other\"\n\
         [[routes]]\nprefix = \"/c\"\nscopes = [\"read\"]\nupstream = \"third\"\n",
    );
    let found = |text: &str| -> Vec<String> {
        let all = warnings_of(&at("gateway.toml"), text);
        assert!(all.iter().all(|warning| warning.lint == Lint::ReadableByOthers), "{all:#?}");
        assert!(!format!("{all:?}").contains("in the clear"), "{all:#?}");
        all.into_iter().map(|warning| warning.key).collect()
    };
    let keys = [
        "",
        "",
        "server.tls.key",
        "upstreams.other.credentials.basic.password",
        "upstreams.third.credentials.basic.password",
    ];
    assert_eq!(found(&text), keys);
    for name in ["gateway.toml", "key.pem", "password"] {
        set(name, 0o640);
    }
    set("state", 0o750);
    assert!(found(&text).is_empty());
    // A file without secrets may be public.
    set("gateway.toml", 0o644);
    assert!(found(&with("")).is_empty());
}

#[test]
fn an_exact_path_beside_a_weaker_prefix() {
    let both = |path: &str, first: &str, second: &str| {
        format!(
            "[scopes]\nread = \"Read\"\nadmin = \"Administer\"\n\
             [upstreams.api]\nservers = [\"http://127.0.0.1:9000\"]\n\
             [[routes]]\npath = {path:?}\nupstream = \"api\"\n{first}\n\
             [[routes]]\nprefix = \"/\"\nupstream = \"api\"\n{second}\n"
        )
    };
    let (admin, read, public) = ("scopes = [\"admin\"]", "scopes = [\"read\"]", "access = \"public\"");
    // A scope of the two may be needed by no route; that is another lint.
    let only = |text: &str| -> Vec<String> {
        let all = warnings(text).into_iter().filter(|warning| warning.lint != Lint::UnusedScope);
        all.map(|warning| warning.to_string()).collect()
    };
    let found = only(&both("/admin", admin, public));
    let [one] = found.as_slice() else { panic!("{found:#?}") };
    assert!(one.contains(":6:1: warning: routes[0].path: "), "{one}");
    assert!(
        one.contains("/admin/, /admin/…, /ADMIN take the route in line 10, which needs no token"),
        "{one}"
    );
    assert!(one.contains("prefix = \"/admin\"") && one.ends_with("(weaker-spelling)"), "{one}");

    assert_eq!(only(&both("/admin", admin, read)).len(), 1, "another scope");
    assert_eq!(only(&both("/admin", admin, "scopes = []")).len(), 1, "any token");
    assert_eq!(only(&both("/admin/", admin, public)).len(), 1, "without the slash");
    assert_eq!(only(&both("/users/{id}", admin, public)).len(), 1, "a name");
    let addresses = format!("{admin}\nallow = [\"10.0.0.0/8\"]");
    assert_eq!(only(&both("/admin", &addresses, admin)).len(), 1, "other addresses");

    for (path, first, second) in [
        ("/health", public, admin),
        ("/a", admin, admin),
        ("/a", "any_scope = [\"admin\", \"read\"]", read),
        ("/a", read, "scopes = [\"read\", \"admin\"]"),
        ("/", admin, public),
    ] {
        let found = only(&both(path, first, second));
        assert!(found.is_empty(), "{path} {first} {second}: {found:#?}");
    }
    // Another API does not serve the path.
    let elsewhere = both("/admin", admin, public)
        .replace(
            "[[routes]]\nprefix",
            "[upstreams.b]\nservers = [\"http://127.0.0.1:9001\"]\n[[routes]]\nprefix",
        )
        .replace("prefix = \"/\"\nupstream = \"api\"", "prefix = \"/\"\nupstream = \"b\"");
    assert!(only(&elsewhere).is_empty(), "{:#?}", only(&elsewhere));
    let covered = both("/admin", admin, public)
        + "[[routes]]\nprefix = \"/admin\"\nupstream = \"api\"\nscopes = [\"admin\"]\n";
    assert!(only(&covered).is_empty(), "{:#?}", only(&covered));
}

#[test]
fn names_that_nothing_uses() {
    let upstream = with("[upstreams.old]\nservers = [\"http://127.0.0.1:9001\"]");
    warns(Lint::UnusedUpstream, "upstreams.old", &upstream);

    let client =
        "[clients.app]\nsecret = \"HASH\"\nscopes = [\"read\"]\ncapabilities = [\"client_credentials\"]\n";
    let scope = |more: &str| {
        with(more).replace("[scopes]\n", "[scopes]\n\"a b\" = \"Other\"\n").replace("\"a b\"", "other")
    };
    let unneeded = warns(Lint::UnusedScope, "scopes.other", &scope(""));
    assert!(unneeded.contains("no route needs this scope"), "{unneeded}");
    let neither = warns(Lint::UnusedScope, "scopes.other", &scope(client));
    assert!(neither.contains("no client has it"), "{neither}");
    let second = "[[routes]]\npath = \"/b\"\nscopes = [\"other\"]\nupstream = \"api\"\n";
    let unheld = warns(Lint::UnusedScope, "scopes.other", &scope(&format!("{client}{second}")));
    assert!(unheld.contains("no client has this scope"), "{unheld}");
    // Without clients, the file is not finished. With an introspecting client, scopes open other APIs.
    silent(&scope(second));
    let api = "[clients.api]\nsecret = \"HASH\"\ncapabilities = [\"introspection\"]\n";
    silent(
        &scope(&format!("{client}{api}"))
            .replace("scopes = [\"read\"]\ncap", "scopes = [\"read\", \"other\"]\ncap"),
    );
}

#[test]
fn clients_whose_tokens_open_nothing() {
    let client = |lines: &str| with(&format!("[clients.app]\nsecret = \"HASH\"\n{lines}"));
    let other =
        "[clients.b]\nsecret = \"HASH\"\nscopes = [\"read\"]\ncapabilities = [\"client_credentials\"]\n";
    let text = client(&format!("capabilities = [\"client_credentials\"]\n{other}"));
    let found = warns(Lint::OpensNothing, "clients.app", &text);
    assert!(found.contains("has no scopes"), "{found}");
    let audience = text
        .replace("scopes = [\"read\"]\nupstream", "scopes = [\"read\"]\naudience = \"https://x\"\nupstream");
    let found = warnings(&audience);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().all(|warning| warning.lint == Lint::OpensNothing), "{found:#?}");

    silent(&client(&format!("capabilities = []\n{other}")));
    silent(&client(&format!("enabled = false\ncapabilities = [\"client_credentials\"]\n{other}")));
    let any = text.replace("scopes = [\"read\"]\nupstream", "scopes = []\nupstream");
    let found = warnings(&any);
    assert!(found.iter().all(|warning| warning.lint == Lint::UnusedScope), "{found:#?}");
}

#[test]
fn routes_without_scopes() {
    warns(
        Lint::NoScopes,
        "routes[0]",
        "[upstreams.api]\nservers = [\"http://127.0.0.1:9000\"]\n[[routes]]\npath = \"/a\"\nupstream = \"api\"\n",
    );
    for meant in ["scopes = []", "access = \"public\"", "audience = \"https://api.example.com\""] {
        silent(&format!(
            "[upstreams.api]\nservers = [\"http://127.0.0.1:9000\"]\n[[routes]]\npath = \"/a\"\nupstream = \"api\"\n{meant}\n"
        ));
    }
}

#[test]
fn an_empty_file() {
    let found = warns(Lint::Empty, "", "");
    assert!(found.contains("gateway.toml: warning: there are no [[routes]]"), "{found}");
    silent(&with(""));
}

#[test]
fn an_issuer_that_only_this_machine_can_use() {
    let listen = |server: &str, issuer: &str| with(&format!("[server]\nlisten = [{server}]\n{issuer}"));
    let issuer = "[token_service]\nissuer = \"https://gateway.example.com\"";
    for address in ["https://0.0.0.0:8443", "https://[::]:8443"] {
        let found = warns(Lint::LocalIssuer, "server.listen[0]", &listen(&format!("{address:?}"), ""));
        assert!(found.contains("this gateway is https://localhost:8443"), "{found}");
        silent(&listen(&format!("{address:?}"), issuer));
    }
    silent(&listen("\"https://127.0.0.1:8443\"", ""));
    silent(&listen("\"https://192.0.2.1:8443\"", ""));
}

#[test]
fn a_terminator_that_hides_the_addresses() {
    let listen = |listener: &str, server: &str| {
        with(&format!(
            "[server]\nlisten = [{listener}]\n{server}\n[token_service]\nissuer = \"https://gateway.example.com\"\n"
        ))
    };
    let plain = "{ url = \"http://0.0.0.0:8080\", behind_tls = true }";
    warns(Lint::HiddenAddresses, "server.listen[0]", &listen(plain, ""));
    silent(&listen(plain, "trusted_proxies = [\"10.0.0.1\"]"));
    silent(&listen("\"http://127.0.0.1:8080\"", ""));
}

#[test]
fn gateways_on_one_store_that_make_their_own_keys_for_jwts() {
    let jwt = "forward_token = \"jwt\"\n";
    let shared = "[store]\nkind = \"redis\"\nurl = \"redis://127.0.0.1\"\n";
    let found = |text: &str| -> Vec<Option<u32>> {
        let found = warnings(text).into_iter().filter(|warning| warning.lint == Lint::UnsharedKeys);
        found.map(|warning| warning.position.map(|position| position.line)).collect()
    };
    assert_eq!(found(&with(&format!("{jwt}{shared}"))), [None]);
    let table = "[token_service.jwt]\nlifetime = \"1m\"\n";
    let line = u32::try_from(with(&format!("{jwt}{shared}")).lines().count() + 1).unwrap();
    assert_eq!(found(&with(&format!("{jwt}{shared}{table}"))), [Some(line)], "the line of the table");
    // Without JWTs, with one gateway, or with the same files there is nothing to share.
    for text in [shared.to_owned(), jwt.to_owned(), format!("{jwt}{table}")] {
        assert_eq!(found(&with(&text)), [], "{text}");
    }
}
