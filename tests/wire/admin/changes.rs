//! Changes through the API: drafts, what they grant, commits, confirmations, rollbacks.

use super::Admin;
use crate::support::{TestResponse, raw};
use serde_json::{Value, json};

/// A caller of the API with one token.
struct Api<'a> {
    admin: &'a Admin,
    bearer: String,
}

impl<'a> Api<'a> {
    #[track_caller]
    fn of(admin: &'a Admin, client: &str) -> Self {
        Self { admin, bearer: admin.bearer(client) }
    }

    #[track_caller]
    fn ask(&self, method: &str, target: &str, fields: &[&str], body: &Value) -> TestResponse {
        let mut fields = fields.to_vec();
        fields.push(&self.bearer);
        let body = if body.is_null() {
            String::new()
        } else {
            fields.push("Content-Type: application/json");
            body.to_string()
        };
        raw(self.admin.address, self.admin.request(method, &format!("/api/v1{target}"), &fields, &body))
    }

    #[track_caller]
    fn get(&self, target: &str) -> Value {
        let response = self.ask("GET", target, &[], &Value::Null);
        response.status(200);
        response.json()
    }

    #[track_caller]
    fn post(&self, target: &str, body: &Value) -> TestResponse {
        self.ask("POST", target, &[], body)
    }

    /// Begins a draft with these operations, and returns its path and its ETag.
    #[track_caller]
    fn draft(&self, operations: &Value) -> (String, String) {
        let response = self.post("/drafts", &json!({ "title": "A draft", "operations": operations }));
        response.status(201);
        let location = response.one("location").strip_prefix("/api/v1").expect("a path").to_owned();
        (location, format!("If-Match: {}", response.one("etag")))
    }
}

fn scope(name: &str) -> Value {
    json!({ "op": "scope_add", "name": name, "description": "A scope" })
}

fn kind(response: &TestResponse) -> String {
    let problem: Value = serde_json::from_slice(response.body()).unwrap_or_else(|_| panic!("{response}"));
    problem["type"].as_str().unwrap_or_default().trim_start_matches("urn:tollgate:problem:").to_owned()
}

#[test]
fn a_new_client_gets_through_after_the_commit() {
    let admin = Admin::start("");
    let api = Api::of(&admin, "writer");
    let (draft, etag) = api.draft(&json!([scope("orders")]));
    let operation = json!({ "op": "client_add", "id": "shop", "scopes": ["read"] });
    let added = api.ask("POST", &format!("{draft}/operations"), &[&etag], &operation);
    added.status(201);
    let etag = format!("If-Match: {}", added.one("etag"));
    let added = added.json();
    let secret = added["secrets"][0]["client_secret"].as_str().expect("a secret").to_owned();
    assert_eq!(added["draft"]["operations"].as_array().map(Vec::len), Some(2));

    // The grants of a draft are shown before it is committed, without secrets.
    let grants = api.get(&format!("{draft}/grants"));
    let texts: Vec<&str> =
        grants["grants"].as_array().expect("grants").iter().filter_map(|g| g["text"].as_str()).collect();
    assert!(texts.iter().any(|text| text.contains("shop") && text.contains("/hello")), "{grants:#}");
    assert_eq!((&grants["stale"], &grants["errors"]), (&json!(false), &json!([])));
    let diff = api.get(&format!("{draft}/diff"))["diff"].as_str().expect("a text").to_owned();
    assert!(diff.contains("+[clients.shop]") && diff.contains("+orders = "), "{diff}");
    let shown = diff + &api.get(&draft).to_string() + &api.get(&format!("{draft}/text")).to_string();
    assert!(!shown.contains("$argon2") && !shown.contains(&secret), "{shown}");
    let reader = Api::of(&admin, "reader");
    reader.ask("GET", &format!("{draft}/patch"), &[], &Value::Null).problem(403);
    let patch = api.ask("GET", &format!("{draft}/patch"), &[], &Value::Null);
    patch.status(200).has("content-type", "text/x-diff; charset=utf-8");
    let token_form =
        format!("grant_type=client_credentials&client_id=shop&client_secret={secret}&scope=read");
    let token = || admin.fixture.raw(crate::support::post_form(crate::support::TOKEN, &[], &token_form));
    token().status(401);

    let commit = format!("{draft}/commit");
    api.post(&commit, &json!({ "comment": "New shop" })).problem(428);
    assert_eq!(
        kind(&api.ask("POST", &commit, &["If-Match: \"1\""], &json!({ "comment": "x" }))),
        "changed-meanwhile"
    );
    assert_eq!(kind(&api.ask("POST", &commit, &[&etag], &json!({ "comment": " " }))), "comment-required");
    let committed = api.ask("POST", &commit, &[&etag], &json!({ "comment": "New shop" }));
    committed.status(201);
    let version = committed.json()["version"].as_u64().expect("a number");
    assert_eq!(committed.one("location"), format!("/api/v1/history/{version}"));
    // The change applies at once, before the file is checked again.
    token().status(200);
    api.ask("GET", &draft, &[], &Value::Null).problem(404);

    let history = api.get("/history?limit=1");
    assert_eq!(
        (&history["items"][0]["number"], &history["items"][0]["comment"]),
        (&json!(version), &json!("New shop"))
    );
    assert_eq!(history["items"][0]["via"], "api");
    let kept = api.get(&format!("/history/{version}")).to_string();
    assert!(kept.contains("clients.shop") && !kept.contains("$argon2"), "{kept}");
    let audit = api.get("/audit?limit=200").to_string();
    assert!(
        audit.contains("\"commit\"") && audit.contains("New shop") && !audit.contains(&secret),
        "{audit}"
    );
}

