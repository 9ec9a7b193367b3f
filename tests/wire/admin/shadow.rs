//! Routes in shadow mode, through the API.

use super::Admin;
use crate::support::config::SECRET;
use crate::support::{get, raw};
use serde_json::{Value, json};

fn post(admin: &Admin, client: &str, target: &str, body: &Value) -> crate::support::TestResponse {
    let fields = [&*admin.bearer(client), "Content-Type: application/json"];
    raw(admin.address, admin.request("POST", &format!("/api/v1{target}"), &fields, &body.to_string()))
}

#[test]
fn refused_callers_become_proposals_and_the_route_is_enforced() {
    let admin = Admin::start_with("", |config| {
        config
            .client("report", SECRET, "scopes = [\"write\"]\ndefault_scopes = [\"write\"]")
            .route("prefix = \"/legacy\"\nscopes = [\"read\"]\nupstream = \"api\"\nmode = \"shadow\"")
    });
    admin.get("/api/v1/shadow", &[]).problem(401);
    let nothing = json!({
        "route": "/legacy/*", "since": null, "passed": 0, "refused": 0, "ready": null, "callers": [], "complete": true,
    });
    assert_eq!(admin.api("/shadow"), json!({ "items": [nothing], "next": null }));
    assert_eq!(admin.api("/shadow/proposals")["items"], json!([]));

    // One caller passes, one lacks a scope, and one has no token. None of them notices.
    let (server, report) = (admin.fixture.bearer("server", "read"), admin.fixture.bearer("report", "write"));
    admin.fixture.raw(get("/legacy/a", &[&server])).status(200);
    admin.fixture.raw(get("/legacy/b", &[&report])).status(200);
    for _ in 0..2 {
        admin.fixture.raw(get("/legacy/c", &["User-Agent: inventory/1.0"])).status(200);
    }
    let route = admin.api("/shadow")["items"][0].clone();
    assert_eq!((&route["passed"], &route["refused"], &route["ready"]), (&json!(1), &json!(3), &json!(0.25)));
    let callers = route["callers"].as_array().expect("callers");
    let caller = |who: &str| callers.iter().find(|caller| caller["who"].as_str().expect("who").contains(who));
    let report = caller("report").unwrap_or_else(|| panic!("{route:#}"));
    assert_eq!(
        (&report["would_pass"], report["refused"].as_object().map(|all| all.len())),
        (&json!(false), Some(1))
    );
    assert_eq!(caller("server").map(|caller| &caller["would_pass"]), Some(&json!(true)));
    let unknown = caller("127.0.0.1").unwrap_or_else(|| panic!("{route:#}"));
    assert_eq!(unknown["user_agent"], "inventory/1.0");
    assert!(unknown["first_seen"].is_string() && unknown["last_passed"].is_null(), "{unknown:#}");

    // A request is explained with both verdicts.
    let question = json!({ "url": "/legacy/c" });
    let explained = post(&admin, "reader", "/explain", &question).json();
    assert_eq!((&explained["verdict"], &explained["enforced"]["status"]), (&json!("passes"), &json!(401)));
    let enforced = post(&admin, "reader", "/explain", &json!({ "url": "/hello" })).json();
    assert_eq!((&enforced["status"], &enforced["enforced"]), (&json!(401), &Value::Null));

    // A proposal lists operations that can be sent unchanged. If a person has to decide, the list is empty.
    let proposals = admin.api("/shadow/proposals");
    let proposals = proposals["items"].as_array().expect("proposals").clone();
    let of = |kind: &str| proposals.iter().find(|one| one["proposal"]["kind"] == kind).expect(kind).clone();
    assert_eq!(of("new_client")["operations"], json!([]));
    assert_eq!(of("new_client")["proposal"]["user_agent"], "inventory/1.0");
    let add = of("add_scopes");
    assert!(add["message"].as_str().expect("a message").contains("report"), "{add:#}");
    let body = json!({ "comment": "Let report read", "operations": add["operations"] });
    post(&admin, "reader", "/changes", &body).problem(403);
    post(&admin, "writer", "/changes", &body).status(201);
    let good = admin.fixture.bearer("report", "read");
    admin.fixture.raw(get("/legacy/b", &[&good])).status(200);
    let route = admin.api("/shadow")["items"][0].clone();
    // The caller without a token has the address of a caller that passes now, so every caller would pass.
    let callers = route["callers"].as_array().expect("callers");
    assert!(callers.iter().all(|caller| caller["would_pass"] == true), "{route:#}");

    // From now on, it is refused.
    let operation = json!({ "op": "route_mode", "route": { "prefix": "/legacy" }, "mode": "enforce" });
    post(&admin, "writer", "/changes", &json!({ "comment": "Enforce", "operations": [operation] }))
        .status(201);
    admin.fixture.raw(get("/legacy/c", &[])).status(401);
    admin.fixture.raw(get("/legacy/b", &[&good])).status(200);
    assert_eq!(admin.api("/shadow"), json!({ "items": [], "next": null }));
}
