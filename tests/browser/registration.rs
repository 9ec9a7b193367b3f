//! Clients that register themselves: an owner makes an initial access token, and disables and removes a
//! client that was registered with it.

use std::net::SocketAddr;

use serde_json::Value as Json;

use crate::browser::{Browser, Javascript};
use crate::console::{Console, file};
use crate::support::{TOKEN, TestResponse, basic, post_form, raw};

const REGISTRATION: &str = "
[token_service.registration.templates.partner]
scopes = [\"read\"]
rate_limit = \"100/s\"
";

/// Starts a gateway where clients can register.
pub(crate) fn console() -> Console {
    Console::of(&format!("{}{REGISTRATION}", file()))
}

/// Follows a token and a client from the form to their end.
pub(crate) async fn from_a_token_to_the_end_of_a_client(javascript: Javascript) {
    let console = console();
    let owner = console.signed_in("alice", javascript).await;
    owner.follow("Clients").await;
    owner.sees("No client has registered itself").await;
    owner.follow("Registration").await;
    owner.sees("There is no token").await;

    // Errors are beside their fields, and what was entered stays.
    owner.fill("Name", "ci token").await;
    owner.fill("Clients", "0").await;
    owner.press("Add to changes").await;
    owner.sees("2 things need correcting").await;
    owner.sees("A name has 1 to 64 letters").await;
    assert_eq!(owner.value("Name").await, "ci token");
    owner.fill("Name", "ci").await;
    owner.fill("Clients", "2").await;
    owner.fill("Valid for", "24h").await;
    owner.press("Add to changes").await;
    owner.sees("It is shown once").await;
    let token = owner.text_of("initial-token").await;
    assert!(token.starts_with("tgi_"), "{token}");
    owner.go("/clients/registration/token").await;
    owner.sees("The token was shown already").await;

    let address = console.gateway.plain();
    register(address, &token).status(401);
    owner.follow("Changes (1)").await;
    owner.sees("Add the initial access token").await;
    owner.sees("is new: template").await;
    assert!(!owner.text().await.contains(&token), "only its digest is kept");
    commit(&owner, "A token for the pipeline").await;
    assert!(!console.file().contains(&token) && console.file().contains("sha256:"));

    let client: Json = register(address, &token).status(201).json();
    let (id, secret) = (text(&client, "client_id"), text(&client, "client_secret"));
    let ask = || raw(address, post_form(TOKEN, &[&basic(&id, &secret)], "grant_type=client_credentials"));
    ask().status(200);
    owner.go("/clients/registration").await;
    owner.sees("1 of 2").await;
    owner.go("/clients?q=Orders").await;
    owner.follow(&id).await;
    owner.sees("Routes that it reaches").await;
    owner.sees("/hello_world").await;
    owner.sees("100/s").await;
    owner.press("Revoke all tokens now").await;
    owner.sees("are revoked").await;

    let page = format!("/clients/registered/{id}");
    for (button, state, status) in [
        ("Disable in changes", "disabled in your changes", 401),
        ("Enable in changes", "enabled in your changes", 200),
        ("Add the removal to changes", "removed in your changes", 401),
    ] {
        owner.go(&page).await;
        owner.press(button).await;
        owner.sees(state).await;
        commit(&owner, button).await;
        assert_eq!(ask().code(), status, "{button}");
    }

    owner.go("/clients/registration").await;
    owner.press("Remove").await;
    owner.sees("Added to your changes").await;
    owner.sees("There is no token").await;
    commit(&owner, "The pipeline is done").await;
    register(address, &token).status(401);
    owner.close().await;
}

#[tokio::test]
async fn only_owners_change_registrations() {
    let console = console();
    for user in ["edgar", "vera"] {
        let browser = console.signed_in(user, Javascript::On).await;
        browser.go("/clients/registration").await;
        browser.sees("partner").await;
        assert!(!browser.offers("Add to changes").await, "{user}");
        browser.close().await;
    }
}

async fn commit(browser: &Browser, comment: &str) {
    browser.go("/changes").await;
    browser.fill("Comment", comment).await;
    browser.press("Commit").await;
    browser.sees("is committed and in use").await;
}

fn register(address: SocketAddr, token: &str) -> TestResponse {
    let body = r#"{"client_name":"Orders"}"#;
    raw(
        address,
        format!(
            "POST /oauth/v2/register HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
             application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn text(body: &Json, name: &str) -> String {
    body[name].as_str().unwrap_or_else(|| panic!("no {name} in {body}")).to_owned()
}
