//! Clients that register at one gateway are clients of all of them.

use serde_json::{Value, json};

use super::engine::Engine;
use super::gateways::Gateways;
use super::requests::wait_until;
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
    let login = basic(&text(client, "client_id"), &text(client, "client_secret"));
    raw(gateways.all[at].plain(), post_form(TOKEN, &[&login], "grant_type=client_credentials&scope=read"))
}

/// Returns the lines of a file with a shared store where anybody with [`TOKEN_TEXT`] can register.
fn store(engine: &Engine, max_uses: u32) -> String {
    use sha2::Digest as _;
    let digest = crate::support::jose::encode(&sha2::Sha256::digest(TOKEN_TEXT));
    format!(
        "url = \"redis://127.0.0.1:{}\"\n[token_service.registration]\nmax_per_minute = 10000\n\
         [token_service.registration.templates.partner]\nscopes = [\"read\"]\n\
         [token_service.registration.tokens.ci]\ndigest = \"sha256:{digest}\"\ntemplate = \"partner\"\nmax_uses = \
         {max_uses}\n",
        engine.port()
    )
}

#[test]
fn a_client_that_registers_at_one_gateway_is_known_to_all_at_once_and_so_is_its_end() {
    let engine = Engine::start(&[]);
    let store = store(&engine, 2);
    let gateways = Gateways::start(&[&store, &store]);
    let register = |at| send(&gateways, at, "POST", REGISTER, TOKEN_TEXT, "{}");
    // A token of a new client, and then another new client, are used at the other gateway at once.
    let client = register(0).status(201).json();
    let access = token_of(&by_basic(&gateways, 0, &client));
    gateways.uses(1, &access).status(200);
    let other = register(0).status(201).json();
    by_basic(&gateways, 1, &other).status(200);
    register(1).status(401).has("www-authenticate", BEARER);

    // Every gateway can manage the registration.
    let path = format!("{REGISTER}/{}", text(&client, "client_id"));
    let manage = text(&client, "registration_access_token");
    let update = json!({ "client_id": text(&client, "client_id"), "scope": "read" }).to_string();
    let updated = send(&gateways, 1, "PUT", &path, &manage, &update).status(200).json();
    let manage = text(&updated, "registration_access_token");
    send(&gateways, 1, "DELETE", &path, &manage, "").status(204);
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
fn the_command_line_reads_registered_clients_from_the_engine() {
    let engine = Engine::start(&[]);
    let store = store(&engine, 10);
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
    let store = store(&engine, 1_000);
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
