//! `tollgate explain` and the gateway agree on the outcome of every request.

use crate::support::certificates::self_signed;
use crate::support::config::SECRET;
use crate::support::jose::SigningKey;
use crate::support::tls::Identity;
use crate::support::{Conn, Fixture, TOKEN, TestResponse, credentials, form, post_form, run, token_of};
use serde_json::Value;

const TOKEN_URL: &str = "https://localhost/oauth/v2/oauth-token";

/// One request, for the gateway and for `explain`.
#[derive(Clone, Default)]
struct Row {
    method: &'static str,
    host: Option<&'static str>,
    path: &'static str,
    client: Option<&'static str>,
    /// The scope of the token; `None` for all that the client may have.
    scope: Option<&'static str>,
    /// The scope of the token request. `explain` assumes the best case unless `options` says otherwise.
    resource: Option<&'static str>,
    fields: &'static [&'static str],
    body: usize,
    /// Further arguments for `explain`.
    options: &'static [&'static str],
}

fn row(method: &'static str, path: &'static str, client: &'static str) -> Row {
    Row { method, path, client: (!client.is_empty()).then_some(client), ..Row::default() }
}

/// An outcome that both can express: a status and an error code, or the path that reaches the upstream.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Passes(String),
    Refused(u64, Option<String>),
    Preflight(bool),
    Endpoint,
}

struct Setting {
    fixture: Fixture,
    key: SigningKey,
    identity: Identity,
}

impl Setting {
    fn start() -> Self {
        let fixture = Fixture::start(|config| {
            config
                .listen("https://127.0.0.1:0")
                .client("key", SECRET, "scopes = [\"read\"]\ndpop_bound_tokens = true")
                .client("certificate", SECRET, "scopes = [\"read\"]\ncertificate_bound_tokens = true")
                .client("reseller", SECRET, "scopes = [\"read\"]\naudiences = [\"https://a.example\", \"https://b.example\"]")
                .client("slow", SECRET, "scopes = [\"read\"]\nrate_limit = \"1000/h\"")
                .route("path = \"/for-a\"\nscopes = [\"read\"]\naudience = \"https://a.example\"\nupstream = \"api\"")
                .route("path = \"/near\"\nallow = [\"127.0.0.0/8\"]\nrate_limit = \"1000/m\"\nupstream = \"api\"")
                .route("path = \"/far\"\ndeny = [\"127.0.0.0/8\"]\ncors = { origins = [\"*\"] }\nupstream = \"api\"")
                .route("path = \"/other-net\"\nallow = [\"192.0.2.0/24\"]\nupstream = \"api\"")
                .route("path = \"/small\"\nmax_body_size = \"10B\"\nmax_in_flight = 9\nscopes = [\"read\"]\nupstream = \"api\"")
                .route("path = \"/page\"\nmethods = [\"GET\", \"PUT\"]\nscopes = [\"read\"]\nupstream = \"api\"\ncors = { origins = [\"https://app.example\"] }")
        });
        Self { fixture, key: SigningKey::new(), identity: self_signed("client.example.test") }
    }

    fn connect(&self) -> Conn {
        Conn::tls_as(self.fixture.gateway.tls(), Some(&self.identity))
    }

    /// Returns a token for the row's client, or `None` if the client gets none.
    fn token(&self, row: &Row, client: &str) -> Option<String> {
        let mut body = format!("{}&grant_type=client_credentials", credentials(client));
        let all = match client {
            "server" => "read write",
            "administrator" => "admin read write",
            "unscoped" => "",
            _ => "read",
        };
        for (name, value) in [("scope", row.scope.unwrap_or(all)), ("resource", row.resource.unwrap_or(""))] {
            if !value.is_empty() {
                body += &format!("&{name}={}", form(value));
            }
        }
        let proof = self.key.dpop("POST", TOKEN_URL, None);
        let fields: &[&str] = if client == "key" { &[&proof] } else { &[] };
        let answer = self.connect().request(post_form(TOKEN, fields, body));
        (answer.code() == 200).then(|| token_of(&answer))
    }

