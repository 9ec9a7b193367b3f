//! The verdicts, as the gateway would give them.

use std::path::Path;

use super::*;
use crate::access::explain::{Credential, Verdict};
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
[[routes]]
prefix = "/v3/{tenant}/x"
access = "public"
allow_encoded_slash = true
strip_prefix = "/v3/{tenant}"
upstream = "api"
"#;

fn config() -> Config {
    let text = TEXT.replace(
        "HASH",
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w",
    );
    Config::parse(&text, Path::new("gateway.toml"), Path::new("."), &|_| None).unwrap()
}

fn client(config: &Config, id: &str) -> Credential {
    Credential::Client {
        id: id.to_owned(),
        scopes: config.client(id).unwrap().scopes.clone(),
        audience: None,
    }
}

fn sample(method: &str, url: &str, credential: Credential) -> SampleRequest {
    SampleRequest {
        method: method.parse().unwrap(),
        target: Target::parse(url).unwrap(),
        credential,
        from: None,
        origin: None,
        request_method: None,
        body: 0,
    }
}

#[test]
fn verdicts() {
    let config = config();
    let scopes = |text| Credential::Scopes { scopes: Scopes::parse(text).unwrap(), audience: None };
    let pass = |path: &str| Verdict::Passes { upstream: "api".to_owned(), path: path.to_owned() };
    let of = |status: u16, error: Option<&'static str>| (status, error);
    type Wanted = Result<Verdict, (u16, Option<&'static str>)>;
    let table: Vec<(&str, &str, Credential, Wanted)> = vec![
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
        ("TRACE", "/open", Credential::None, Err(of(405, None))),
        ("GET", "/v1/ordersX", scopes("read"), Err(of(404, None))),
        ("GET", "/open/x", Credential::None, Ok(pass("/open/x"))),
        ("GET", "/open", client(&config, "off"), Ok(pass("/open"))),
        ("GET", "/hello", Credential::None, Err(of(401, None))),
        ("GET", "/hello", client(&config, "off"), Err(of(401, Some("invalid_token")))),
        ("GET", "/hello", client(&config, "nocap"), Err(of(401, Some("invalid_token")))),
        ("GET", "/hello", Credential::Invalid("dead"), Err(of(401, Some("invalid_token")))),
        ("GET", "/v3/acme/x/1", Credential::None, Ok(pass("/x/1"))),
        ("GET", "/v3%2Facme/x", Credential::None, Err(of(400, None))),
        ("GET", "/open/../hello", scopes("read"), Err(of(400, None))),
        ("GET", "/open/a%2Fb", scopes("read"), Err(of(400, None))),
        ("GET", "/open;x", scopes("read"), Err(of(400, None))),
        ("GET", "https://a,b/hello", scopes("read"), Err(of(400, None))),
        ("POST", "/oauth/v2/oauth-token", Credential::None, Ok(Verdict::Endpoint("the token endpoint"))),
    ];
    for (method, url, credential, wanted) in table {
        let shown = format!("{credential:?}");
        let request = sample(method, url, credential);
        let report = report(&config, &request).unwrap_or_else(|failure| panic!("{}", failure.text));
        let seen = match report.explanation.verdict.clone() {
            Verdict::Refused { status, error, .. } => Err((status, error)),
            good => Ok(good),
        };
        assert_eq!(seen, wanted, "{method} {url} {shown}\n{}", super::report::text(&report));
    }
}

#[test]
fn the_report_says_what_decided() {
    let config = config();
    let request = sample("GET", "/v1/orders/%37", client(&config, "both"));
    let Ok(report) = report(&config, &request) else { panic!("no report") };
    assert_eq!(
        super::report::text(&report),
        "request         GET /v1/orders/%37\n\
         canonical path  /v1/orders/7\n\
         route           prefix = \"/v1/orders\" (gateway.toml:33)\n\
         needs           scopes read and write\n\
         held            read write (client \"both\", all it may ask for)\n\
         terms           a body of at most 10MiB\n\
         verdict         passes to upstream api (http://127.0.0.1:9000) as /orders/7\n                \
         (with a token that was asked for with scope read write)\n"
    );
    let json: serde_json::Value = serde_json::from_str(&super::report::json(&report)).unwrap();
    assert_eq!(json["verdict"]["passes"], true);
    assert_eq!(json["route"]["prefix"], "/v1/orders");
    assert_eq!(json["held"], serde_json::json!(["read", "write"]));
}
