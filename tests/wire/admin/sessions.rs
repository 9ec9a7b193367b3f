//! Signing in, sessions and forged requests.

use super::Admin;
use crate::support::config::cheap_hash;
use crate::support::{Conn, Gateway, TestResponse, form, raw, run};
use std::fs;

const PASSWORD: &str = "Passw0rd-of-alice";

fn users() -> String {
    format!(
        "[admin.users.alice]\npassword = \"{}\"\nrole = \"owner\"\n[admin.users.victor]\npassword = \"{}\"\nrole = \"viewer\"\n",
        cheap_hash(PASSWORD),
        cheap_hash("Passw0rd-of-victor")
    )
}

/// Posts a form as a page of the console does.
#[track_caller]
fn post(admin: &Admin, target: &str, fields: &[&str], body: &str) -> TestResponse {
    let origin = format!("Origin: http://{}", admin.address);
    post_from(admin, target, &[&[&*origin], fields].concat(), body)
}

/// Posts a form with these lines only.
#[track_caller]
fn post_from(admin: &Admin, target: &str, fields: &[&str], body: &str) -> TestResponse {
    let fields = [&["Content-Type: application/x-www-form-urlencoded"], fields].concat();
    raw(admin.address, admin.request("POST", target, &fields, body))
}

fn credentials(name: &str, password: &str) -> String {
    format!("name={}&password={}", form(name), form(password))
}

/// Signs a user in, and returns the `Cookie` line.
#[track_caller]
fn sign_in(admin: &Admin, name: &str, password: &str) -> String {
    let response = post(admin, "/sign-in", &[], &credentials(name, password));
    response.status(303);
    cookie(&response)
}

/// Returns the `Cookie` line that a browser sends after a response.
#[track_caller]
fn cookie(response: &TestResponse) -> String {
    format!("Cookie: {}", response.one("set-cookie").split(';').next().expect("a cookie"))
}

/// Returns the token of the forms of a page.
#[track_caller]
fn form_token(admin: &Admin, cookie: &str) -> String {
    let page = admin.get("/", &[cookie]);
    page.status(200);
    let html = String::from_utf8_lossy(page.body()).into_owned();
    let (_, rest) = html.split_once("name=\"form_token\" value=\"").unwrap_or_else(|| panic!("{html}"));
    rest.split('"').next().expect("a value").to_owned()
}

#[track_caller]
fn is_signed_in(admin: &Admin, cookie: &str) -> bool {
    let page = admin.get("/", &[cookie]);
    page.status_in(&[200, 303]);
    page.code() == 200
}

#[test]
fn a_session_begins_with_a_password_and_ends_with_a_form() {
    let admin = Admin::start(&users());
    let page = admin.get("/clients?x=1", &[]);
    page.status(303).has("location", "/sign-in?next=/clients%3Fx%3D1");
    let response = post(&admin, "/sign-in", &[], &(credentials("alice", PASSWORD) + "&next=/clients"));
    response.status(303).has("location", "/clients").has("cache-control", "no-store");
    let set = response.one("set-cookie");
    let name = format!("tollgate_admin_{}=", admin.address.port());
    assert!(set.starts_with(&name) && !set.contains("Secure") && !set.contains("Domain"), "{set}");
    for attribute in ["Path=/", "HttpOnly", "SameSite=Strict"] {
        assert!(set.split("; ").any(|part| part == attribute), "{set}");
    }
    let cookie = cookie(&response);
    assert!(is_signed_in(&admin, &cookie));
    // A user is not sent to another site after signing in.
    let elsewhere = post(&admin, "/sign-in", &[], &(credentials("alice", PASSWORD) + "&next=//evil.example"));
    elsewhere.has("location", "/");

    // A form without the token of its session does nothing.
    post(&admin, "/sign-out", &[&cookie], "").problem(403);
    post(&admin, "/sign-out", &[&cookie], "form_token=x").problem(403);
    assert!(is_signed_in(&admin, &cookie));
    let token = form_token(&admin, &cookie);
    let left = post(&admin, "/sign-out", &[&cookie], &format!("form_token={token}"));
    left.status(303);
    assert!(left.one("set-cookie").contains("Max-Age=0"), "{left}");
    assert!(!is_signed_in(&admin, &cookie));
}

