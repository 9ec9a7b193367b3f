//! Clients that register at one gateway are clients of all of them.

use std::net::SocketAddr;
use std::thread;
use std::time::Instant;

use serde_json::{Value, json};

use super::engine::Engine;
use super::gateways::Gateways;
use super::requests::wait_until;
use crate::support::jose::SigningKey;
use crate::support::metrics::Scrape;
use crate::support::{TOKEN, TestResponse, basic, post_form, raw, run, token_of};

const REGISTER: &str = "/oauth/v2/register";
/// The challenge for a token that is refused.
const BEARER: &str = "Bearer realm=\"tollgate\", error=\"invalid_token\"";
const TOKEN_TEXT: &str = "tgi_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn send(gateways: &Gateways, at: usize, method: &str, path: &str, token: &str, body: &str) -> TestResponse {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    raw(gateways.all[at].plain(), request)
}

fn text(body: &Value, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}

fn by_basic(gateways: &Gateways, at: usize, client: &Value) -> TestResponse {
    by_basic_at(gateways.all[at].plain(), client)
}

fn by_basic_at(gateway: SocketAddr, client: &Value) -> TestResponse {
    let login = basic(&text(client, "client_id"), &text(client, "client_secret"));
    raw(gateway, post_form(TOKEN, &[&login], "grant_type=client_credentials&scope=read"))
}

/// Returns the lines of `[store]` with the server's address, and a table with an initial access token.
pub(super) fn store(address: &str, max_uses: u32) -> String {
    use sha2::Digest as _;
    let digest = crate::support::jose::encode(&sha2::Sha256::digest(TOKEN_TEXT));
    format!(
        "{address}\n[token_service.registration]\nmax_per_minute = 10000\n\
         [token_service.registration.templates.partner]\nscopes = [\"read\"]\n\
         token_endpoint_auth_methods = [\"client_secret_basic\", \"private_key_jwt\"]\n\
         [token_service.registration.tokens.ci]\ndigest = \"sha256:{digest}\"\ntemplate = \"partner\"\n\
         max_uses = {max_uses}\n"
    )
}

fn at(engine: &Engine) -> String {
    format!("url = \"redis://127.0.0.1:{}\"", engine.port())
}

pub(super) fn register(gateways: &Gateways, at: usize) -> TestResponse {
    send(gateways, at, "POST", REGISTER, TOKEN_TEXT, "{}")
}

/// Replaces the registration of a client, so that it gets another secret. Returns the new registration.
pub(super) fn replace(gateways: &Gateways, at: usize, client: &Value) -> Value {
    let id = text(client, "client_id");
    let update = json!({ "client_id": id, "scope": "read" }).to_string();
    let manage = text(client, "registration_access_token");
    send(gateways, at, "PUT", &format!("{REGISTER}/{id}"), &manage, &update).status(200).json()
}

pub(super) fn remove(gateways: &Gateways, at: usize, client: &Value) {
    let path = format!("{REGISTER}/{}", text(client, "client_id"));
    let manage = text(client, "registration_access_token");
    send(gateways, at, "DELETE", &path, &manage, "").status(204);
}

#[test]
fn a_client_that_registers_at_one_gateway_is_known_to_all_at_once_and_so_is_its_end() {
    let engine = Engine::start(&[]);
    let store = store(&at(&engine), 2);
    let gateways = Gateways::start(&[&store, &store]);
    let register = |at| register(&gateways, at);
    // A token of a new client, and then another new client, are used at the other gateway at once.
    let client = register(0).status(201).json();
    let access = token_of(&by_basic(&gateways, 0, &client));
    gateways.uses(1, &access).status(200);
    let other = register(0).status(201).json();
    by_basic(&gateways, 1, &other).status(200);
    register(1).status(401).has("www-authenticate", BEARER);

    for at in 0..2 {
        wait_until(|| Scrape::of(&gateways.all[at]).value("tollgate_registered_clients") == 2.0);
    }
    let state = run(gateways.all[0].dir(), &["state", "--json"]);
    let state: Value = serde_json::from_str(&state.stdout).expect("JSON");
    assert_eq!(state["engine"]["registered_clients"], 2, "{state}");
    let state = run(gateways.all[1].dir(), &["state"]).stdout;
    assert!(state.contains("  registered clients 2\n"), "{state}");

    // Every gateway can manage the registration.
    let updated = replace(&gateways, 1, &client);
    remove(&gateways, 1, &updated);
    // When the response arrives, its tokens have ended at all gateways.
    gateways.all_answer(&access, 401);
    by_basic(&gateways, 1, &updated).oauth_error(401, "invalid_client");
    // A third gateway reads the clients in the engine when it starts.
    let mut gateways = gateways;
    gateways.add(&store);
    by_basic(&gateways, 2, &other).status(200);
    by_basic(&gateways, 2, &updated).oauth_error(401, "invalid_client");
}

