//! Routes in shadow mode: a legacy API whose callers move to tokens one by one, and none of them has an
//! outage.

use crate::support::config::SECRET;
use crate::support::metrics::Scrape;
use crate::support::upstream::Recorded;
use crate::support::{Config, Fixture, Gateway, TOKEN, Upstream, form, get, post_form, raw, run, token_of};
use serde_json::{Value, json};
use std::thread;
use std::time::{Duration, Instant};

/// The header with which the gateway authenticates itself to the legacy API.
const KEY: &str = "x-api-key";

fn config(upstream: &Upstream, mode: &str) -> Config {
    Config::bare()
        .server("trusted_proxies = [\"127.0.0.1\"]\naccess_log = true\nrequest_id = false")
        .table("[metrics]\nlisten = \"http://127.0.0.1:0\"")
        .table(&format!(
            "[upstreams.legacy]\nservers = [\"http://{}\"]\ncredentials = {{ header = \"X-Api-Key\", value = \"legacy-key\" }}",
            upstream.address()
        ))
        .client("shop", SECRET, "scopes = [\"read\"]\ndefault_scopes = [\"read\"]")
        .client("stock", SECRET, "scopes = [\"read\", \"write\"]\ndefault_scopes = [\"read\"]")
        .client("report", SECRET, "scopes = [\"write\"]\ndefault_scopes = [\"write\"]")
        .route(&format!("prefix = \"/legacy\"\nscopes = [\"read\"]\nupstream = \"legacy\"\n{mode}"))
}

/// One of the callers of the legacy API.
struct Caller {
    name: &'static str,
    address: &'static str,
    /// Its own lines, such as a login of the legacy API.
    lines: Vec<String>,
    bearer: Option<String>,
}

impl Caller {
    fn new(name: &'static str, address: &'static str, lines: &[&str]) -> Self {
        Self { name, address, lines: lines.iter().map(|line| (*line).to_owned()).collect(), bearer: None }
    }

    /// Calls the API, and returns what reached it.
    #[track_caller]
    fn call(&self, gateway: &Gateway, upstream: &Upstream, at: &str) -> Recorded {
        let target = format!("/legacy/{}/{at}", self.name);
        let mut lines = vec![format!("X-Forwarded-For: {}", self.address)];
        match &self.bearer {
            Some(bearer) => lines.push(bearer.clone()),
            None => lines.extend(self.lines.clone()),
        }
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        raw(gateway.plain(), get(&target, &lines)).status(200).lacks("www-authenticate");
        upstream.only(&format!("GET {target} "))
    }

    fn get_token(&mut self, gateway: &Gateway, client: &str, secret: &str) {
        let body = format!(
            "client_id={}&client_secret={}&grant_type=client_credentials",
            form(client),
            form(secret)
        );
        let token = token_of(&raw(gateway.plain(), post_form(TOKEN, &[], body)));
        self.bearer = Some(format!("Authorization: Bearer {token}"));
    }
}

/// Returns what `tollgate shadow --json` prints, once `done` accepts it: the gateway saves every ten seconds.
#[track_caller]
fn learned(gateway: &Gateway, done: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let output = run(gateway.dir(), &["shadow", "--json"]);
        assert_eq!(output.code, Some(0), "{}", output.all());
        let document: Value = serde_json::from_str(&output.stdout).expect("JSON");
        if done(&document) {
            return document;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{document:#}\n{}", gateway.written());
        thread::sleep(Duration::from_millis(200));
    }
}

fn value<'a>(seen: &'a Recorded, name: &str) -> Vec<&'a str> {
    seen.all(name)
}

