use std::path::Path;
use std::time::Duration;

use super::*;
use crate::shadow::{Learned, Seen};

const NOW: u64 = 20_000 * 86_400;

const FILE: &str = r#"
[scopes]
read = "r"
write = "w"
admin = "a"
[upstreams.a]
servers = ["http://127.0.0.1:1"]
[clients.lacks]
scopes = ["write"]
default_scopes = ["write"]
[clients.silent]
scopes = ["read", "write"]
[clients.ready]
scopes = ["read", "admin"]
default_scopes = ["read"]
[[routes]]
prefix = "/legacy"
mode = "shadow"
scopes = ["read"]
upstream = "a"
[[routes]]
prefix = "/any"
mode = "shadow"
any_scope = ["read", "admin"]
upstream = "a"
[[routes]]
prefix = "/resource"
mode = "shadow"
scopes = []
audience = "https://api.example.com"
upstream = "a"
"#;

fn config() -> Config {
    let hash =
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";
    let client = format!("]\nsecret = \"{hash}\"\ncapabilities = [\"client_credentials\"]\nscopes = [\"");
    let text = FILE.replace("]\nscopes = [\"", &client);
    Config::parse(&text, Path::new("gateway.toml"), Path::new("."), &|_| None).unwrap()
}

fn call(learned: &Learned, route: &str, client: Option<&str>, refused: Option<Refusal>, ago: u64) {
    let address = "10.0.0.7".parse().unwrap();
    let now = Duration::from_secs(NOW - ago);
    learned.route(route).learn(&Seen { client, address, user_agent: Some(b"Legacy Sync/3.1"), refused, now });
}

fn proposed(learned: &Learned) -> Vec<Proposal> {
    let config = config();
    proposals(&Summary::of(learned, &config, Duration::from_secs(NOW)), &config, NOW)
}

fn texts(scopes: &[&str]) -> Vec<String> {
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

#[test]
fn each_caller_gets_the_change_that_lets_it_pass() {
    let learned = Learned::default();
    let (legacy, missing) = ("/legacy/*".to_owned(), Some(Refusal::MissingScope));
    for client in ["lacks", "silent"] {
        call(&learned, &legacy, Some(client), missing, 60);
    }
    call(&learned, &legacy, Some("ready"), missing, 70);
    call(&learned, &legacy, Some("ready"), None, 60);
    call(&learned, &legacy, None, Some(Refusal::NoToken), 60);
    let client = |name: &str| name.to_owned();
    assert_eq!(
        proposed(&learned),
        [
            Proposal::AddScopes { client: client("lacks"), route: legacy.clone(), scopes: texts(&["read"]) },
            Proposal::AddDefaultScopes {
                client: client("silent"),
                route: legacy.clone(),
                scopes: texts(&["read"])
            },
            Proposal::NewClient {
                id: "legacy".to_owned(),
                route: legacy,
                address: "10.0.0.7".to_owned(),
                user_agent: Some("Legacy Sync/3.1".to_owned()),
                scopes: texts(&["read"]),
                choose: false,
            },
        ]
    );
}

#[test]
fn one_of_several_scopes_is_for_a_person_to_choose() {
    let learned = Learned::default();
    call(&learned, "/any/*", Some("lacks"), Some(Refusal::MissingScope), 60);
    call(&learned, "/any/*", Some("silent"), Some(Refusal::MissingScope), 60);
    let any = || "/any/*".to_owned();
    assert_eq!(
        proposed(&learned),
        [
            Proposal::ChooseScope {
                client: "lacks".to_owned(),
                route: any(),
                scopes: texts(&["read", "admin"])
            },
            Proposal::AddDefaultScopes {
                client: "silent".to_owned(),
                route: any(),
                scopes: texts(&["read"])
            },
        ]
    );
}

#[test]
fn audiences_are_proposed() {
    let learned = Learned::default();
    call(&learned, "/resource/*", Some("lacks"), Some(Refusal::WrongAudience), 60);
    let (client, route) = ("lacks".to_owned(), "/resource/*".to_owned());
    let audience = "https://api.example.com".to_owned();
    assert_eq!(proposed(&learned), [Proposal::AddAudience { client, route, audience }]);
}

#[test]
fn a_route_whose_callers_all_pass_can_be_enforced_and_old_refusals_do_not_count() {
    let learned = Learned::default();
    call(&learned, "/legacy/*", Some("lacks"), Some(Refusal::MissingScope), 8 * 86_400);
    assert_eq!(proposed(&learned), [], "nothing is known of the last days");
    call(&learned, "/legacy/*", Some("ready"), None, 60);
    assert_eq!(proposed(&learned)[0], Proposal::Enforce { route: "/legacy/*".to_owned() });
}

#[test]
fn a_scope_that_was_never_needed_may_go() {
    let learned = Learned::default();
    for route in ["/legacy/*", "/any/*"] {
        call(&learned, route, Some("silent"), None, 8 * 86_400);
    }
    let removed: Vec<_> = proposed(&learned)
        .into_iter()
        .filter(|proposal| matches!(proposal, Proposal::RemoveScopes { .. }))
        .collect();
    // "silent" uses both routes; no route needs `write`, which another lint reports.
    let ready = Proposal::RemoveScopes { client: "ready".to_owned(), scopes: texts(&["read", "admin"]) };
    assert_eq!(removed, [ready]);
}
