//! The table of requests with the outcome that each must have at every mount.

use serde_json::json;

use crate::mount::{Outcome, Seen};
use crate::support::tls::Identity;
use crate::tokens::{Holders, Tokens};

const RESOURCE: &str = "resource_metadata=\"https://api.example.com/.well-known/oauth-protected-resource\"";
const ALGORITHMS: &str = "algs=\"ES256 EdDSA Ed25519 RS256 PS256\"";
const UNKNOWN: &str =
    "the access token is expired, revoked or unknown: get a new token from the token endpoint and try again";
const SYNTAX: &str = "after the scheme come a space and one token, nothing else";
const TWICE: &str = "more than one Authorization header";
const CERTIFICATE: &str = "the access token is bound to the client certificate it was issued over: use it on a connection with that certificate";
const AS_BEARER: &str = "the access token is bound to a key: send it under the DPoP scheme, with a proof";
const AS_KEY: &str = "the access token is not bound to a key: send it under the Bearer scheme";
const RESOURCES: &str = "the access token is for another resource: get a new token for this one";
const SCOPE: &str = "the access token lacks a scope this resource needs";

type Headers = Vec<(&'static str, String)>;

/// A request and its expected outcome. The headers are made for each request, because a proof is valid once.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) query: fn(&Tokens<'_>) -> String,
    pub(crate) headers: fn(&Tokens<'_>) -> Headers,
    pub(crate) certificate: fn(&Holders) -> Option<&Identity>,
    pub(crate) expected: Outcome,
}

impl Row {
    fn over(self, certificate: fn(&Holders) -> Option<&Identity>) -> Self {
        Self { certificate, ..self }
    }
}

fn row(
    name: &'static str,
    path: &'static str,
    headers: fn(&Tokens<'_>) -> Headers,
    expected: Outcome,
) -> Row {
    Row { name, path, query: |_| String::new(), headers, certificate: |_| None, expected }
}

fn passed(client: &str, scopes: &str) -> Outcome {
    passed_with(client, scopes, "")
}

fn passed_with(client: &str, scopes: &str, authorization: &str) -> Outcome {
    let [client, scopes, authorization] = [client, scopes, authorization].map(str::to_owned);
    let saw = Some(Seen { client, scopes, authorization });
    Outcome { status: 200, challenges: Vec::new(), refusal: None, saw }
}

fn refused(status: u16, code: &str, why: &str, challenges: Vec<String>) -> Outcome {
    let body = json!({ "error": code, "error_description": why });
    Outcome { status, challenges, refusal: Some(("application/json".to_owned(), body)), saw: None }
}

fn missing() -> Outcome {
    let detail = "this resource needs an access token: get one from the token endpoint and send it as \
                  \"Authorization: Bearer <token>\"";
    let body = json!({ "title": "Unauthorized", "status": 401, "detail": detail });
    let challenges = vec![format!("Bearer realm=\"tollgate\", {RESOURCE}")];
    Outcome {
        status: 401,
        challenges,
        refusal: Some(("application/problem+json".to_owned(), body)),
        saw: None,
    }
}

fn parameters(code: &str, why: &str, scope: &str) -> String {
    format!("realm=\"tollgate\", error=\"{code}\", error_description=\"{why}\"{scope}, {RESOURCE}")
}

fn bearer(status: u16, code: &str, why: &str) -> Outcome {
    refused(status, code, why, vec![format!("Bearer {}", parameters(code, why, ""))])
}

fn dpop(code: &str, why: &str) -> Outcome {
    refused(401, code, why, vec![format!("DPoP {}, {ALGORITHMS}", parameters(code, why, ""))])
}

fn invalid() -> Outcome {
    bearer(401, "invalid_token", UNKNOWN)
}

fn malformed(why: &str) -> Outcome {
    bearer(400, "invalid_request", why)
}

fn lacking(scopes: &str) -> Outcome {
    let code = "insufficient_scope";
    let challenge = format!("Bearer {}", parameters(code, SCOPE, &format!(", scope=\"{scopes}\"")));
    refused(403, code, SCOPE, vec![challenge])
}

fn authorization(value: impl Into<String>) -> Headers {
    vec![("Authorization", value.into())]
}

fn token(token: &str) -> Headers {
    authorization(format!("Bearer {token}"))
}

/// Returns the rows that have the same outcome at every mount.
pub(crate) fn all() -> Vec<Row> {
    [credentials(), lifetimes(), requirements(), identities(), bound()].into_iter().flatten().collect()
}

/// Returns the rows of `/own`, where a program demands more than scopes. A gateway.toml cannot express this.
pub(crate) fn plugins() -> Vec<Row> {
    let theirs = |t: &Tokens<'_>| [token(&t.read), vec![("X-Mine", "1".to_owned())]].concat();
    vec![
        row("its own condition met", "/own", theirs, passed("server", "read")),
        row(
            "its own condition not met",
            "/own",
            |t| token(&t.read),
            bearer(403, "insufficient_scope", "this belongs to another client"),
        ),
        row("its own condition, and no token", "/own", |_| vec![("X-Mine", "1".to_owned())], missing()),
        row("its own condition, and a bad token", "/own", |t| token(&t.expired), invalid()),
    ]
}

fn credentials() -> Vec<Row> {
    let at = |name, headers, expected| row(name, "/orders", headers, expected);
    let in_query = Row {
        query: |t| format!("?access_token={}", t.read),
        ..at("a token in the query", |_| Vec::new(), missing())
    };
    vec![
        at("no header", |_| Vec::new(), missing()),
        in_query,
        at("another scheme", |_| authorization("Basic c2VydmVyOng="), missing()),
        at("a scheme that begins like it", |t| authorization(format!("Bearers {}", t.read)), missing()),
        at("no space", |t| authorization(format!("Bearer{}", t.read)), missing()),
        at("a good token", |t| token(&t.read), passed("server", "read")),
        at(
            "name and scheme in capitals",
            |t| vec![("AUTHORIZATION", format!("BEARER {}", t.read))],
            passed("server", "read"),
        ),
        at(
            "a scheme in lower case",
            |t| authorization(format!("bearer {}", t.read)),
            passed("server", "read"),
        ),
        at("no token", |_| authorization("Bearer"), malformed(SYNTAX)),
        at("three spaces", |t| token(&format!("  {}", t.read)), passed("server", "read")),
        at("two tokens", |t| token(&format!("{0} {0}", t.read)), malformed(SYNTAX)),
        at("a list", |t| token(&format!("{0}, Bearer {0}", t.read)), malformed(SYNTAX)),
        at("in quotes", |t| token(&format!("\"{}\"", t.read)), malformed(SYNTAX)),
        at(
            "a bad byte in its midst",
            |t| token(&format!("{}\"{}", &t.read[..20], &t.read[21..])),
            malformed(SYNTAX),
        ),
        at("two headers", |t| [token(&t.read), token(&t.read)].concat(), malformed(TWICE)),
        at(
            "another scheme beside it",
            |t| [authorization("Basic eA=="), token(&t.read)].concat(),
            malformed(TWICE),
        ),
        at("garbage", |_| token("abc"), invalid()),
        at("a token of somebody else", |_| token("eyJhbGciOiJub25lIn0.e30."), invalid()),
        at("another byte", |t| token(&t.read.replacen(char_at(&t.read, 10), "~", 1)), invalid()),
        at("cut short", |t| token(&t.read[..51]), invalid()),
        at("with padding", |t| token(&format!("{}=", t.read)), invalid()),
    ]
}

fn char_at(text: &str, at: usize) -> &str {
    &text[at..=at]
}

fn lifetimes() -> Vec<Row> {
    let at = |name, headers| row(name, "/orders", headers, invalid());
    vec![
        at("expired", |t| token(&t.expired)),
        at("revoked", |t| token(&t.revoked)),
        at("its client is gone", |t| token(&t.departed)),
        at("its client is disabled", |t| token(&t.disabled)),
    ]
}

fn requirements() -> Vec<Row> {
    vec![
        row("more than needed", "/orders", |t| token(&t.both), passed("server", "write read")),
        row("another scope", "/orders", |t| token(&t.write), lacking("read")),
        row("no scope", "/orders", |t| token(&t.none), lacking("read")),
        row("all of two", "/both", |t| token(&t.both), passed("server", "write read")),
        row("one of two, both needed", "/both", |t| token(&t.read), lacking("read write")),
        row("one of two, one needed", "/either", |t| token(&t.write), passed("server", "write")),
        row("none of two, one needed", "/either", |t| token(&t.read), lacking("admin write")),
        row("no scope where none is needed", "/authenticated", |t| token(&t.none), passed("server", "")),
        row("no token where no scope is needed", "/authenticated", |_| Vec::new(), missing()),
        row("for the resource", "/resource", |t| token(&t.orders), passed("server", "read")),
        row(
            "for another resource",
            "/resource",
            |t| token(&t.bills),
            bearer(401, "invalid_token", RESOURCES),
        ),
        row("for no resource", "/resource", |t| token(&t.read), bearer(401, "invalid_token", RESOURCES)),
        row(
            "for a resource, where none is named",
            "/orders",
            |t| token(&t.bills),
            bearer(401, "invalid_token", RESOURCES),
        ),
    ]
}

fn identities() -> Vec<Row> {
    fn forged() -> Headers {
        let names = ["X-Client-Id", "x-client-id", "X_Client_Id", "X-Client-Scope", "X_Client_Scope"];
        names.map(|name| (name, "admin".to_owned())).to_vec()
    }
    let spoofed = |t: &Tokens<'_>| [forged(), token(&t.read)].concat();
    vec![
        row("says to be another", "/orders", spoofed, passed("server", "read")),
        row(
            "says to have scopes",
            "/authenticated",
            |t| [forged(), token(&t.none)].concat(),
            passed("server", ""),
        ),
        row("says to be another, without a token", "/orders", |_| forged(), missing()),
        row("public", "/public", |_| Vec::new(), passed("", "")),
        row("public, says to be another", "/public", |_| forged(), passed("", "")),
        row("public, with a good token", "/public", |t| token(&t.read), passed("", "")),
        row("public, with a dead token", "/public", |t| token(&t.expired), passed("", "")),
        row(
            "public, with a credential of the upstream's",
            "/public",
            |_| authorization("Basic c2VydmVyOng="),
            passed_with("", "", "Basic c2VydmVyOng="),
        ),
    ]
}

fn bound() -> Vec<Row> {
    fn proven(t: &Tokens<'_>, proof: Option<String>) -> Headers {
        let mut headers = authorization(format!("DPoP {}", t.keyed));
        headers.extend(proof.map(|proof| ("DPoP", proof)));
        headers
    }
    let certified = |name, expected| row(name, "/orders", |t| token(&t.certified), expected);
    let keyed = |name, headers, expected| row(name, "/orders", headers, expected);
    let other = bearer(401, "invalid_token", CERTIFICATE);
    let as_bearer = [
        format!("Bearer {}", parameters("invalid_token", AS_BEARER, "")),
        format!("DPoP realm=\"tollgate\", {ALGORITHMS}"),
    ];
    vec![
        certified("over its certificate", passed("certified", "read")).over(|h| Some(&h.own)),
        certified("over another certificate", other).over(|h| Some(&h.other)),
        certified("over no certificate", bearer(401, "invalid_token", CERTIFICATE)),
        row("bound to none, over a certificate", "/orders", |t| token(&t.read), passed("server", "read"))
            .over(|h| Some(&h.other)),
        keyed(
            "with a proof",
            |t| proven(t, Some(t.proof(&t.holders.key, "/orders", &t.keyed))),
            passed("server", "read"),
        ),
        keyed(
            "bound to a key, as bearer",
            |t| token(&t.keyed),
            refused(401, "invalid_token", AS_BEARER, as_bearer.to_vec()),
        ),
        keyed(
            "bound to a key, without a proof",
            |t| proven(t, None),
            dpop("invalid_dpop_proof", "the DPoP scheme needs a proof, in one DPoP header"),
        ),
        keyed(
            "with a proof of another key",
            |t| proven(t, Some(t.proof(&t.holders.thief, "/orders", &t.keyed))),
            dpop("invalid_token", "the access token is bound to another key than that of the DPoP proof"),
        ),
        keyed(
            "with a proof for another path",
            |t| proven(t, Some(t.proof(&t.holders.key, "/both", &t.keyed))),
            dpop("invalid_dpop_proof", "the htu of the DPoP proof is not the URI of the request"),
        ),
        keyed(
            "with a proof for another token",
            |t| proven(t, Some(t.proof(&t.holders.key, "/orders", &t.read))),
            dpop("invalid_dpop_proof", "the ath of the DPoP proof is not of this access token"),
        ),
        keyed(
            "not bound, under the DPoP scheme",
            |t| {
                let proof = t.proof(&t.holders.key, "/orders", &t.read);
                vec![("Authorization", format!("DPoP {}", t.read)), ("DPoP", proof)]
            },
            dpop("invalid_token", AS_KEY),
        ),
    ]
}