    /// Returns what the gateway does.
    fn happens(&self, row: &Row, marker: &str) -> Verdict {
        let mut fields: Vec<String> = row.fields.iter().map(|&field| field.to_owned()).collect();
        if let Some(client) = row.client {
            // A client without a token sends an unknown one.
            let token = self.token(row, client).unwrap_or_else(|| format!("tg_{}", "A".repeat(49)));
            let scheme = if client == "key" { "DPoP" } else { "Bearer" };
            fields.push(format!("Authorization: {scheme} {token}"));
            if client == "key" {
                let uri = format!("https://localhost{}", row.path);
                fields.push(self.key.dpop(row.method, &uri, Some(&token)));
            }
        }
        if row.body > 0 {
            fields.push(format!("Content-Length: {}", row.body));
        }
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        let (method, path, host) = (row.method, row.path, row.host.unwrap_or("localhost"));
        let head = format!("{method} {path}?m={marker} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n");
        let mut conn = self.connect();
        conn.send(head + &"x".repeat(row.body));
        let answer = if method == "HEAD" { conn.read_head_only() } else { conn.read() };
        let reached = self.fixture.upstream.requests(&format!("m={marker} "));
        match &reached[..] {
            [request] => {
                answer.status(200);
                Verdict::Passes(request.target().split('?').next().unwrap_or("").to_owned())
            }
            [] if row.path.starts_with("/oauth/") || row.path.starts_with("/.well-known/") => {
                Verdict::Endpoint
            }
            [] if answer.code() == 204 => {
                Verdict::Preflight(!answer.all("access-control-allow-origin").is_empty())
            }
            [] => Verdict::Refused(answer.code().into(), error(&answer)),
            more => panic!("{} requests at the upstream", more.len()),
        }
    }

    /// Returns what `explain` predicts.
    fn explained(&self, row: &Row) -> (Verdict, String) {
        let url = match row.host {
            None => row.path.to_owned(),
            Some(host) => format!("https://{host}{}", row.path),
        };
        let body = format!("{}B", row.body);
        let mut arguments = vec!["explain", row.method, &url, "--from", "127.0.0.1", "--body", &body];
        for (name, value) in [("--client", row.client), ("--scope", row.scope)] {
            arguments.extend(value.into_iter().flat_map(|value| [name, value]));
        }
        arguments.extend(row.options);
        let output = run(self.fixture.gateway.dir(), &[&arguments[..], &["--json"]].concat());
        let json: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e}: {output:?}"));
        let verdict = &json["verdict"];
        let refused = match verdict["preflight"]["allowed"].as_bool() {
            Some(allowed) => !allowed,
            None => verdict["status"].is_u64(),
        };
        assert_eq!(output.code, Some(if refused { 3 } else { 0 }), "{arguments:?} {output:?}");
        let verdict = if verdict["passes"] == true {
            Verdict::Passes(verdict["path"].as_str().expect("a path").to_owned())
        } else if let Some(allowed) = verdict["preflight"]["allowed"].as_bool() {
            Verdict::Preflight(allowed)
        } else if verdict["endpoint"].is_string() {
            Verdict::Endpoint
        } else {
            let error = verdict["error"].as_str().map(str::to_owned);
            Verdict::Refused(verdict["status"].as_u64().expect("a status"), error)
        };
        (verdict, format!("{arguments:?}\n{}", run(self.fixture.gateway.dir(), &arguments).all()))
    }
}

/// Returns the error code of a challenge.
fn error(answer: &TestResponse) -> Option<String> {
    let challenges = answer.all("www-authenticate");
    let (_, rest) = challenges.first()?.split_once("error=\"")?;
    Some(rest.split('"').next()?.to_owned())
}