#[test]
fn the_api_is_never_an_owner() {
    let admin = Admin::start("");
    let (api, reader) = (Api::of(&admin, "writer"), Api::of(&admin, "reader"));
    reader.post("/drafts", &json!({ "title": "x" })).problem(403);
    for operation in [
        json!({ "op": "admin_user_add", "name": "mallory", "role": "owner" }),
        json!({ "op": "replace_text", "text": "" }),
    ] {
        assert_eq!(kind(&api.post("/drafts", &json!({ "operations": [operation] }))), "forbidden");
    }
    for operation in [
        json!({ "op": "upstream_add", "name": "evil", "settings": {
            "servers": ["http://127.0.0.1:1"], "credentials": { "header": "X-Key", "value": "file:/etc/hostname" } } }),
        json!({ "op": "upstream_add", "name": "evil", "settings": { "servers": ["http://169.254.169.254"] } }),
        json!({ "op": "client_add", "id": "mallory", "scopes": ["tollgate:admin.write"] }),
        json!({ "op": "client_scopes", "id": "server", "scopes": { "add": ["tollgate:admin.write"] } }),
    ] {
        let body = json!({ "operations": [operation], "comment": "x" });
        let refused = api.post("/changes", &body);
        refused.problem(403);
        assert_eq!(kind(&refused), "owner-only", "{operation}");
        let mut dry = body.clone();
        dry["dry_run"] = json!(true);
        let shown = api.post("/changes", &dry).json();
        assert!(
            shown["grants"].is_null() && !shown["owner_only"].as_array().expect("a list").is_empty(),
            "{shown}"
        );
    }
    let file = std::fs::read_to_string(admin.fixture.gateway.dir().join("gateway.toml")).expect("the file");
    assert!(!file.contains("mallory") && !file.contains("evil"), "{file}");
}

#[test]
fn a_repeated_request_with_a_key_does_nothing_twice() {
    let admin = Admin::start("");
    let api = Api::of(&admin, "writer");
    let body = json!({ "operations": [scope("once")], "comment": "Once" });
    let first = api.ask("POST", "/changes", &["Idempotency-Key: 7f9c"], &body);
    first.status(201);
    let again = api.ask("POST", "/changes", &["Idempotency-Key: 7f9c"], &body);
    again.problem(409);
    assert_eq!(kind(&again), "already-done");
    assert!(again.to_string().contains(first.one("location")), "{again}");
    // A request that failed may be repeated with the same key.
    for _ in 0..2 {
        let failed = api.ask("POST", "/changes", &["Idempotency-Key: other"], &body);
        assert_eq!(kind(&failed), "conflict", "{failed}");
    }
    api.ask("POST", "/drafts", &["Idempotency-Key: "], &json!({})).problem(400);
}