#[test]
fn a_secret_and_a_token_from_one_gateway_are_good_at_another_at_once() {
    let engine = Engine::start(&[]);
    let store = store(&at(&engine), 100);
    let gateways = Gateways::start(&[&store, &store]);
    let mut client = register(&gateways, 0).status(201).json();
    for at in [1, 0].into_iter().cycle().take(20) {
        // This gateway knows the client as it was before.
        by_basic(&gateways, at, &client).status(200);
        let replaced = replace(&gateways, 1 - at, &client);
        by_basic(&gateways, at, &replaced).status(200);
        by_basic(&gateways, at, &client).oauth_error(401, "invalid_client");
        let again = replace(&gateways, 1 - at, &replaced);
        client = replace(&gateways, at, &again);
    }
    let (old, new) = (SigningKey::new(), SigningKey::new());
    let registered =
        send(&gateways, 0, "POST", REGISTER, TOKEN_TEXT, &with_key(&old).to_string()).status(201).json();
    let id = text(&registered, "client_id");
    by_key(gateways.all[1].plain(), &old, &id).status(200);
    let mut update = with_key(&new);
    update["client_id"] = id.clone().into();
    let manage = text(&registered, "registration_access_token");
    let path = format!("{REGISTER}/{id}");
    send(&gateways, 0, "PUT", &path, &manage, &update.to_string()).status(200);
    by_key(gateways.all[1].plain(), &new, &id).status(200);
}

#[test]
fn wrong_tokens_and_secrets_cost_the_engine_few_reads() {
    const THREADS: u32 = 8;
    const REQUESTS: u32 = 20;
    let engine = Engine::start(&[]);
    let store = store(&at(&engine), 100);
    let gateways = Gateways::start(&[&store]);
    let client = register(&gateways, 0).status(201).json();
    let path = format!("{REGISTER}/{}", text(&client, "client_id"));
    let wrong = format!("tgr_{}", "A".repeat(43));
    let guess = json!({ "client_id": client["client_id"], "client_secret": "wrong" });
    let reads = || {
        let stats = engine.run(&["INFO", "commandstats"]);
        let (_, get) = stats.split_once("cmdstat_get:calls=").expect("reads");
        get.split(',').next().and_then(|calls| calls.parse::<u32>().ok()).expect("a number")
    };
    let (before, began) = (reads(), Instant::now());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..REQUESTS {
                    send(&gateways, 0, "GET", &path, &wrong, "").status(401);
                    by_basic(&gateways, 0, &guess).oauth_error(401, "invalid_client");
                }
            });
        }
    });
    // Requests that wait at the same time share a read, and reads are ten milliseconds apart.
    let caused = u128::from(reads() - before);
    assert!(caused <= began.elapsed().as_millis() / 10 + 2, "{caused} reads in {:?}", began.elapsed());
    // An engine that does not answer leaves open whether the token is wrong.
    engine.signal("STOP");
    send(&gateways, 0, "GET", &path, &wrong, "").status(503);
    engine.signal("CONT");
    wait_until(|| send(&gateways, 0, "GET", &path, &wrong, "").code() == 401);
}