fn table() -> Vec<Row> {
    let scoped = |path, client, scope| Row { scope: Some(scope), ..row("GET", path, client) };
    let on = |host, path, client| Row { host: Some(host), ..row("GET", path, client) };
    let for_a = |client, resource, options| Row { resource, options, ..row("GET", "/for-a", client) };
    let with_body = |path, client, body| Row { body, ..row("POST", path, client) };
    let page = |method, path, client, fields, options| Row { fields, options, ..row(method, path, client) };
    const PAGE: &str = "Origin: https://app.example";
    const STRANGER: &str = "Origin: https://evil.example";
    const PUT: &str = "Access-Control-Request-Method: PUT";
    const DELETE: &str = "Access-Control-Request-Method: DELETE";
    vec![
        // Tokens and scopes.
        row("GET", "/hello", "server"),
        row("GET", "/hello", ""),
        row("GET", "/hello", "disabled"),
        row("GET", "/hello", "nocap"),
        row("GET", "/hello", "unscoped"),
        row("GET", "/authenticated", "unscoped"),
        row("GET", "/write", "other"),
        row("GET", "/both", "server"),
        scoped("/both", "server", "write"),
        scoped("/any", "server", "write"),
        row("GET", "/any", "other"),
        row("DELETE", "/public/x", ""),
        row("GET", "/public", "disabled"),
        row("GET", "/keep", "server"),
        row("GET", "/hello", "slow"),
        // Route selection.
        row("GET", "/users/me", "server"),
        row("GET", "/users/you", "server"),
        on("api.example.test", "/hello", "server"),
        on("API.example.test.:443", "/hello", "administrator"),
        on("localhost", "/hello", "server"),
        row("GET", "/v1/orders/7", "server"),
        row("GET", "/v1/orders", "server"),
        row("GET", "/v1/ordersX", "server"),
        row("GET", "/nowhere", "server"),
        row("POST", "/get-only", "server"),
        row("HEAD", "/get-only", "server"),
        row("TRACE", "/hello", "server"),
        // Paths.
        row("GET", "/%68ello", "server"),
        row("GET", "/api/../hello", "server"),
        row("GET", "/api//x", "server"),
        row("GET", "/api/a%2Fb", "server"),
        row("GET", "/slash/a%2fb", "server"),
        row("GET", "/api/a;b", "server"),
        row("GET", "/semi/a;b", "server"),
        row("GET", "/oauth/v2/oauth-token", ""),
        row("GET", "/.well-known/oauth-authorization-server", ""),
        // Audiences.
        for_a("reseller", Some("https://a.example"), &[]),
        for_a("reseller", Some("https://b.example"), &["--audience", "https://b.example"]),
        for_a("server", None, &[]),
        Row {
            resource: Some("https://b.example"),
            options: &["--audience", "https://b.example"],
            ..row("GET", "/hello", "reseller")
        },
        // Bound tokens.
        row("GET", "/hello", "key"),
        row("GET", "/write", "key"),
        row("GET", "/hello", "certificate"),
        row("GET", "/for-a", "certificate"),
        // Addresses and bodies.
        row("GET", "/near", "server"),
        row("GET", "/near", ""),
        row("GET", "/far", "server"),
        row("GET", "/far", ""),
        row("GET", "/other-net", "server"),
        with_body("/small", "server", 10),
        with_body("/small", "server", 11),
        with_body("/small", "", 11),
        with_body("/small", "unscoped", 11),
        // CORS.
        page("GET", "/page", "server", &[PAGE], &["--origin", "https://app.example"]),
        page(
            "OPTIONS",
            "/page",
            "",
            &[PAGE, PUT],
            &["--origin", "https://app.example", "--request-method", "PUT"],
        ),
        page(
            "OPTIONS",
            "/page",
            "",
            &[STRANGER, PUT],
            &["--origin", "https://evil.example", "--request-method", "PUT"],
        ),
        page(
            "OPTIONS",
            "/page",
            "",
            &[PAGE, DELETE],
            &["--origin", "https://app.example", "--request-method", "DELETE"],
        ),
        page("OPTIONS", "/page", "", &[PAGE], &["--origin", "https://app.example"]),
        page(
            "OPTIONS",
            "/far",
            "",
            &[PAGE, PUT],
            &["--origin", "https://app.example", "--request-method", "PUT"],
        ),
        page(
            "OPTIONS",
            "/hello",
            "",
            &[PAGE, PUT],
            &["--origin", "https://app.example", "--request-method", "PUT"],
        ),
    ]
}

#[test]
fn explain_and_the_gateway_agree() {
    let setting = Setting::start();
    let mut seen: Vec<Verdict> = Vec::new();
    for (number, row) in table().iter().enumerate() {
        let happens = setting.happens(row, &format!("row-{number}"));
        let (explained, shown) = setting.explained(row);
        assert_eq!(explained, happens, "explained, and what happens: {shown}");
        seen.push(happens);
    }
    // The table must cover many reasons, not one reason many times.
    let has =
        |status: u64, error: Option<&str>| seen.contains(&Verdict::Refused(status, error.map(str::to_owned)));
    for (status, error) in [(400, None), (401, None), (401, Some("invalid_token")), (403, None)] {
        assert!(has(status, error), "{status} {error:?}");
    }
    assert!(has(403, Some("insufficient_scope")) && has(404, None) && has(405, None) && has(413, None));
    assert!(seen.contains(&Verdict::Preflight(true)) && seen.contains(&Verdict::Preflight(false)));
}

