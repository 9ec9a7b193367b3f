//! `tollgate client`.

use super::*;

#[test]
fn a_client_can_be_added_changed_and_removed() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let before = text_of(dir);

    let output = run_ok(
        dir,
        &["client", "add", "new app", "--scope", "read", "--scope", "write", "--token-lifetime", "5m"],
    );
    let secret =
        output.lines().find_map(|line| line.trim().strip_prefix("client_secret")).expect("the secret").trim();
    assert_eq!(secret.len(), 43, "256 bits in base64url: {output}");
    assert!(secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{output}");
    assert!(output.contains("client_id=new+app") && output.contains("scope=read+write"), "{output}");
    let text = text_of(dir);
    assert!(!text.contains(secret), "the secret is in the file");
    assert!(text.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");

    let shown = json(dir, &["client", "show", "new app", "--json"]);
    assert_eq!(shown["scopes"], serde_json::json!(["read", "write"]));
    assert_eq!(shown["capabilities"], serde_json::json!(["client_credentials"]));
    assert_eq!(shown["token_lifetime"], 300);
    assert_eq!(shown["enabled"], true);
    let listed = json(dir, &["client", "list", "--json"]);
    let ids: Vec<&str> =
        listed.as_array().expect("a list").iter().filter_map(|c| c["client_id"].as_str()).collect();
    assert_eq!(ids, ["one", "two", "new app"]);
    let list = run_ok(dir, &["client", "list"]);
    assert!(list.lines().any(|line| line.starts_with("two ") && line.contains("disabled")), "{list}");

    let reset = json(dir, &["client", "reset-secret", "new app", "--keep-old", "24h", "--json"]);
    assert_eq!(reset["kept"], serde_json::json!(["default"]));
    let list = run(dir, &["client", "list"]);
    assert!(list.stderr.contains("warning: new app: the secret \"default\" expires at "), "{list:?}");
    let show = json(dir, &["client", "show", "new app", "--json"]);
    assert_eq!(show["secrets"][0]["expires_soon"], true, "{show}");
    assert_eq!(show["secrets"][1]["id"], reset["secret_id"], "{show}");
    assert_eq!(show["secrets"][1]["expires"], Value::Null, "{show}");

    run_ok(dir, &["client", "disable", "new app"]);
    assert_eq!(json(dir, &["client", "show", "new app", "--json"])["enabled"], false);
    run_ok(dir, &["client", "enable", "new app"]);
    run_ok(dir, &["check"]);
    run_ok(dir, &["client", "remove", "new app"]);
    assert_eq!(text_of(dir), before, "a removed client leaves no trace");
}

#[test]
fn wrong_edits_are_refused_and_change_nothing() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let before = text_of(dir);
    let output = run_err(dir, 2, &["client", "add", "x", "--scope", "delete"]);
    assert!(
        output.contains("[scopes]") && output.contains("delete = ") && output.contains("read, write, admin"),
        "{output}"
    );
    assert!(run_err(dir, 2, &["client", "add", "one", "--scope", "read"]).contains("already"));
    assert!(run_err(dir, 2, &["client", "add", "x", "--token-lifetime", "299"]).contains("unit"));
    assert!(run_err(dir, 2, &["client", "add", "x", "--token-lifetime", "99d"]).contains("token_lifetime"));
    assert!(
        run_err(dir, 2, &["client", "add", "x", "--scope", "read", "--default-scope", "write"])
            .contains("default_scopes")
    );
    assert!(run_err(dir, 2, &["client", "add", "ü"]).contains("ASCII"));
    for verb in ["show", "disable", "enable", "remove", "reset-secret"] {
        assert!(run_err(dir, 2, &["client", verb, "twoo"]).contains("did you mean \"two\"?"), "{verb}");
    }
    run_err(dir, 2, &["client", "list", "--config", "nosuch.toml"]);
    run_err(dir, 2, &["client", "add", "x", "--config", "nosuch.toml"]);
    assert_eq!(text_of(dir), before);

    // A file with errors can be edited only if the edit fixes them.
    let broken = before.replace(&secret_line(&before), "secret = \"Password1\"");
    std::fs::write(dir.join("gateway.toml"), &broken).expect("gateway.toml");
    let output = run_err(dir, 2, &["client", "disable", "two"]);
    assert!(output.contains("the file already has errors") && !output.contains("Password1"), "{output}");
    assert_eq!(text_of(dir), broken);
    run_ok(dir, &["client", "reset-secret", "one"]);
    run_ok(dir, &["check"]);
}

