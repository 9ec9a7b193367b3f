//! What a change of a configuration grants.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use super::*;

const BEFORE: &str = r#"
[scopes]
read = "R"
write = "W"
[clients.reader]
secret = "HASH-1"
capabilities = ["client_credentials"]
scopes = ["read"]
[clients.writer]
secrets = [{ id = "old", hash = "HASH-1" }, { id = "gone", hash = "HASH-2", expires = 1970-01-01T00:00:01Z }]
capabilities = ["client_credentials"]
scopes = ["write"]
dpop_bound_tokens = true
[upstreams.api]
servers = ["http://127.0.0.1:9000"]
[[routes]]
path = "/orders"
scopes = ["read"]
upstream = "api"
[[routes]]
path = "/status"
access = "public"
upstream = "api"
"#;

fn config(text: &str) -> Config {
    let hash =
        |salt: &str| format!("$argon2id$v=19$m=8,t=1,p=1${salt}$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w");
    let text = text
        .replace("HASH-1", &hash("c29tZXNhbHRzb21lc2FsdA"))
        .replace("HASH-2", &hash("b3RoZXJzYWx0b3RoZXJzYQ"));
    Config::parse(&text, Path::new("gateway.toml"), Path::new("."), &|_| None)
        .unwrap_or_else(|errors| panic!("{errors}"))
}

/// Returns what changes when `from` is replaced by `to` in the configuration.
fn changes(replacements: &[(&str, &str)]) -> Vec<Change> {
    let mut after = BEFORE.to_owned();
    for (from, to) in replacements {
        assert!(after.contains(from), "{from}");
        after = after.replacen(from, to, 1);
    }
    difference(&config(BEFORE), &config(&after), UNIX_EPOCH + Duration::from_secs(10))
}

fn gained(client: &str, route: &str) -> Change {
    Change::Gained { client: client.to_owned(), route: route.to_owned() }
}

fn lost(client: &str, route: &str) -> Change {
    Change::Lost { client: client.to_owned(), route: route.to_owned() }
}

#[test]
fn the_same_configuration_has_no_changes() {
    assert_eq!(changes(&[]), []);
    assert_eq!(changes(&[("[scopes]", "# A comment.\n[scopes]")]), []);
}

#[test]
fn a_scope_of_a_client_grants_the_routes_that_need_it() {
    let to_both = [("scopes = [\"write\"]", "scopes = [\"write\", \"read\"]")];
    assert_eq!(changes(&to_both), [gained("writer", "any /orders")]);
}