#[test]
fn the_command_line_reads_registered_clients_from_the_engine() {
    let engine = Engine::start(&[]);
    let store = store(&at(&engine), 10);
    let gateways = Gateways::start(&[&store]);
    let client = send(&gateways, 0, "POST", REGISTER, TOKEN_TEXT, r#"{"client_name":"Orders"}"#);
    let id = text(&client.status(201).json(), "client_id");
    let folder = gateways.all[0].dir();
    for arguments in [
        &["registration", "list", "--json"][..],
        &["client", "list", "--json"],
        &["routes", "--json"],
        &["client", "show", &id],
        &["explain", "GET", "/hello", "--client", &id],
    ] {
        let output = run(folder, arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {output:?}");
        assert!(output.stdout.contains(&id), "{arguments:?}: {output:?}");
        assert!(!output.all().contains("argon2id"), "{arguments:?}: {output:?}");
    }
    // Without the engine, the commands show the clients of the file, and say what is missing.
    engine.signal("STOP");
    let output = run(folder, &["client", "list"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.all().contains("the registered clients are unknown"), "{output:?}");
    engine.signal("CONT");
}

#[test]
fn an_update_at_one_gateway_beside_a_removal_at_another_never_brings_a_client_back() {
    let engine = Engine::start(&[]);
    let store = store(&at(&engine), 1_000);
    let gateways = Gateways::start(&[&store, &store]);
    for round in 0..40 {
        let client = send(&gateways, 0, "POST", REGISTER, TOKEN_TEXT, "{}").status(201).json();
        let path = format!("{REGISTER}/{}", text(&client, "client_id"));
        let manage = text(&client, "registration_access_token");
        by_basic(&gateways, 1, &client).status(200);
        let update = json!({ "client_id": text(&client, "client_id") }).to_string();
        let (put, deleted) = std::thread::scope(|scope| {
            let put = scope.spawn(|| send(&gateways, 0, "PUT", &path, &manage, &update));
            let deleted = scope.spawn(|| send(&gateways, 1, "DELETE", &path, &manage, "").code());
            (put.join().expect("an answer"), deleted.join().expect("an answer"))
        });
        let updated = (put.code() == 200).then(|| put.json());
        // The gateway that removes the client may have seen the new registration first, or not at all.
        let last = updated.as_ref().unwrap_or(&client);
        if deleted != 204 {
            let manage = text(last, "registration_access_token");
            send(&gateways, 1, "DELETE", &path, &manage, "").status(204);
        }
        for at in 0..2 {
            for client in [&client, last] {
                wait_until(|| by_basic(&gateways, at, client).code() == 401);
            }
            let manage = text(last, "registration_access_token");
            assert_eq!(send(&gateways, at, "GET", &path, &manage, "").code(), 401, "round {round}");
        }
    }
}

/// Returns the metadata of a client that authenticates with a key.
fn with_key(key: &SigningKey) -> Value {
    let keys = format!(r#"{{"keys":[{}]}}"#, key.jwk(r#","kid":"1""#));
    let keys: Value = serde_json::from_str(&keys).expect("a key set");
    json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": keys, "scope": "read" })
}

/// Requests a token. Without `scope` it would have the default scopes of the template, which has none, and every
/// route with a scope would answer 403.
fn by_key(gateway: SocketAddr, key: &SigningKey, id: &str) -> TestResponse {
    let assertion = key.assertion("1", id, "https://issuer.example.test");
    let form = format!(
        "grant_type=client_credentials&scope=read&client_assertion_type={}&client_assertion={assertion}",
        "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    );
    raw(gateway, post_form(TOKEN, &[], form))
}

#[test]
fn tokens_for_a_key_that_another_gateway_has_replaced_end_at_all_gateways() {
    let engine = Engine::start(&[]);
    let store = store(&at(&engine), 100);
    let mut gateways = Gateways::start(&[&store, &store]);
    let second = gateways.all[1].plain();
    let (mut tokens, mut issued_later) = (Vec::new(), 0);
    for _ in 0..5 {
        let (old, new) = (SigningKey::new(), SigningKey::new());
        let body = with_key(&old).to_string();
        let client = send(&gateways, 0, "POST", REGISTER, TOKEN_TEXT, &body).status(201).json();
        let id = text(&client, "client_id");
        tokens.push(token_of(&by_key(second, &old, &id)));
        // The second gateway issues tokens until it learns that the key was replaced at the first one.
        let (later, replaced) = thread::scope(|scope| {
            let issuing = scope.spawn(|| {
                let mut issued = Vec::new();
                loop {
                    let answer = by_key(second, &old, &id);
                    match answer.code() {
                        200 => issued.push(token_of(&answer)),
                        // The client changes in the middle of the request.
                        503 => {}
                        _ => {
                            answer.oauth_error(401, "invalid_client");
                            return issued;
                        }
                    }
                }
            });
            let mut update = with_key(&new);
            update["client_id"] = id.clone().into();
            let manage = text(&client, "registration_access_token");
            let path = format!("{REGISTER}/{id}");
            let answer = send(&gateways, 0, "PUT", &path, &manage, &update.to_string());
            (issuing.join().expect("tokens"), answer)
        });
        replaced.status(200);
        issued_later += later.len();
        tokens.extend(later);
        for token in &tokens {
            gateways.all_answer(token, 401);
        }
        gateways.all_answer(&token_of(&by_key(second, &new, &id)), 200);
    }
    gateways.add(&store);
    for token in &tokens {
        gateways.all_answer(token, 401);
    }
    assert!(issued_later > 0);
}

#[test]
fn a_failover_that_loses_the_removal_of_the_last_client_does_not_bring_it_back() {
    let durable = ["--repl-diskless-sync-delay", "0"];
    let mut primary = Engine::start(&durable);
    let port = primary.port().to_string();
    let replica = Engine::start(&[&durable[..], &["--replicaof", "127.0.0.1", &port]].concat());
    replica.wait_for(&["INFO", "replication"], "master_link_status:up");
    let sentinel = Engine::start_sentinel(&primary);
    sentinel.wait_for(&["SENTINEL", "REPLICAS", "tollgate"], &replica.port().to_string());
    let sentinels = format!("urls = [\"redis://127.0.0.1:{}\"]\nsentinel = \"tollgate\"", sentinel.port());
    let store = store(&sentinels, 100);
    let mut gateways = Gateways::start(&[&store, &store]);
    let client = register(&gateways, 0).status(201).json();
    let id = text(&client, "client_id");
    let token = token_of(&by_basic(&gateways, 1, &client));
    gateways.all_answer(&token, 200);
    // Nothing but the client is in the table, so that nothing is left of it after the removal.
    let uses = primary.run(&["HKEYS", "{tg}:clients"]);
    let uses = uses.lines().find(|key| key.starts_with("uses/")).expect("the use of the initial token");
    primary.run(&["HDEL", "{tg}:clients", uses]);
    primary.run(&["INCR", "{tg}:clients-version"]);
    replica.wait_for(&["HKEYS", "{tg}:clients"], &format!("client/{id}"));
    primary.wait_for(&["WAIT", "1", "1000"], "1");
    replica.signal("STOP");
    remove(&gateways, 0, &client);
    wait_until(|| by_basic(&gateways, 1, &client).code() == 401);
    primary.kill();
    replica.signal("CONT");
    replica.wait_for(&["INFO", "replication"], "role:master");
    gateways.add(&store);
    // The new primary had the client.
    wait_until(|| !replica.run(&["HKEYS", "{tg}:clients"]).contains(&id));
    for at in 0..3 {
        wait_until(|| by_basic(&gateways, at, &client).code() == 401);
    }
    gateways.all_answer(&token, 401);
    register(&gateways, 2).status(201);
}

#[test]
fn the_epoch_of_a_client_that_is_gone_is_forgotten_when_its_last_token_has_expired() {
    let engine = Engine::start(&[]);
    let store = store(&at(&engine), 100);
    let mut gateways = Gateways::start(&[&store]);
    let [gone, there] = [(); 2].map(|()| register(&gateways, 0).status(201).json());
    remove(&gateways, 0, &gone);
    let (gone, there) = (text(&gone, "client_id"), text(&there, "client_id"));
    engine.wait_for(&["HEXISTS", "{tg}:epochs", &gone], "1");
    // The tokens of other clients have ended, too, and these clients stay.
    engine.run(&["HSET", "{tg}:epochs", &there, "3", "server", "3"]);
    // A gateway looks at the epochs when it starts. The first one writes down when it has found the epoch.
    gateways.add(&store);
    engine.wait_for(&["HEXISTS", "{tg}:ended", &gone], "1");
    let noted = engine.run(&["HGET", "{tg}:ended", &gone]);
    let (epoch, since) = noted.split_once(' ').expect("an epoch and a time");
    assert_eq!(engine.run(&["HGET", "{tg}:epochs", &gone]), epoch);
    let since: u64 = since.parse().expect("a time");
    // Nearly a month later it is still needed, and later it is not.
    let day = 86_400;
    let mut sweep = |days: u64| {
        engine.run(&["HSET", "{tg}:ended", &gone, &format!("{epoch} {}", since - days * day)]);
        engine.run(&["HSET", "{tg}:ended", "reg_without-epoch", "1 1"]);
        gateways.add(&store);
        // This one is removed at the end of a sweep.
        engine.wait_for(&["HEXISTS", "{tg}:ended", "reg_without-epoch"], "0");
        engine.run(&["HEXISTS", "{tg}:epochs", &gone])
    };
    assert_eq!([sweep(30), sweep(32)], ["1", "0"]);
    assert_eq!(engine.run(&["EXISTS", "{tg}:ended"]), "0");
    let left = engine.run(&["HKEYS", "{tg}:epochs"]);
    assert!(!left.contains(&gone) && left.contains(&there) && left.contains("server"), "{left}");
}
