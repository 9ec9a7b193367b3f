//! Commands that change the file of a running gateway.

use super::*;

/// The gateway applies a changed file within two seconds. A busy machine needs longer.
const RELOAD_LIMIT: Duration = Duration::from_secs(30);

/// Waits until the gateway has done something.
#[track_caller]
fn eventually(gateway: &Gateway, what: &str, mut done: impl FnMut() -> bool) {
    let started = Instant::now();
    while !done() {
        assert!(
            started.elapsed() < RELOAD_LIMIT,
            "{what}: not within {RELOAD_LIMIT:?}\n{}",
            gateway.written()
        );
        thread::sleep(Duration::from_millis(20));
    }
}

fn request_token(address: SocketAddr, id: &str, secret: &str) -> crate::support::TestResponse {
    let body = format!(
        "grant_type=client_credentials&scope=read&client_id={}&client_secret={}",
        form(id),
        form(secret)
    );
    raw(address, post_form(TOKEN, &[], body))
}

fn call(token: &str) -> Vec<u8> {
    get("/hello", &[&format!("Authorization: Bearer {token}")])
}

#[test]
fn a_running_gateway_applies_the_changes_of_the_commands() {
    let upstream = Upstream::start();
    let config = Config::bare()
        .upstream("api", upstream.address())
        .client("one", SECRET, "scopes = [\"read\"]")
        .route("path = \"/hello\"\nscopes = [\"read\"]\nupstream = \"api\"");
    let gateway = Gateway::start(&config);
    let (address, dir) = (gateway.plain(), gateway.dir());
    let old = token_of(&request_token(address, "one", SECRET));
    let mut kept = Conn::plain(address);
    kept.request(call(&old)).status(200);

    let added = json(dir, &["client", "add", "fresh", "--scope", "read", "--json"]);
    let secret = added["client_secret"].as_str().expect("the secret").to_owned();
    eventually(&gateway, "the new client", || request_token(address, "fresh", &secret).code() == 200);
    let fresh = token_of(&request_token(address, "fresh", &secret));
    kept.request(call(&fresh)).status(200);
    kept.request(call(&old)).status(200);

    run_ok(dir, &["client", "disable", "fresh"]);
    eventually(&gateway, "the disabled client's token", || raw(address, call(&fresh)).code() == 401);
    kept.request(call(&fresh)).bearer_error(401, Some("invalid_token"));
    request_token(address, "fresh", &secret).oauth_error(401, "invalid_client");
    kept.request(call(&old)).status(200);

    // Both secrets work while the old one is kept; after the next reset, only the new one does.
    run_ok(dir, &["client", "enable", "fresh"]);
    let reset = |arguments: &[&str]| {
        let arguments = [&["client", "reset-secret", "fresh", "--json"], arguments].concat();
        json(dir, &arguments)["client_secret"].as_str().expect("the secret").to_owned()
    };
    let second = reset(&["--keep-old", "1h"]);
    eventually(&gateway, "the second secret", || request_token(address, "fresh", &second).code() == 200);
    request_token(address, "fresh", &secret).status(200);
    let third = reset(&[]);
    eventually(&gateway, "the third secret", || request_token(address, "fresh", &third).code() == 200);
    request_token(address, "fresh", &secret).oauth_error(401, "invalid_client");
    request_token(address, "fresh", &second).oauth_error(401, "invalid_client");

    // Shifted lines are not a change of a listener.
    assert!(!gateway.written().contains("only after a restart"), "{}", gateway.written());
    let text = text_of(dir);
    let reloads = |gateway: &Gateway| gateway.written().matches("reloaded: ").count();
    let before = reloads(&gateway);
    std::fs::write(dir.join("gateway.toml"), format!("# one line more\n{text}")).expect("gateway.toml");
    eventually(&gateway, "the shifted file", || reloads(&gateway) > before);
    assert!(!gateway.written().contains("only after a restart"), "{}", gateway.written());
    std::fs::write(dir.join("gateway.toml"), text.replace("threads = 1", "threads = 2"))
        .expect("gateway.toml");
    eventually(&gateway, "what needs a restart is named", || {
        gateway.written().contains("server.threads takes effect only after a restart")
    });

    // An invalid file changes nothing and is reported.
    std::fs::write(dir.join("gateway.toml"), text.replace("[scopes]", "[scope]")).expect("gateway.toml");
    eventually(&gateway, "the report", || gateway.written().contains("is not applied"));
    let written = gateway.written();
    let stderr = written.split_once("--- stderr").expect("stderr").1;
    assert!(stderr.contains("did you mean `scopes`?"), "{written}");
    assert!(!written.contains("$m=") && !written.contains(&third), "{written}");
    kept.request(call(&old)).status(200);
    request_token(address, "fresh", &third).status(200);

    std::fs::write(dir.join("gateway.toml"), &text).expect("gateway.toml");
    run_ok(dir, &["client", "remove", "fresh"]);
    eventually(&gateway, "the removed client", || request_token(address, "fresh", &third).code() == 401);
    kept.request(call(&old)).status(200);
}
