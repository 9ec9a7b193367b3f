//! Clients that register at one gateway are clients of all of them.

use serde_json::{Value, json};

use super::engine::Engine;
use super::gateways::Gateways;
use crate::support::{TOKEN, TestResponse, basic, post_form, raw, token_of};

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

#[test]
fn a_client_that_registers_at_one_gateway_is_known_to_all_at_once_and_so_is_its_end() {
    use sha2::Digest as _;
    let digest = crate::support::jose::encode(&sha2::Sha256::digest(TOKEN_TEXT));
    let engine = Engine::start(&[]);
    let table = format!(
        "\n[token_service.registration.templates.partner]\nscopes = [\"read\"]\n\
         [token_service.registration.tokens.ci]\ndigest = \"sha256:{digest}\"\ntemplate = \"partner\"\nmax_uses = 2\n"
    );
    let store = format!("url = \"redis://127.0.0.1:{}\"{table}", engine.port());
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