#[test]
fn a_cookie_over_tls_is_for_this_host_alone() {
    let config = format!(
        "[server]\nlisten = [\"http://127.0.0.1:0\"]\n[admin]\nlisten = \"https://127.0.0.1:0\"\n{}",
        users()
    );
    let gateway = Gateway::start_text(&config, &[]);
    gateway.wait_for("console https://");
    let written = gateway.written();
    let (_, rest) = written.split_once("console https://").expect("the console");
    let address = rest.split_whitespace().next().expect("an address").to_owned();
    let body = credentials("alice", PASSWORD);
    let request = format!(
        "POST /sign-in HTTP/1.1\r\nHost: {address}\r\nOrigin: https://{address}\r\nContent-Type: \
         application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let response = Conn::tls(address.parse().expect("an address"), &["http/1.1"]).request(request);
    let set = response.status(303).one("set-cookie");
    assert!(
        set.starts_with("__Host-tollgate_admin_") && set.contains("; Secure") && set.contains("Path=/"),
        "{set}"
    );
}

#[test]
fn forms_of_other_sites_are_refused() {
    let admin = Admin::start(&users());
    let body = credentials("alice", PASSWORD);
    let own = format!("Origin: http://{}", admin.address);
    let table: [(&[&str], u16); 8] = [
        (&[], 403),
        (&["Origin: null"], 403),
        (&["Origin: http://evil.example"], 403),
        (&["Origin: http://127.0.0.1:1"], 403),
        (&["Sec-Fetch-Site: cross-site"], 403),
        (&["Sec-Fetch-Site: same-site", &own], 403),
        (&["Sec-Fetch-Site: same-origin"], 303),
        (&[&own], 303),
    ];
    for (fields, status) in table {
        let response = post_from(&admin, "/sign-in", fields, &body);
        response.status(status);
        assert_eq!(response.all("set-cookie").is_empty(), status == 403, "{response}");
    }
    let cookie = sign_in(&admin, "alice", PASSWORD);
    let token = form_token(&admin, &cookie);
    let foreign = ["Origin: http://evil.example", &cookie];
    post_from(&admin, "/sign-out", &foreign, &format!("form_token={token}")).problem(403);
    assert!(is_signed_in(&admin, &cookie));
}

#[test]
fn guessing_passwords_is_slow_and_reveals_nothing() {
    let admin = Admin::start(&users());
    let page = |name: &str| {
        let response = post(&admin, "/sign-in", &[], &credentials(name, "wrong-password"));
        response.status(403).lacks("set-cookie");
        String::from_utf8_lossy(response.body()).replace(name, "NAME")
    };
    // The response for an unknown user is the same as for a known one.
    assert_eq!(page("alice"), page("nobody"));
    for _ in 0..3 {
        page("alice");
    }
    let refused = post(&admin, "/sign-in", &[], &credentials("alice", PASSWORD));
    refused.status(429).lacks("set-cookie");
    let wait: u64 = refused.one("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    // Traffic and the token endpoint are not affected, because the token endpoint has its own hashing
    // threads.
    admin.fixture.token("server", "read");
}

#[test]
fn a_session_is_new_at_sign_in_and_a_repeated_cookie_is_ignored() {
    let admin = Admin::start(&users());
    let name = format!("tollgate_admin_{}", admin.address.port());
    let planted = format!("Cookie: {name}={}", "A".repeat(43));
    let response = post(&admin, "/sign-in", &[&planted], &credentials("alice", PASSWORD));
    response.status(303);
    let own = cookie(&response);
    assert_ne!(own, planted);
    assert!(!is_signed_in(&admin, &planted) && is_signed_in(&admin, &own));
    // Another server on this host can set cookies, too.
    let both = format!("{own}; {}", planted.strip_prefix("Cookie: ").expect("a line"));
    assert!(!is_signed_in(&admin, &both));
    // Signing in again ends the previous session.
    let again = post(&admin, "/sign-in", &[&own], &credentials("alice", PASSWORD));
    assert!(!is_signed_in(&admin, &own) && is_signed_in(&admin, &cookie(&again)));
    // The API ignores cookies, and pages ignore tokens.
    admin.get("/api/v1/status", &[&cookie(&again)]).problem(401);
    let bearer = admin.bearer("writer");
    admin.get("/", &[&bearer]).status(303);
}

#[test]
fn a_changed_password_and_a_changed_role_end_sessions() {
    let admin = Admin::start(&users());
    let (alice, victor) =
        (sign_in(&admin, "alice", PASSWORD), sign_in(&admin, "victor", "Passw0rd-of-victor"));
    assert!(is_signed_in(&admin, &alice) && is_signed_in(&admin, &victor));
    let gateway = &admin.fixture.gateway;
    let before = gateway.times_written(" reloaded: ");
    gateway.rewrite(|text| {
        let (head, users) = text.split_once("[admin.users.alice]").expect("alice");
        let (_, rest) = users.split_once("\nrole").expect("her role");
        let new = cheap_hash("An0ther-password");
        let rest = rest.replace("role = \"viewer\"", "role = \"editor\"");
        format!("{head}[admin.users.alice]\npassword = \"{new}\"\nrole{rest}")
    });
    gateway.signal("HUP");
    gateway.wait_until_written(" reloaded: ", before);
    assert!(!is_signed_in(&admin, &alice) && !is_signed_in(&admin, &victor));
    let response = post(&admin, "/sign-in", &[], &credentials("alice", PASSWORD));
    response.status(403);
    sign_in(&admin, "alice", "An0ther-password");
}

#[test]
fn pages_that_watch_for_changes_are_bounded() {
    let admin = Admin::start(&users());
    let cookie = sign_in(&admin, "alice", PASSWORD);
    let watch = || {
        let mut conn = Conn::plain(admin.address);
        conn.send(admin.request("GET", "/live", &[&cookie], ""));
        let head = conn.read_only_head();
        (conn, head)
    };
    let mut watching: Vec<Conn> = (0..8)
        .map(|_| {
            let (mut conn, head) = watch();
            head.status(200);
            assert_eq!(head.one("content-type"), "text/event-stream");
            conn.read_some("data: changed");
            conn
        })
        .collect();
    admin.get("/live", &[&cookie]).problem(503).one("retry-after");
    // A page that is closed makes room. The gateway sees the end of its connection at the latest when it writes
    // to it.
    drop(watching.pop());
    let further = std::iter::repeat_with(watch).take(10_000).find(|(_, head)| head.code() == 200);
    further.expect("a stream").0.read_some("data: changed");
    // Watching needs a session.
    admin.get("/live", &[]).status_in(&[303, 401]);
}

#[test]
fn a_viewer_changes_nothing() {
    let admin = Admin::start(&users());
    let cookie = sign_in(&admin, "victor", "Passw0rd-of-victor");
    let token = form_token(&admin, &cookie);
    let body = format!("form_token={token}&name=mine&description=Mine");
    post(&admin, "/scopes", &[&cookie], &body).problem(403);
    admin.get("/users", &[&cookie]).problem(403);
    let file = fs::read_to_string(admin.fixture.gateway.dir().join("gateway.toml")).expect("the file");
    assert!(!file.contains("mine"), "{file}");
}

#[test]
fn the_setup_link_makes_the_first_owner_once() {
    let admin = Admin::start("");
    let dir = admin.fixture.gateway.dir();
    let code = || {
        let link = run(dir, &["admin", "link"]);
        assert_eq!(link.code, Some(0), "{}", link.stderr);
        let prefix = format!("http://{}/setup?code=", admin.address);
        link.stdout.trim().strip_prefix(&*prefix).unwrap_or_else(|| panic!("{}", link.stdout)).to_owned()
    };
    let submit = |code: &str, name: &str, password: &str| {
        post(&admin, "/setup", &[], &format!("code={code}&{}", credentials(name, password)))
    };
    let first = code();
    // Opening the link does not use it up.
    for _ in 0..2 {
        admin.get(&format!("/setup?code={first}"), &[]).status(200).lacks("set-cookie");
    }
    submit(&first, "alice", "short").lacks("set-cookie");
    let done = submit(&first, "alice", PASSWORD);
    done.status(303);
    assert!(is_signed_in(&admin, &cookie(&done)));
    let file = fs::read_to_string(dir.join("gateway.toml")).expect("the file");
    assert!(
        file.contains("[admin.users.alice]") && file.contains("role = \"owner\"") && !file.contains(PASSWORD),
        "{file}"
    );
    submit(&first, "mallory", PASSWORD).lacks("set-cookie");

    // A lost password is reset in the same way, which ends the sessions of the old password.
    let reset = submit(&code(), "alice", "An0ther-password");
    reset.status(303);
    assert!(!is_signed_in(&admin, &cookie(&done)) && is_signed_in(&admin, &cookie(&reset)));
    assert!(!fs::read_to_string(dir.join("gateway.toml")).expect("the file").contains("mallory"));
}

#[test]
fn five_wrong_codes_end_a_setup_link() {
    let admin = Admin::start("");
    let link = run(admin.fixture.gateway.dir(), &["admin", "link"]);
    let code = link.stdout.trim().rsplit_once("code=").expect("a link").1.to_owned();
    for _ in 0..5 {
        let body = format!("code={}&{}", "A".repeat(43), credentials("mallory", PASSWORD));
        post(&admin, "/setup", &[], &body).lacks("set-cookie");
    }
    assert!(!admin.fixture.gateway.dir().join("state/admin/setup.json").exists(), "the link has ended");
    let body = format!("code={code}&{}", credentials("alice", PASSWORD));
    post(&admin, "/setup", &[], &body).lacks("set-cookie");
}

#[test]
fn hostile_names_stay_text_in_pages_and_lines() {
    let admin = Admin::start(&users());
    let name = "\"><script>alert(1)</script>\n{\"actor\":\"alice\"}";
    let page = post(&admin, "/sign-in", &[], &credentials(name, "wrong-password"));
    let html = String::from_utf8_lossy(page.status(403).body()).into_owned();
    assert!(!html.contains("<script>alert"), "{html}");
    let audit =
        fs::read_to_string(admin.fixture.gateway.dir().join("state/admin/audit.jsonl")).expect("the audit");
    let lines: Vec<serde_json::Value> =
        audit.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    let refused: Vec<_> = lines.iter().filter(|line| line["outcome"] == "refused").collect();
    assert_eq!(refused.len(), 1, "{audit}");
    assert_eq!((&refused[0]["event"], &refused[0]["via"]), (&"sign_in".into(), &"console".into()));
    assert!(
        refused[0]["actor"].as_str().expect("a name").contains("<script>"),
        "the name is there, escaped: {audit}"
    );
    assert!(!audit.contains("wrong-password"), "{audit}");
}