#[test]
fn a_scope_of_a_route_moves_cells() {
    let to_write = [("path = \"/orders\"\nscopes = [\"read\"]", "path = \"/orders\"\nscopes = [\"write\"]")];
    let moved = changes(&to_write);
    assert_eq!(moved, [gained("writer", "any /orders"), lost("reader", "any /orders")]);
    assert_eq!(moved.iter().map(Change::widens).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn a_route_becomes_public_or_protected() {
    let route = "any /orders".to_owned();
    let opened = [("path = \"/orders\"\nscopes = [\"read\"]", "path = \"/orders\"\naccess = \"public\"")];
    assert_eq!(changes(&opened), [Change::BecomesPublic { route }]);
    let closed = changes(&[("access = \"public\"", "scopes = [\"read\"]")]);
    let (route, needs) = ("any /status".to_owned(), "scope read".to_owned());
    assert_eq!(closed, [Change::BecomesProtected { route, needs }]);
    assert!(!closed[0].widens());
}

#[test]
fn a_removed_route_takes_its_cells_along() {
    let text = "[[routes]]\npath = \"/orders\"\nscopes = [\"read\"]\nupstream = \"api\"\n";
    let removed = Change::RouteRemoved { route: "any /orders".to_owned() };
    assert_eq!(changes(&[(text, "")]), [removed, lost("reader", "any /orders")]);
}

#[test]
fn a_disabled_client_loses_routes_and_credentials() {
    let credential = "secret \"default\"".to_owned();
    let removed = Change::CredentialRemoved { client: "reader".to_owned(), credential };
    let disabled = [("[clients.reader]", "[clients.reader]\nenabled = false")];
    assert_eq!(changes(&disabled), [lost("reader", "any /orders"), removed]);
}

#[test]
fn secrets_begin_and_end() {
    let client = || "writer".to_owned();
    let replaced = changes(&[("{ id = \"old\", hash = \"HASH-1\" }", "{ id = \"old\", hash = \"HASH-2\" }")]);
    let credential = || "secret \"old\"".to_owned();
    assert_eq!(
        replaced,
        [
            Change::CredentialAdded { client: client(), credential: credential() },
            Change::CredentialRemoved { client: client(), credential: credential() },
        ]
    );
    let expired = changes(&[("HASH-1\" },", "HASH-1\", expires = 1970-01-01T00:00:09Z },")]);
    assert_eq!(expired, [Change::CredentialRemoved { client: client(), credential: credential() }]);
}

#[test]
fn a_dropped_constraint_widens() {
    let before = SenderConstraint { key: true, certificate: false };
    let after = SenderConstraint::default();
    let dropped = changes(&[("dpop_bound_tokens = true\n", "")]);
    assert_eq!(dropped, [Change::SenderConstraint { client: "writer".to_owned(), before, after }]);
    assert!(dropped[0].widens());
}

#[test]
fn another_server_and_other_terms_are_changes() {
    let route = || "any /orders".to_owned();
    let moved = changes(&[("9000", "9001")]);
    assert!(matches!(&moved[..], [Change::Redirected { .. }, Change::Redirected { .. }]), "{moved:?}");
    let (added, removed) = (vec!["5/s".to_owned()], Vec::new());
    let limited = [("path = \"/orders\"", "path = \"/orders\"\nrate_limit = \"5/s\"")];
    assert_eq!(changes(&limited), [Change::TermsChanged { route: route(), added, removed, looser: false }]);
}

#[test]
fn introspection_is_granted() {
    let capabilities = "capabilities = [\"client_credentials\"]";
    let both = "capabilities = [\"client_credentials\", \"introspection\"]";
    assert_eq!(changes(&[(capabilities, both)]), [Change::MayIntrospect { client: "reader".to_owned() }]);
}

#[test]
fn shadow_mode_widens_and_its_end_does_not() {
    let (enforced, shadow) = ("path = \"/orders\"\n", "path = \"/orders\"\nmode = \"shadow\"\n");
    let all = changes(&[(enforced, shadow)]);
    assert_eq!(all, [Change::BecomesShadow { route: "any /orders".to_owned() }]);
    assert!(all[0].widens());
    let (before, after) = (config(&BEFORE.replace(enforced, shadow)), config(BEFORE));
    let all = difference(&before, &after, UNIX_EPOCH);
    let (route, needs) = ("any /orders".to_owned(), "scope read".to_owned());
    assert_eq!(all, [Change::BecomesEnforced { route, needs }]);
    assert!(!all[0].widens());
    let public = config(&BEFORE.replace("scopes = [\"read\"]\nupstream", "access = \"public\"\nupstream"));
    assert_eq!(
        difference(&before, &public, UNIX_EPOCH)[0],
        Change::BecomesPublic { route: "any /orders".to_owned() }
    );
    let kinds = difference(&public, &before, UNIX_EPOCH);
    assert!(
        matches!(kinds[..], [Change::BecomesProtected { .. }]),
        "shadow mode gives no credentials: {kinds:?}"
    );
    let by_default = config(&format!("[server]\nmode = \"shadow\"\n{BEFORE}"));
    let all = difference(&config(BEFORE), &by_default, UNIX_EPOCH);
    assert_eq!(all, [Change::BecomesShadow { route: "any /orders".to_owned() }], "not the public route");
}

#[test]
fn only_looser_terms_widen() {
    let reader = "[clients.reader]\n";
    let orders = "path = \"/orders\"\n";
    let api = "[upstreams.api]\n";
    // The stricter setting and the looser one. An empty one is the default.
    for (place, strict, loose) in [
        (orders, "rate_limit = \"5/s\"", ""),
        (orders, "rate_limit = { rate = \"60/m\", burst = 2 }", "rate_limit = \"2/s\""),
        (orders, "rate_limit = { rate = \"5/s\", burst = 5 }", "rate_limit = { rate = \"5/s\", burst = 6 }"),
        (orders, "rate_limit_by_address = \"5/s\"", "rate_limit_by_address = \"6/s\""),
        (orders, "max_in_flight = 5", "max_in_flight = 6"),
        (orders, "max_body_size = \"1KiB\"", "max_body_size = \"0B\""),
        (orders, "allow = [\"10.1.0.0/16\"]", "allow = [\"10.0.0.0/8\"]"),
        (orders, "allow = [\"10.1.0.0/16\"]", ""),
        (orders, "deny = [\"10.0.0.0/8\"]", "deny = [\"10.1.0.0/16\"]"),
        (orders, "", "cors = { origins = [\"https://a.example\"] }"),
        (orders, "", "forward_token = true"),
        (api, "max_in_flight = 5", ""),
        (reader, "token_lifetime = \"1m\"", "token_lifetime = \"2m\""),
        (reader, "rate_limit = \"5/s\"", ""),
    ] {
        let text = |setting: &str| config(&BEFORE.replacen(place, &format!("{place}{setting}\n"), 1));
        let (strict_config, loose_config) = (text(strict), text(loose));
        let at = UNIX_EPOCH + Duration::from_secs(10);
        let wider = difference(&strict_config, &loose_config, at);
        assert!(!wider.is_empty() && wider.iter().all(Change::widens), "{strict} -> {loose}: {wider:?}");
        let narrower = difference(&loose_config, &strict_config, at);
        let none = !narrower.is_empty() && !narrower.iter().any(Change::widens);
        assert!(none, "{loose} -> {strict}: {narrower:?}");
        assert_eq!(narrower[0].to_json()["widens"], false);
    }
    // What cannot be ordered is for a person to judge.
    let other =
        [("path = \"/orders\"\n", "path = \"/orders\"\nrequest_headers = { remove = [\"Cookie\"] }\n")];
    assert!(changes(&other)[0].widens());
}

#[test]
fn limits_of_the_gateway_are_compared() {
    let server = |lines: &str| format!("[server.limits]\n{lines}\n[scopes]");
    let changed = |lines: &str| changes(&[("[scopes]", &server(lines))]);
    let terms = |added: &str, removed: &str, looser| Change::GatewayTermsChanged {
        added: vec![added.to_owned()],
        removed: vec![removed.to_owned()],
        looser,
    };
    let [change] = &changed("max_headers = 200")[..] else { panic!("one change") };
    assert_eq!(*change, terms("200 header fields", "100 header fields", true));
    let [change] = &changed("header_timeout = \"1s\"")[..] else { panic!("one change") };
    assert!(!change.widens(), "{change}");
    assert!(
        change
            .to_string()
            .starts_with("the gateway has other terms: 1s for the head of a request instead of ")
    );
    assert_eq!(change.to_json()["change"], "gateway_terms_changed");
    let service = |lines: &str| changes(&[("[scopes]", &format!("[token_service]\n{lines}\n[scopes]"))]);
    for (lines, widens) in [
        ("throttle = { failures = 20, per = \"1m\" }", true),
        ("throttle = { failures = 20, per = \"1h\" }", false),
        ("max_tokens_per_client = 5", false),
        ("cors = { origins = [\"https://app.example\"] }", true),
    ] {
        let [change] = &service(lines)[..] else { panic!("{lines}") };
        assert!(matches!(change, Change::GatewayTermsChanged { .. }), "{lines}: {change}");
        assert_eq!(change.widens(), widens, "{lines}: {change}");
    }
    assert_eq!(changed("").len(), 0);
}

const REGISTRATION: &str = "[token_service.registration]
max_clients = 100
disabled_clients = [\"reg_A\"]
[token_service.registration.templates.partner]
scopes = [\"read\"]
rate_limit = \"10/s\"
[token_service.registration.tokens.ci]
digest = \"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"
template = \"partner\"
max_uses = 2
[token_service.registration.tokens.old]
digest = \"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"
template = \"partner\"
expires = 1970-01-01T00:00:01Z
";

/// Returns what changes in the registration, each with whether it widens access.
fn registration(replacements: &[(&str, &str)]) -> Vec<(bool, String)> {
    let before = format!("{BEFORE}{REGISTRATION}");
    let after = replacements.iter().fold(before.clone(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    });
    let now = UNIX_EPOCH + Duration::from_secs(10);
    let changes = difference(&config(&before), &config(&after), now);
    changes.iter().map(|change| (change.widens(), change.to_string())).collect()
}

#[test]
fn what_clients_may_register_and_who_may_register_them() {
    assert_eq!(registration(&[]), []);
    let one = |from: &str, to: &str| {
        let changes = registration(&[(from, to)]);
        assert_eq!(changes.len(), 1, "{changes:?}");
        changes[0].clone()
    };
    let template = "the registration template \"partner\" has other terms: ";
    let (partner, token) = ("scopes = [\"read\"]\nrate_limit", "max_uses = 2");
    assert_eq!(
        one(partner, "scopes = [\"read\", \"write\"]\nrate_limit"),
        (true, format!("{template}scopes read write instead of scopes read"))
    );
    assert_eq!(
        one(partner, "scopes = []\nrate_limit"),
        (false, format!("{template}no scopes instead of scopes read"))
    );
    assert_eq!(one("\"10/s\"", "\"5/s\""), (false, format!("{template}5/s instead of 10/s")));
    assert_eq!(one("rate_limit = \"10/s\"\n", ""), (true, format!("{template}none instead of 10/s")));
    assert!(
        one("max_clients = 100", "max_clients = 101").0 && !one("max_clients = 100", "max_clients = 99").0
    );
    assert!(one(token, "max_uses = 3").0 && one(token, "").0 && !one(token, "max_uses = 1").0);
    assert!(!one(token, "max_uses = 2\nexpires = 1970-01-01T00:01:00Z").0);
    let (widens, replaced) = one("AAAAAAA\"\ntemplate", "AAAAAAE\"\ntemplate");
    assert!(widens && replaced.starts_with("the initial access token \"ci\" is new: "), "{replaced}");
    // A token that has expired already makes no difference.
    assert_eq!(registration(&[("expires = 1970-01-01T00:00:01Z", "expires = 1970-01-01T00:00:02Z")]), []);
    let client = "the registered client \"reg_A\" has other terms: ";
    let enabled = (true, format!("{client}enabled instead of disabled"));
    assert_eq!(one("disabled_clients = [\"reg_A\"]\n", ""), enabled);
    let removed = (false, format!("{client}removed instead of disabled"));
    assert_eq!(one("disabled_clients", "removed_clients"), removed);
}

#[test]
fn a_registration_that_begins_or_ends_is_listed_with_its_templates_and_tokens() {
    let (without, with) = (BEFORE.to_owned(), format!("{BEFORE}{REGISTRATION}"));
    let now = UNIX_EPOCH + Duration::from_secs(10);
    let begins = difference(&config(&without), &config(&with), now);
    let widening: Vec<String> =
        begins.iter().filter(|change| change.widens()).map(ToString::to_string).collect();
    assert_eq!(begins.len(), 3, "{begins:?}");
    assert!(widening.len() == 2 && widening[1].contains("token \"ci\" is new"), "{widening:?}");
    let shown = begins[0].to_json();
    assert_eq!(
        [&shown["change"], &shown["subject"], &shown["name"]],
        ["registration_changed", "template", "partner"]
    );
    let ends = difference(&config(&with), &config(&without), now);
    assert!(ends.len() == 3 && ends.iter().all(|change| !change.widens()), "{ends:?}");
}
