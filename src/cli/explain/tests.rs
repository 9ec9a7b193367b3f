//! The verdicts, as the gateway would give them.

use std::path::Path;

use super::holder::Holder;
use super::target::Target;
use super::*;
use crate::config::Config;
use crate::oauth::scope::Scopes;

const TEXT: &str = r#"
[scopes]
read = "R"
write = "W"
[clients.both]
secret = "HASH"
capabilities = ["client_credentials"]
scopes = ["read", "write"]
[clients.reader]
secret = "HASH"
capabilities = ["client_credentials"]
scopes = ["read"]
default_scopes = ["read"]
[clients.off]
secret = "HASH"
capabilities = ["client_credentials"]
scopes = ["read"]
enabled = false
[clients.nocap]
secret = "HASH"
scopes = ["read"]
[upstreams.api]
servers = ["http://127.0.0.1:9000"]
[[routes]]
path = "/hello"
scopes = ["read"]
upstream = "api"
[[routes]]
path = "/hello"
host = "api.example.com"
any_scope = ["write"]
upstream = "api"
[[routes]]
prefix = "/v1/orders"
methods = ["GET"]
scopes = ["read", "write"]
strip_prefix = "/v1"
upstream = "api"
[[routes]]
prefix = "/open"
access = "public"
upstream = "api"
"#;

fn config() -> Config {
    let text = TEXT.replace(
        "HASH",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w",
    );
    Config::parse(&text, Path::new("gateway.toml"), Path::new("."), &|_| None).unwrap()
}

fn client(config: &Config, id: &str) -> Holder {
    Holder::Client { id: id.to_owned(), held: config.client(id).unwrap().scopes.clone(), audience: None }
}

fn asking(method: &str, url: &str, holder: Holder) -> Asking {
    Asking {
        method: method.parse().unwrap(),
        target: Target::parse(url).unwrap(),
        holder,
        from: None,
        origin: None,
        request_method: None,
        body: 0,
    }
}

#[test]
fn verdicts() {
    let config = config();
    let scopes = |text| Holder::Scopes { held: Scopes::parse(text).unwrap(), audience: None };
    let pass = |path: &str| Verdict::Passes { upstream: "api".to_owned(), path: path.to_owned() };
    let of = |status: u16, error: Option<&'static str>| (status, error);
    type Wanted = Result<Verdict, (u16, Option<&'static str>)>;
    let table: Vec<(&str, &str, Holder, Wanted)> = vec![
        ("GET", "/hello", client(&config, "reader"), Ok(pass("/hello"))),
        ("DELETE", "https://localhost:8443/%68ello?x=1", scopes("read"), Ok(pass("/hello"))),
        (
            "GET",
            "https://API.example.com./hello",
            client(&config, "reader"),
            Err(of(403, Some("insufficient_scope"))),
        ),
        ("GET", "https://api.example.com:8443/hello", client(&config, "both"), Ok(pass("/hello"))),
        ("GET", "/v1/orders/7", scopes("write read"), Ok(pass("/orders/7"))),
        ("GET", "/v1/orders/7", scopes("write"), Err(of(403, Some("insufficient_scope")))),
        ("HEAD", "/v1/orders", scopes("write read"), Err(of(405, None))),
        ("TRACE", "/open", Holder::Nobody, Err(of(405, None))),
        ("GET", "/v1/ordersX", scopes("read"), Err(of(404, None))),
        ("GET", "/open/x", Holder::Nobody, Ok(pass("/open/x"))),
        ("GET", "/open", client(&config, "off"), Ok(pass("/open"))),
        ("GET", "/hello", Holder::Nobody, Err(of(401, None))),
        ("GET", "/hello", client(&config, "off"), Err(of(401, Some("invalid_token")))),
        ("GET", "/hello", client(&config, "nocap"), Err(of(401, Some("invalid_token")))),
        ("GET", "/hello", Holder::DeadToken("dead"), Err(of(401, Some("invalid_token")))),
        ("GET", "/open/../hello", scopes("read"), Err(of(400, None))),
        ("GET", "/open/a%2Fb", scopes("read"), Err(of(400, None))),
        ("GET", "/open;x", scopes("read"), Err(of(400, None))),
        ("GET", "https://a,b/hello", scopes("read"), Err(of(400, None))),
        ("POST", "/oauth/v2/oauth-token", Holder::Nobody, Ok(Verdict::Endpoint("the token endpoint"))),
    ];
    for (method, url, holder, wanted) in table {
        let shown = format!("{holder:?}");
        let asking = asking(method, url, holder);
        let report = judge(&config, &asking).unwrap_or_else(|failure| panic!("{}", failure.text));
        let verdict = report.verdict.clone().unwrap();
        let seen = match verdict {
            Verdict::Refused { status, error, .. } => Err((status, error)),
            good => Ok(good),
        };
        assert_eq!(seen, wanted, "{method} {url} {shown}\n{}", report.text());
    }
}

#[test]
fn the_report_says_what_decided() {
    let config = config();
    let asking = asking("GET", "/v1/orders/%37", client(&config, "both"));
    let Ok(report) = judge(&config, &asking) else { panic!("no report") };
    assert_eq!(
        report.text(),
        "request         GET /v1/orders/%37\n\
         canonical path  /v1/orders/7\n\
         route           prefix = \"/v1/orders\" (gateway.toml:33)\n\
         needs           scopes read and write\n\
         held            read write (client \"both\", all it may ask for)\n\
         terms           a body of at most 10MiB\n\
         verdict         passes to upstream api (http://127.0.0.1:9000) as /orders/7\n                \
         (with a token that was asked for with scope read write)\n"
    );
    let json: serde_json::Value = serde_json::from_str(&report.json()).unwrap();
    assert_eq!(json["verdict"]["passes"], true);
    assert_eq!(json["route"]["prefix"], "/v1/orders");
    assert_eq!(json["held"], serde_json::json!(["read", "write"]));
}