#[test]
fn a_stale_draft_is_rebased_and_edits_by_hand_survive() {
    let admin = Admin::start("");
    let api = Api::of(&admin, "writer");
    let (draft, etag) = api.draft(&json!([scope("mine")]));
    let gateway = &admin.fixture.gateway;
    let before = gateway.times_written(" reloaded: ");
    gateway.rewrite(|text| format!("{text}# by hand\n"));
    gateway.signal("HUP");
    gateway.wait_until_written(" reloaded: ", before);
    let stale = api.ask("POST", &format!("{draft}/commit"), &[&etag], &json!({ "comment": "x" }));
    stale.problem(412);
    assert_eq!(kind(&stale), "stale-base");
    assert_eq!(api.get(&format!("{draft}/grants"))["stale"], true);
    let rebased = api.ask("POST", &format!("{draft}/rebase"), &[&etag], &Value::Null);
    rebased.status(200);
    let etag = format!("If-Match: {}", rebased.one("etag"));
    api.ask("POST", &format!("{draft}/commit"), &[&etag], &json!({ "comment": "x" })).status(201);
    let file = std::fs::read_to_string(gateway.dir().join("gateway.toml")).expect("the file");
    assert!(file.contains("# by hand") && file.contains("mine = "), "{file}");
    // The edit by hand is a version of its own.
    let history = api.get("/history");
    assert_eq!(history["items"][1]["via"], "file", "{history:#}");
}

#[test]
fn a_commit_waits_for_its_confirmation_and_a_version_comes_back() {
    let admin = Admin::start("");
    let api = Api::of(&admin, "writer");
    let change = |name: &str, within: Option<&str>| {
        api.post(
            "/changes",
            &json!({ "operations": [scope(name)], "comment": name, "confirm_within": within }),
        )
    };
    let scopes = || api.get("/scopes?limit=200").to_string();
    assert_eq!(kind(&change("a", Some("1s"))), "confirm-within");
    assert_eq!(kind(&change("a", Some("soon"))), "confirm-within");
    let first = change("kept", Some("1h")).json();
    assert!(first["confirm_by"].is_string(), "{first}");
    let other = change("other", None);
    other.problem(409);
    assert_eq!(kind(&other), "unconfirmed");
    let number = first["version"].as_u64().expect("a number");
    api.post(&format!("/history/{number}/confirm"), &Value::Null).status(200);
    assert_eq!(kind(&api.post(&format!("/history/{number}/confirm"), &Value::Null)), "not-unconfirmed");
    let second = change("undone", Some("1h")).json()["version"].clone();
    assert!(scopes().contains("undone"));
    api.post(&format!("/history/{second}/undo"), &Value::Null).status(200);
    assert!(!scopes().contains("undone") && scopes().contains("kept"));

    let third = change("third", None).json()["version"].clone();
    let back = api.post(&format!("/history/{number}/rollback"), &json!({}));
    back.status(201);
    let draft = back.json()["draft"]["id"].as_str().expect("an id").to_owned();
    let etag = format!("If-Match: {}", back.one("etag"));
    api.ask("POST", &format!("/drafts/{draft}/commit"), &[&etag], &json!({ "comment": "Back" })).status(201);
    assert!(!scopes().contains("third"), "version {third}");
    api.ask("GET", "/history/999", &[], &Value::Null).problem(404);
}

#[test]
fn a_configuration_that_is_kept_elsewhere_is_not_changed_here() {
    let admin = Admin::start("read_only = true");
    let api = Api::of(&admin, "writer");
    let (draft, etag) = api.draft(&json!([scope("mine")]));
    let patch = api.ask("GET", &format!("{draft}/patch"), &[], &Value::Null);
    patch.status(200);
    assert!(String::from_utf8_lossy(patch.body()).contains("+mine = "), "{patch}");
    let refused = api.ask("POST", &format!("{draft}/commit"), &[&etag], &json!({ "comment": "x" }));
    refused.problem(409);
    assert_eq!(kind(&refused), "read-only");
}

