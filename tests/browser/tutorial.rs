//! The tutorial's page, followed in the browser: New client, capability, secret, scope, commit; then its
//! commands.

use std::process::Command;
use std::time::Duration;

use crate::browser::Javascript;
use crate::console::{Console, PASSWORD};
use crate::support::program::finish;
use crate::support::run;

/// Follows the page from the setup link to the API.
pub(crate) async fn from_new_client_to_commit(javascript: Javascript) {
    let console = Console::of(&shipped_without_client());
    let browser = console.browser(javascript).await;

    // The first user, with the link that the gateway's host prints.
    let printed = run(console.gateway.dir(), &["admin", "link"]);
    assert_eq!(printed.code, Some(0), "{}", printed.all());
    let link = printed.stdout.split_whitespace().find(|word| word.contains("/setup?code=")).expect("a link");
    browser.go(link.strip_prefix(&console.origin).expect("the console's own link")).await;
    browser.sees("Create the first user").await;
    browser.fill("Name", "alice").await;
    browser.fill("Password", PASSWORD).await;
    browser.press("Create the user").await;
    browser.sees("Requests by verdict").await;

    // "Select Clients and click New."
    browser.follow("Clients").await;
    browser.sees("No client may ask for tokens yet").await;
    browser.follow("New client").await;
    browser.fill("Client id", "server").await;
    // The capability is chosen already; "select secret and enter a secret".
    browser.choose("Enter my own").await;
    browser.fill("Own secret", "Password1").await;
    // "Click New Scope … the scope shows up … enabled on the client."
    browser.unfold("New scope").await;
    browser.fill("Scope", "orders").await;
    browser.fill("Description", "Read orders").await;
    browser.choose("read").await;
    browser.press("Add to changes").await;

    // "Make sure to remember it since it cannot be retrieved later again."
    browser.sees("The secret of server").await;
    assert_eq!(browser.text_of("client-secret").await, "Password1");
    let get_token = browser.text_of("curl-token").await;
    let call_api = browser.text_of("curl-call").await;
    browser.go("/clients/secret").await;
    browser.sees("The secret was shown already").await;

    // "Make sure to remember to commit the changes in the Changes -> Commit menu."
    browser.follow("Changes (2)").await;
    browser.sees("gets through").await;
    browser.sees("[clients.server]").await;
    assert!(!browser.text().await.contains("$argon2"), "hashes are hidden");
    if javascript == Javascript::On {
        console.picture(&browser, "console-changes.png").await;
    }
    assert!(!console.file().contains("[clients.server]"), "nothing changes before the commit");
    browser.press("Commit").await;
    browser.sees("Enter a comment").await;
    browser.fill("Comment", "The tutorial's client").await;
    browser.press("Commit").await;
    browser.sees("is committed and in use").await;
    assert!(console.file().contains("[clients.server]"));

    // "Retrieve an access token", with the command that the page showed; then "call an API with the access
    // token".
    let answer = shell(&get_token);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{answer}"));
    assert_eq!(answer["token_type"], "bearer");
    assert_eq!(answer["expires_in"], 299);
    let token = answer["access_token"].as_str().expect("a token");
    let api = shell(&call_api.replace("ACCESS_TOKEN", token));
    assert!(api.to_lowercase().contains("hello"), "{api}");
    browser.close().await;
}

/// Returns the file that the gateway is shipped with, with ports that the system picks and without its
/// client.
fn shipped_without_client() -> String {
    let shipped = include_str!("../../gateway.toml");
    let from = shipped.find("[clients.server]").expect("the client");
    let to = shipped.find("[upstreams.hello]").expect("the upstream");
    let mut text = format!("{}{}", &shipped[..from], &shipped[to..]);
    let demo =
        std::net::TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a free port");
    text = text.replace("127.0.0.1:8443", "127.0.0.1:0").replace("127.0.0.1:9000", &demo.to_string());
    if text.contains("[admin]") {
        text.replace("127.0.0.1:9465", "127.0.0.1:0")
    } else {
        format!("{text}\n[admin]\nlisten = \"http://127.0.0.1:0\"\n")
    }
}

/// Runs a command as a shell does, and returns what it writes.
fn shell(command: &str) -> String {
    let mut sh = Command::new("sh");
    sh.arg("-c").arg(command.replacen("curl ", "curl -sS ", 1));
    finish(sh, Duration::from_secs(15)).stdout
}