/// Returns the line of the first client.
fn secret_line(text: &str) -> String {
    text.lines().find(|line| line.starts_with("secret = ")).expect("a secret").to_owned()
}

#[test]
fn expired_secrets_cause_a_warning() {
    let hash = cheap_hash(SECRET);
    let dir = folder(&format!(
        "[clients.a]\nsecrets = [{{ id = \"old\", hash = \"{hash}\", expires = 2020-01-01T00:00:00Z }}, {{ id = \"new\", hash = \"{hash}\" }}]\n\
         [clients.b]\nsecrets = [{{ id = \"x\", hash = \"{hash}\", expires = 2020-01-01T00:00:00Z }}]\n\
         [clients.c]\nsecrets = [{{ id = \"y\", hash = \"{hash}\", expires = 2999-01-01T00:00:00Z }}]\n"
    ));
    let output = run(dir.path(), &["client", "list"]);
    let warned = |text: &str| output.stderr.lines().any(|line| line.contains(text));
    assert!(warned("a: the secret \"old\" expired at 2020-01-01T00:00:00Z"), "{output:?}");
    assert!(warned("b: all its secrets have expired"), "{output:?}");
    assert!(!warned("c:") && !output.stdout.contains("warning"), "{output:?}");
}

#[test]
fn a_client_without_scopes_comes_with_advice() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let output = run_ok(dir, &["client", "add", "bare"]);
    assert!(
        output.contains("open only routes that need none")
            && output.contains("client edit \"bare\" --add-scope"),
        "{output}"
    );
    let output = run_ok(dir, &["client", "add", "scoped", "--scope", "read"]);
    assert!(output.contains("a token without scopes opens nothing"), "{output}");
    assert!(output.contains("tollgate client edit \"scoped\" --add-default-scope read"), "{output}");
    let output = run_ok(dir, &["client", "add", "ready", "--default-scope", "read"]);
    assert!(!output.contains("without scopes"), "{output}");
    let shown = json(dir, &["client", "show", "ready", "--json"]);
    assert_eq!(
        (&shown["scopes"], &shown["default_scopes"]),
        (&serde_json::json!(["read"]), &serde_json::json!(["read"]))
    );
}

#[test]
fn a_client_is_edited() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let output = run_ok(
        dir,
        &["client", "edit", "one", "--add-scope", "write", "--default-scope", "write", "--rate-limit", "9/s"],
    );
    assert!(output.contains("is changed: scopes, default_scopes, rate_limit."), "{output}");
    let shown = json(dir, &["client", "show", "one", "--json"]);
    assert_eq!(shown["scopes"], serde_json::json!(["read", "write"]));
    let edited = json(dir, &["client", "edit", "one", "--remove-scope", "write", "--json"]);
    assert_eq!(edited["changed"], serde_json::json!(["scopes", "default_scopes"]));
    let output =
        run_ok(dir, &["client", "edit", "one", "--no-rate-limit", "--add-capability", "introspection"]);
    assert!(output.contains("capabilities, rate_limit"), "{output}");
    assert!(
        run_ok(dir, &["client", "edit", "one", "--no-rate-limit"]).contains("already had these settings")
    );

    let before = text_of(dir);
    assert!(run_err(dir, 2, &["client", "edit", "one"]).contains("no change is given"));
    assert!(
        run_err(dir, 2, &["client", "edit", "twoo", "--add-scope", "read"]).contains("did you mean \"two\"?")
    );
    assert!(
        run_err(dir, 2, &["client", "edit", "one", "--remove-scope", "raed"])
            .contains("did you mean \"read\"?")
    );
    assert!(run_err(dir, 2, &["client", "edit", "one", "--rate-limit", "fast"]).contains("100/s"));
    assert_eq!(text_of(dir), before);
}