#[test]
fn drafts_are_changed_by_their_owner_with_their_etag() {
    let admin = Admin::start_with("", |config| {
        config.client(
            "second",
            crate::support::config::SECRET,
            "scopes = [\"tollgate:admin.write\", \"tollgate:admin.read\"]",
        )
    });
    let api = Api::of(&admin, "writer");
    let second = Api { admin: &admin, bearer: admin.fixture.bearer("second", "tollgate:admin.write") };
    let (draft, etag) = api.draft(&json!([scope("one"), scope("two")]));
    assert_eq!(kind(&second.ask("PATCH", &draft, &[&etag], &json!({ "title": "x" }))), "forbidden");
    let renamed = api.ask("PATCH", &draft, &[&etag], &json!({ "title": "Renamed" }));
    assert_eq!(renamed.json()["title"], "Renamed");
    assert_eq!(kind(&api.ask("PATCH", &draft, &[&etag], &json!({ "title": "x" }))), "changed-meanwhile");
    let etag = format!("If-Match: {}", renamed.one("etag"));
    api.ask("DELETE", &format!("{draft}/operations/9"), &[&etag], &Value::Null).problem(404);
    let removed = api.ask("DELETE", &format!("{draft}/operations/0"), &[&etag], &Value::Null);
    assert_eq!(removed.json()["operations"], json!([scope("two")]));
    let etag = format!("If-Match: {}", removed.one("etag"));
    api.ask("DELETE", &draft, &[], &Value::Null).problem(428);
    api.ask("DELETE", &draft, &[&etag], &Value::Null).status(204);
    assert_eq!(api.get("/drafts"), json!({ "items": [], "next": null }));
}

#[test]
fn questions_have_no_effect() {
    let admin = Admin::start("");
    let api = Api::of(&admin, "reader");
    let explain = |body: Value| api.post("/explain", &body).json();
    let passes = explain(json!({ "url": "/hello", "client": "server" }));
    assert_eq!((&passes["verdict"], &passes["upstream"]), (&json!("passes"), &json!("api")), "{passes}");
    let refused = explain(json!({ "url": "/write", "client": "other" }));
    assert_eq!((&refused["verdict"], &refused["status"]), (&json!("refused"), &json!(403)), "{refused}");
    assert_eq!(refused["error"], "insufficient_scope");
    assert_eq!(explain(json!({ "url": "/hello" }))["status"], 401);
    assert_eq!(explain(json!({ "url": "/nothing", "scopes": ["read"] }))["status"], 404);
    for body in [
        json!({}),
        json!({ "url": "x" }),
        json!({ "url": "/", "client": "nobody" }),
        json!([]),
        json!({ "url": "/", "x": 1 }),
    ] {
        api.post("/explain", &body).status_in(&[400, 422]);
    }
    assert_eq!(api.post("/check", &json!({ "operations": [] })).json()["good"], true);
    // A caller that may not change anything cannot have secrets hashed.
    api.post("/check", &json!({ "operations": [{ "op": "client_reset_secret", "id": "server" }] }))
        .problem(403);
    let api = Api::of(&admin, "writer");
    let check = |operations: Value| api.post("/check", &json!({ "operations": operations })).json();
    let bad = check(json!([{ "op": "client_lifetime", "id": "server", "token_lifetime": "90d" }]));
    assert_eq!(bad["good"], false);
    assert!(bad["errors"][0]["key"].as_str().expect("a key").contains("token_lifetime"), "{bad}");
    assert_eq!(
        kind(&api.post("/check", &json!({ "operations": [{ "op": "nothing" }] }))),
        "invalid-operation"
    );
    let text = raw(admin.address, admin.request("POST", "/api/v1/explain", &[&api.bearer], "x"));
    text.problem(415);
    let json = raw(
        admin.address,
        admin.request("POST", "/api/v1/explain", &[&api.bearer, "Content-Type: application/json"], "{"),
    );
    json.problem(400);
    let large = "x".repeat((1 << 20) + 1);
    let large = raw(
        admin.address,
        admin.request("POST", "/api/v1/explain", &[&api.bearer, "Content-Type: application/json"], &large),
    );
    large.problem(413);
}