#[test]
fn five_callers_move_to_tokens_without_an_outage() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, "mode = \"shadow\""));
    gateway.wait_for("(shadow-mode)");
    let mut callers = [
        Caller::new("cron", "10.0.0.1", &["User-Agent: cron/1.0"]),
        Caller::new(
            "desk",
            "10.0.0.2",
            &["User-Agent: Desk Client/2", "Authorization: Basic bGVnYWN5OmxlZ2FjeQ=="],
        ),
        Caller::new("report", "10.0.0.3", &[]),
        Caller::new("shop", "10.0.0.4", &[]),
        Caller::new("stock", "10.0.0.5", &[]),
    ];
    for caller in &mut callers[2..] {
        caller.get_token(&gateway, caller.name, SECRET);
    }

    // In shadow mode, everybody gets through. Only tokens that would have passed have the credentials of the
    // upstream.
    let seen: Vec<Recorded> =
        callers.iter().map(|caller| caller.call(&gateway, &upstream, "shadow")).collect();
    let identities: Vec<_> = seen
        .iter()
        .map(|seen| {
            (
                value(seen, "x-client-id"),
                value(seen, "x-client-scope"),
                value(seen, KEY),
                value(seen, "authorization"),
            )
        })
        .collect();
    assert_eq!(
        identities,
        [
            (vec![], vec![], vec![], vec![]),
            (vec![], vec![], vec![], vec!["Basic bGVnYWN5OmxlZ2FjeQ=="]),
            (vec!["report"], vec!["write"], vec![], vec![]),
            (vec!["shop"], vec!["read"], vec!["legacy-key"], vec![]),
            (vec!["stock"], vec!["read"], vec!["legacy-key"], vec![]),
        ]
    );
    gateway.wait_for("\"shadow\":\"no_token\"");
    gateway.wait_for("\"client_id\":\"report\",\"status\":200,\"shadow\":\"insufficient_scope\"");
    let metrics = Scrape::of(&gateway);
    let refused = |reason| {
        metrics.value(&format!("tollgate_shadow_refusals_total{{route=\"/legacy/*\",reason=\"{reason}\"}}"))
    };
    assert_eq!(
        (refused("no_token"), refused("insufficient_scope"), refused("invalid_token")),
        (2.0, 1.0, 0.0)
    );
    assert_eq!(metrics.value("tollgate_shadow_routes"), 1.0);
    assert_eq!(metrics.value("tollgate_refusals_total{reason=\"no_token\"}"), 0.0);

    // The learned list names those who would be refused, and the changes that let them pass.
    let document = learned(&gateway, |document| {
        document["routes"][0]["callers"].as_array().is_some_and(|all| all.len() == 5)
    });
    let route = &document["routes"][0];
    assert_eq!((&route["passed"], &route["refused"], &route["ready"]), (&json!(2), &json!(3), &json!(0.4)));
    let waiting: Vec<&Value> = route["callers"]
        .as_array()
        .expect("callers")
        .iter()
        .filter(|caller| caller["would_pass"] == json!(false))
        .collect();
    let names: Vec<_> =
        waiting.iter().map(|caller| (&caller["client"], &caller["address"], &caller["user_agent"])).collect();
    assert_eq!(
        names,
        [
            (&json!("report"), &Value::Null, &Value::Null),
            (&Value::Null, &json!("10.0.0.1"), &json!("cron/1.0")),
            (&Value::Null, &json!("10.0.0.2"), &json!("Desk Client/2")),
        ]
    );

    // The configuration is changed as proposed, and then each caller is changed.
    let proposals = document["proposals"].as_array().expect("proposals");
    assert_eq!(proposals.len(), 3, "{proposals:#?}");
    for proposal in proposals {
        let arguments: Vec<&str> =
            proposal["command"].as_array().expect("a command").iter().filter_map(Value::as_str).collect();
        let added = arguments[1] == "add";
        let applied = gateway.times_written("reloaded");
        let arguments = if added { [&arguments[..], &["--json"]].concat() } else { arguments };
        let output = run(gateway.dir(), &arguments);
        assert_eq!(output.code, Some(0), "{arguments:?}: {}", output.all());
        gateway.wait_until_written("reloaded", applied);
        if !added {
            assert_eq!((&proposal["kind"], &proposal["client"]), (&json!("add_scopes"), &json!("report")));
            continue;
        }
        let credentials: Value = serde_json::from_str(&output.stdout).expect("JSON");
        let caller = callers.iter_mut().find(|caller| json!(caller.address) == proposal["address"]);
        let (id, secret) = (credentials["client_id"].as_str(), credentials["client_secret"].as_str());
        let body_of = |text: Option<&str>| text.expect("a text").to_owned();
        let (id, secret) = (body_of(id), body_of(secret));
        let caller = caller.expect("a known caller");
        caller.call(&gateway, &upstream, "before-its-token");
        let scope = "&scope=read";
        let body = format!(
            "client_id={}&client_secret={}&grant_type=client_credentials{scope}",
            form(&id),
            form(&secret)
        );
        let token = token_of(&raw(gateway.plain(), post_form(TOKEN, &[], body)));
        caller.bearer = Some(format!("Authorization: Bearer {token}"));
    }
    let body =
        format!("client_id=report&client_secret={}&grant_type=client_credentials&scope=read", form(SECRET));
    let token = token_of(&raw(gateway.plain(), post_form(TOKEN, &[], body)));
    callers[2].bearer = Some(format!("Authorization: Bearer {token}"));
    let ready: Vec<Recorded> =
        callers.iter().map(|caller| caller.call(&gateway, &upstream, "same")).collect();
    for seen in &ready {
        assert_eq!(value(seen, KEY), ["legacy-key"], "{}", seen.text());
    }
    learned(&gateway, |document| {
        let callers = document["routes"][0]["callers"].as_array().cloned().unwrap_or_default();
        callers.len() > 5 && callers.iter().all(|caller| caller["would_pass"] == json!(true))
    });

    // Enforced, the same requests reach the API, byte by byte.
    gateway.rewrite(|text| text.replace("mode = \"shadow\"", "mode = \"enforce\""));
    gateway.wait_for("leaves shadow mode");
    for (caller, before) in callers.iter().zip(&ready) {
        let target = format!("/legacy/{}/same", caller.name);
        let lines = [format!("X-Forwarded-For: {}", caller.address), caller.bearer.clone().expect("a token")];
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        raw(gateway.plain(), get(&target, &lines)).status(200);
        let both = upstream.requests(&format!("GET {target} "));
        assert_eq!(both.len(), 2);
        assert_eq!(both[1].text(), before.text());
    }
    raw(gateway.plain(), get("/legacy/cron/none", &[])).bearer_error(401, None);
    assert!(!upstream.saw("/legacy/cron/none"));
    assert_eq!(Scrape::of(&gateway).value("tollgate_shadow_routes"), 0.0);
}

