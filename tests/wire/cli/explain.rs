//! `tollgate explain`, `routes` and `diff`.

use super::*;

#[test]
fn explain_shows_the_outcome_of_a_request() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let explained = |arguments: &[&str]| -> Value {
        let output = run(dir, &[&["explain", "--json"], arguments].concat());
        let explained: Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        let refused = explained["verdict"]["status"].is_u64();
        assert_eq!(output.code, Some(if refused { 3 } else { 0 }), "{output:?}");
        explained
    };
    let verdict = |arguments: &[&str]| explained(arguments)["verdict"].clone();
    assert_eq!(
        verdict(&["GET", "https://localhost/hello", "--client", "one"]),
        serde_json::json!({ "passes": true, "upstream": "api", "path": "/hello" })
    );
    let refused = |arguments: &[&str]| verdict(arguments)["status"].as_u64().expect("a status");
    assert_eq!(refused(&["GET", "/hello"]), 401);
    assert_eq!(refused(&["GET", "/hello", "--client", "two"]), 401);
    assert_eq!(refused(&["GET", "/hello", "--scope", "write"]), 403);
    assert_eq!(refused(&["POST", "/hello", "--scope", "read"]), 405);
    assert_eq!(refused(&["GET", "/a/../hello", "--scope", "read"]), 400);
    let output = run_ok(dir, &["explain", "GET", "/users/%61?x", "--scope", "read"]);
    assert!(
        output.contains("/users/a")
            && output.contains("public")
            && output.contains("as /users/a and its query"),
        "{output}"
    );
    assert!(run_err(dir, 2, &["explain", "GET", "/hello", "--client", "three"]).contains("no client"));
    assert!(
        run_err(dir, 2, &["explain", "GET", "/hello", "--client", "one", "--scope", "write"])
            .contains("invalid_scope")
    );
    run_err(dir, 2, &["explain", "GET", "hello"]);
    // A text that is not a token is rejected without a gateway; a token needs one.
    assert_eq!(refused(&["GET", "/hello", "--token", "0470b16b-7bf8-4fa3-9ae1-6a10e0f0b699"]), 401);
}

#[test]
fn explain_compares_the_outcome_with_the_expected_one() {
    let dir = folder(&small().text());
    let expect = |outcome: &str, request: &[&str]| {
        run(dir.path(), &[&["explain", "--expect", outcome], request].concat())
    };
    let scoped = ["GET", "/hello", "--scope", "read"];
    let table: [(&str, &[&str]); 4] = [
        ("pass", &scoped),
        ("401", &["GET", "/hello"]),
        ("403", &["GET", "/hello", "--scope", "write"]),
        ("endpoint", &["POST", "/oauth/v2/oauth-token"]),
    ];
    for (outcome, request) in table {
        let output = expect(outcome, request);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
        for (other, _) in table.iter().filter(|(other, _)| *other != outcome) {
            let output = expect(other, request);
            assert_eq!(output.code, Some(1), "{output:?}");
            assert_eq!(output.stderr, format!("expected {other}, and the outcome is {outcome}\n"));
        }
    }
    assert_eq!(expect("refused", &scoped).code, Some(2));
}

#[test]
fn a_refusal_names_the_setting_that_decides() {
    let dir = folder(&small().text());
    let text = |request: &[&str]| run(dir.path(), &[&["explain", "GET"], request].concat()).stdout;
    let output = text(&["/elsewhere;x", "--scope", "write"]);
    assert!(output.contains("400: the path has a semicolon"), "{output}");
    assert!(output.contains("setting         allow_semicolon = true on the route"), "{output}");
    assert!(text(&["/elsewhere%2Fx", "--scope", "write"]).contains("allow_encoded_slash = true"));
    assert!(
        text(&["/hello", "--client", "one", "--scope", "read", "--body", "1GiB"])
            .contains("`max_body_size` of the route")
    );
    assert!(!text(&["/hello", "--scope", "read"]).contains("setting"));
    assert!(!text(&["/a/../b"]).contains("setting"));
    let dir = dir.path();
    let output = run(dir, &["explain", "GET", "/hello", "--scope", "write", "--json"]);
    let json: Value = serde_json::from_str(&output.stdout).expect("JSON");
    assert_eq!(json["verdict"]["setting"], "clients.scopes");
}