#[test]
fn a_damaged_draft_is_listed_and_discarded() {
    let admin = Admin::start("");
    let api = Api::of(&admin, "writer");
    let (draft, _) = api.draft(&json!([scope("mine")]));
    assert_eq!(api.get("/drafts/damaged"), json!({ "ids": [] }));
    let drafts = admin.fixture.gateway.dir().join("state/admin/drafts");
    std::fs::write(drafts.join("00000000000000ff.json"), "{").expect("a damaged draft");
    assert_eq!(Api::of(&admin, "reader").get("/drafts/damaged"), json!({ "ids": ["00000000000000ff"] }));
    assert_eq!(api.get("/drafts")["items"].as_array().map(Vec::len), Some(1), "{draft}");
    let discard =
        |api: &Api<'_>| api.ask("DELETE", "/drafts/00000000000000ff", &["If-Match: \"0\""], &Value::Null);
    discard(&Api::of(&admin, "reader")).problem(403);
    discard(&api).status(204);
    discard(&api).problem(404);
    assert_eq!(api.get("/drafts/damaged"), json!({ "ids": [] }));
    // A good one is not discarded without its revision.
    assert_eq!(kind(&api.ask("DELETE", &draft, &["If-Match: \"0\""], &Value::Null)), "changed-meanwhile");
}

#[test]
fn credentials_stay_hidden_and_can_be_kept_in_a_change() {
    let admin = Admin::start_with("", |config| {
        config.table("[upstreams.shop]\nservers = [\"http://127.0.0.1:9\"]\ncredentials = { header = \"X-Key\", value = \"sesame\" }")
    });
    let api = Api::of(&admin, "writer");
    let (draft, _) = api.draft(&json!([scope("mine")]));
    let text = api.get(&format!("{draft}/text")).to_string();
    let hidden = text
        .split("X-Key")
        .nth(1)
        .and_then(|text| text.split("hidden:").nth(1))
        .expect("a placeholder")
        .chars()
        .take(32)
        .collect::<String>();
    assert!(!text.contains("sesame"), "{text}");
    let change = |value: &str| {
        let settings = json!({ "credentials": { "header": "X-Other", "value": value } });
        let operation = json!({ "op": "upstream_set", "name": "shop", "settings": settings });
        api.post("/changes", &json!({ "comment": "x", "operations": [operation] }))
    };
    assert_eq!(kind(&change("hidden:00000000000000000000000000000000")), "conflict");
    change(&format!("hidden:{hidden}")).status(201);
    let file = std::fs::read_to_string(admin.fixture.gateway.dir().join("gateway.toml")).expect("the file");
    assert!(file.contains("credentials = { header = \"X-Other\", value = \"sesame\" }"), "{file}");
}

#[test]
fn a_preview_makes_no_keys_for_jwts_and_a_commit_does() {
    let admin = Admin::start("");
    let api = Api::of(&admin, "writer");
    let keys = admin.fixture.gateway.dir().join("state/jwt-keys.json");
    let route = json!({ "path": "/jwt", "scopes": ["read"], "upstream": "api", "forward_token": "jwt" });
    let operations = json!([{ "op": "route_add", "route": route }]);
    api.post("/changes", &json!({ "operations": operations, "dry_run": true })).status(200);
    let (draft, tag) = api.draft(&operations);
    for part in ["/diff", "/grants", "/text"] {
        api.ask("GET", &format!("{draft}{part}"), &[], &Value::Null).status(200);
    }
    assert!(!keys.exists(), "a preview has made keys");
    api.ask("POST", &format!("{draft}/commit"), &[&tag], &json!({ "comment": "JWTs" })).status(201);
    assert!(keys.exists());
}