#[test]
fn routes_and_the_gateway_agree() {
    let setting = Setting::start();
    let dir = setting.fixture.gateway.dir();
    let output = run(dir, &["routes", "--json"]);
    let routes: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|e| panic!("{e} {output:?}"));
    let of = |path: &str| {
        let mut routes = routes.as_array().expect("a list").iter();
        routes.find(|route| route["path"] == path && route["host"].is_null()).expect("the route")
    };
    for path in ["/hello", "/write", "/both", "/any", "/authenticated", "/for-a", "/small", "/page"] {
        for client in ["server", "other", "unscoped", "disabled", "nocap", "key", "certificate", "reseller"] {
            let access = &of(path)["clients"][client];
            let resource = (path == "/for-a" && client == "reseller").then_some("https://a.example");
            let row = Row { resource, ..row("GET", path, client) };
            let happens = setting.happens(&row, &format!("{client}-{}", &path[1..]));
            let passes = matches!(happens, Verdict::Passes(_));
            assert_eq!(access["allowed"], passes, "{client} {path}: {access} but {happens:?}");
        }
    }
    assert_eq!(of("/hello")["clients"]["key"]["sender_constraint"], serde_json::json!(["dpop"]));
    assert_eq!(of("/for-a")["clients"]["server"]["reason"], "audience");
    assert_eq!(of("/hello")["clients"]["slow"]["rate_limit"], "1000/h");
    assert_eq!(of("/near")["allow"], serde_json::json!(["127.0.0.0/8"]));
    assert_eq!((&of("/small")["max_in_flight"], &of("/small")["max_body_size"]), (&9.into(), &10.into()));
    assert_eq!(of("/page")["cors_origins"], serde_json::json!(["https://app.example"]));

    let text = run(dir, &["routes"]).stdout;
    for part in [
        "  yes  key (with DPoP proof)",
        "  yes  certificate (with client certificate)",
        "  no   server (not for https://a.example)",
        "  terms only from 127.0.0.0/8",
        "  terms 1000/m",
        "  terms 9 at once",
        "  terms pages of any origin",
        "  terms the upstream sees the token",
    ] {
        assert!(text.contains(part), "{part:?} is not in\n{text}");
    }
    let explain = |arguments: &[&str]| run(dir, &[&["explain", "GET"], arguments].concat()).all();
    let output = explain(&["/small", "--client", "slow"]);
    assert!(output.contains("9 at once; client \"slow\": 1000/h; a body of at most 10B"), "{output}");
    let output = explain(&["/near", "--client", "key"]);
    assert!(output.contains("not applied (--from ADDRESS)") && output.contains("DPoP proof"), "{output}");
    let output = explain(&["http://localhost/hello", "--client", "certificate"]);
    assert!(output.contains("401 invalid_token") && output.contains("without TLS"), "{output}");
    let output = explain(&["/for-a", "--client", "reseller", "--audience", "https://c.example"]);
    assert!(output.contains("invalid_target"), "{output}");
    let for_b = ["--client", "reseller", "--audience", "https://b.example"];
    for (path, why) in [
        (
            "/for-a",
            "needs a token for \"https://a.example\" (RFC 8707), and this one is for \"https://b.example\"",
        ),
        ("/hello", "names no `audience`; `restricted_tokens = \"any_route\"` in [token_service] would"),
    ] {
        let output = explain(&[&[path][..], &for_b].concat());
        assert!(output.contains("401 invalid_token") && output.contains(why), "{output}");
    }
    let output = explain(&["/for-a", "--client", "reseller"]);
    assert!(output.contains("asked for with scope read and resource https://a.example"), "{output}");
}

#[test]
fn explain_checks_what_a_live_token_is_bound_to() {
    let setting = Setting::start();
    let gateway = format!("https://{}", setting.fixture.gateway.tls());
    let explain_token = |row: Row| {
        let token = setting.token(&row, row.client.expect("a client")).expect("a token");
        let asker = ["--client", "introspector", "--secret", SECRET, "-k", "--gateway", &*gateway, "--json"];
        let arguments = [&["explain", "GET", row.path, "--token", &*token][..], &asker].concat();
        let output = run(setting.fixture.gateway.dir(), &arguments);
        serde_json::from_str::<Value>(&output.stdout).unwrap_or_else(|e| panic!("{e} {output:?}"))
    };
    let for_b =
        explain_token(Row { resource: Some("https://b.example"), ..row("GET", "/for-a", "reseller") });
    assert_eq!(for_b["verdict"]["error"], "invalid_token", "{for_b}");
    assert_eq!(for_b["audience"], "https://b.example");
    let for_a =
        explain_token(Row { resource: Some("https://a.example"), ..row("GET", "/for-a", "reseller") });
    assert_eq!(for_a["verdict"]["passes"], true, "{for_a}");
    assert_eq!(explain_token(row("GET", "/hello", "key"))["sender_constraint"], serde_json::json!(["dpop"]));
    let bound = explain_token(row("GET", "/hello", "certificate"));
    assert_eq!(bound["sender_constraint"], serde_json::json!(["certificate"]), "{bound}");
}