#[test]
fn explain_introspects_a_token() {
    let (gateway, _) = with_known_port();
    let dir = gateway.dir();
    let token = run_ok(dir, &["token", "--client", "other", "--secret", SECRET, "--scope", "read"]);
    let token = token.trim();
    assert!(run_err(dir, 2, &["explain", "GET", "/hello", "--token", token]).contains("introspection"));
    let explain = |path: &str, token: &str| {
        let asker = ["--client", "introspector", "--secret", SECRET, "--json"];
        let output = run(dir, &[&["explain", "GET", path, "--token", token], &asker[..]].concat());
        serde_json::from_str::<Value>(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"))
    };
    let explained = explain("/hello", token);
    assert_eq!(
        (&explained["client_id"], &explained["verdict"]["passes"]),
        (&"other".into(), &true.into()),
        "{explained}"
    );
    assert_eq!(explain("/write", token)["verdict"]["error"], "insufficient_scope");
    let body = format!("token={token}");
    let mut conn = Conn::tls(gateway.tls(), &["http/1.1"]);
    conn.request(post_form(crate::support::REVOKE, &[&basic("other", SECRET)], body)).status(200);
    assert_eq!(explain("/hello", token)["verdict"]["error"], "invalid_token");
    let not_asker = ["--client", "other", "--secret", SECRET];
    let output = run_err(dir, 1, &[&["explain", "GET", "/hello", "--token", token], &not_asker[..]].concat());
    assert!(output.contains("unauthorized_client"), "{output}");
}

#[test]
fn routes_prints_the_access_matrix() {
    let dir = folder(&small().text());
    let table = run_ok(dir.path(), &["routes"]);
    assert!(table.lines().all(|line| line.chars().count() <= 80) || table.contains("->"), "{table}");
    let routes = json(dir.path(), &["routes", "--json"]);
    let paths: Vec<&str> = routes
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|route| route["path"].as_str().or(route["prefix"].as_str()))
        .collect();
    assert_eq!(paths, ["/hello", "/users/{name}", "/"], "the most specific first");
    assert_eq!(routes[0]["clients"]["one"]["allowed"], true);
    assert_eq!(
        routes[0]["clients"]["two"],
        serde_json::json!({ "allowed": false, "reason": "disabled", "missing": [] })
    );
    assert_eq!(routes[1]["clients"]["two"]["allowed"], true, "a public route");
    assert_eq!(routes[2]["clients"]["one"]["missing"], serde_json::json!(["write", "admin"]));

    // Many clients: a list that fits the width.
    let many = (0..20).fold(small(), |config, n| {
        config.client(&format!("client-number-{n}"), SECRET, "scopes = [\"read\"]")
    });
    let dir = folder(&many.text());
    let list = run_ok(dir.path(), &["routes"]);
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    assert!(list.contains("GET /hello  ->  api") && list.contains("  yes  client-number-19"), "{list}");
    assert!(list.contains("  no   client-number-3 (lacks write or admin)"), "{list}");
}

#[test]
fn a_change_that_widens_access_fails_a_review() {
    let dir = folder(&small().text());
    let dir = dir.path();
    let before = text_of(dir);
    std::fs::write(dir.join("before.toml"), &before).expect("before.toml");
    assert_eq!(run_ok(dir, &["diff", "before.toml"]), "Nothing that clients can reach changes.\n");

    run_ok(dir, &["client", "enable", "two"]);
    let widened = run(dir, &["diff", "before.toml"]);
    assert_eq!(widened.code, Some(1), "{widened:?}");
    assert!(widened.stdout.contains("+ client \"two\" gets through GET /hello\n"), "{widened:?}");
    assert!(widened.stderr.contains("widen"), "{widened:?}");
    unshown(&widened);

    // The same change in reverse removes access.
    let narrowed = json(dir, &["diff", "gateway.toml", "before.toml", "--json"]);
    let narrowed = narrowed.as_array().expect("a list");
    let lost = serde_json::json!({
        "change": "lost", "client": "two", "route": "GET /hello", "widens": false,
        "text": "client \"two\" no longer gets through GET /hello",
    });
    assert!(narrowed.contains(&lost), "{narrowed:?}");
    assert!(narrowed.iter().all(|change| change["widens"] == false), "{narrowed:?}");
    run_err(dir, 2, &["diff", "nosuch.toml"]);

    // A key that is read at the start only, and a limit of the whole gateway.
    let other = before.replacen("threads = 1", "threads = 2", 1) + "\n[server.limits]\nmax_headers = 50\n";
    assert_ne!(other, before);
    std::fs::write(dir.join("other.toml"), other).expect("other.toml");
    assert_eq!(
        run_ok(dir, &["diff", "before.toml", "other.toml"]),
        "- the gateway has other terms: 50 header fields instead of 100 header fields\n\
         ! server.threads takes effect only after a restart\n"
    );
    let changes = json(dir, &["diff", "before.toml", "other.toml", "--json"]);
    assert_eq!(
        (&changes[0]["change"], &changes[1]["key"]),
        (&"gateway_terms_changed".into(), &"server.threads".into())
    );
}