#[test]
fn requests_with_bad_tokens_pass_without_identity_and_without_credentials() {
    let fixture = Fixture::start(|config| {
        config
            .route("path = \"/shadow\"\nmode = \"shadow\"\nscopes = [\"read\"]\nupstream = \"api\"")
            .route("path = \"/in-header\"\nmode = \"shadow\"\ntoken_header = \"X-Token\"\nscopes = [\"read\"]\nupstream = \"api\"")
            .route("path = \"/small\"\nmode = \"shadow\"\nmax_body_size = \"3B\"\nupstream = \"api\"")
    });
    let unknown = format!("Authorization: Bearer {}", fixture.token("brief", "read").replace("tg_", "tg_x"));
    let lacking = fixture.bearer("server", "write");
    let good = fixture.bearer("server", "read");
    let forged = ["X-Client-Id: admin", "x_client_scope: read", "X.Client.Id: admin"];
    for (name, line, id) in [
        ("none", "Accept: */*", None),
        ("unknown", &*unknown, None),
        ("basic", "Authorization: Basic YTpi", None),
        ("malformed", "Authorization: Bearer a b", None),
        ("dpop", "Authorization: DPoP abc", None),
        ("lacking", &lacking, Some("server")),
        ("good", &good, Some("server")),
    ] {
        let target = format!("/shadow?{name}");
        fixture.raw(get(&target, &[&[line], &forged[..]].concat())).status(200);
        let seen = fixture.upstream.only(&format!("GET {target} "));
        assert_eq!(seen.all("x-client-id").first().copied(), id, "{name}\n{}", seen.text());
        assert!(!seen.text().contains("admin"), "{}", seen.text());
        let legacy = matches!(name, "basic" | "malformed" | "dpop");
        assert_eq!(seen.all("authorization").len(), usize::from(legacy), "{name}\n{}", seen.text());
        assert!(!seen.text().contains("tg_"), "{name}\n{}", seen.text());
    }
    // Two tokens are malformed, and neither reaches the API.
    fixture.raw(get("/shadow?two", &[&good, &lacking])).status(200);
    assert!(fixture.upstream.only("GET /shadow?two ").all("authorization").is_empty());
    // A header that is not the gateway's goes on, and a token in it does not.
    let token = good.trim_start_matches("Authorization: Bearer ");
    for (name, sent, passed) in [("own", "theirs", 1), ("ours", token, 0)] {
        let target = format!("/in-header?{name}");
        fixture.raw(get(&target, &[&format!("X-Token: {sent}")])).status(200);
        assert_eq!(fixture.upstream.only(&format!("GET {target} ")).all("x-token").len(), passed, "{name}");
    }
    // Everything but the token is enforced.
    fixture.raw("POST /small HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nabcd").status(413);
    fixture.raw(get("/shadow/../shadow%2Fx", &[])).status(400);
    fixture.raw(get("/hello", &[])).bearer_error(401, None);
}

#[test]
fn explain_and_check_say_what_shadow_mode_means() {
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, "mode = \"shadow\""));
    let explained = run(gateway.dir(), &["explain", "GET", "/legacy/x"]);
    assert_eq!(explained.code, Some(0), "{}", explained.all());
    assert!(
        explained.stdout.contains("passes (shadow); enforced: 401: the route needs a token"),
        "{}",
        explained.stdout
    );
    let explained = run(gateway.dir(), &["explain", "GET", "/legacy/x", "--client", "report"]);
    assert!(
        explained.stdout.contains("passes (shadow); enforced: 403 insufficient_scope"),
        "{}",
        explained.stdout
    );
    let explained = run(gateway.dir(), &["explain", "GET", "/legacy/x", "--client", "shop"]);
    assert!(!explained.stdout.contains("passes (shadow)"), "{}", explained.stdout);
    let checked = run(gateway.dir(), &["check"]);
    let warned = "forwarded, without X-Client-Id and without the credentials of the upstream";
    assert!(
        checked.stderr.contains(warned) && checked.stderr.contains("upstream legacy go only"),
        "{}",
        checked.all()
    );
    let shown = run(gateway.dir(), &["shadow"]);
    assert!(shown.stdout.contains("/legacy/* (") && shown.stdout.contains("no requests"), "{}", shown.all());
}
