//! Requests, their outcomes, and the mounts in this process.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use http::request::Parts;
use http::{HeaderMap, Response, header};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tollgate::Gate;
use tollgate::plugin::ClientCertificate;
use tollgate::{Demand, Denial, Permit, RemoteGate, Requirement, Scopes};
use tower::{Layer as _, Service, ServiceExt as _, service_fn};

use crate::support::Conn;
use crate::support::tls::Identity;

pub(crate) struct Request<'a> {
    pub(crate) path: &'a str,
    pub(crate) certificate: Option<&'a Identity>,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// The response to a client, and what the inner service received, if the request reached it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) challenges: Vec<String>,
    /// The type and the body of a refusal.
    pub(crate) refusal: Option<(String, Value)>,
    pub(crate) saw: Option<Seen>,
}

/// The client that an inner service sees, and the `Authorization` that it receives.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) client: String,
    pub(crate) scopes: String,
    pub(crate) authorization: String,
}

/// Returns the demand of each path, or `None` for the public one.
pub(crate) fn demand(path: &str) -> Option<Demand> {
    let all = |scopes: &[&str]| Requirement::all(scopes).unwrap();
    Some(match path {
        "/orders" => all(&["read"]).into(),
        "/both" => all(&["read", "write"]).into(),
        "/either" => Requirement::any(["admin", "write"]).unwrap().into(),
        "/authenticated" | "/own" => Requirement::AnyToken.into(),
        "/resource" => Demand::from(all(&["read"])).for_audience("https://orders.example.com"),
        "/public" => return None,
        _ => panic!("{path} is no path of the table"),
    })
}

/// Returns the additional condition of `/own`: a header that only the program understands.
pub(crate) fn own(permit: &Permit, mine: bool) -> Result<(), Denial> {
    assert_eq!(permit.client_id(), Some("server"));
    if mine { Ok(()) } else { Err(Denial::refused("this belongs to another client")) }
}

/// The response of the inner services, which contains what they received.
pub(crate) fn seen(client: &str, scopes: &str, authorization: &str) -> String {
    format!("saw:{client}:{scopes}:{authorization}")
}

/// A layer provides the client in the permit. The test fails if an identity header passes it.
fn permitted(permit: Option<&Permit>, headers: &HeaderMap) -> String {
    if permit.is_some() {
        let forged = headers.keys().find(|name| name.as_str().replace('_', "-").starts_with("x-client-"));
        assert_eq!(forged, None, "{headers:?}");
    }
    let client = permit.and_then(Permit::client_id).unwrap_or_default();
    seen(client, permit.and_then(Permit::scopes).map(Scopes::as_str).unwrap_or_default(), "as it came")
}

pub(crate) async fn tower(gate: &Gate, request: &Request<'_>) -> Outcome {
    let inner = service_fn(async |request: http::Request<String>| {
        let permit = request.extensions().get::<Permit>();
        Ok::<_, Infallible>(Response::new(permitted(permit, request.headers())))
    });
    match (request.path, demand(request.path.split('?').next().unwrap())) {
        (_, None) => call(inner, request).await,
        ("/own", Some(demand)) => {
            let own = |permit: &Permit, parts: &Parts| own(permit, parts.headers.contains_key("x-mine"));
            call(gate.require(demand).and(own).layer(inner), request).await
        }
        (_, Some(demand)) => call(gate.require(demand).layer(inner), request).await,
    }
}

pub(crate) async fn axum(gate: &Gate, request: &Request<'_>) -> Outcome {
    let handler = async |permit: Permit, headers: HeaderMap| permitted(Some(&permit), &headers);
    let open = async |permit: Option<Permit>, headers: HeaderMap| permitted(permit.as_ref(), &headers);
    let mut app = Router::<()>::new().route("/public", get(open));
    for path in ["/orders", "/both", "/either", "/authenticated", "/resource"] {
        app = app.route(path, get(handler).layer(gate.require(demand(path).unwrap())));
    }
    let own = |permit: &Permit, parts: &Parts| own(permit, parts.headers.contains_key("x-mine"));
    app = app.route("/own", get(handler).layer(gate.require_with(own)));
    let app = app.map_request(|request: http::Request<String>| request.map(axum::body::Body::from));
    call(app, request).await
}

/// An axum server that asks the gateway about its tokens, with an asynchronous condition instead of a
/// closure.
pub(crate) async fn remote(gate: &RemoteGate, request: &Request<'_>) -> Outcome {
    let handler = async |permit: Permit, headers: HeaderMap| permitted(Some(&permit), &headers);
    let open = async |permit: Option<Permit>, headers: HeaderMap| permitted(permit.as_ref(), &headers);
    let mut app = Router::<()>::new().route("/public", get(open));
    for path in ["/orders", "/both", "/either", "/authenticated", "/resource"] {
        app = app.route(path, get(handler).layer(gate.require(demand(path).unwrap())));
    }
    let own = |permit: Permit, parts: Parts| async move {
        tokio::task::yield_now().await;
        own(&permit, parts.headers.contains_key("x-mine"))
    };
    app = app.route("/own", get(handler).layer(gate.require(Requirement::AnyToken).and_async(own)));
    let app = app.map_request(|request: http::Request<String>| request.map(axum::body::Body::from));
    call(app, request).await
}

async fn call<S, B>(service: S, request: &Request<'_>) -> Outcome
where
    S: Service<http::Request<String>, Response = Response<B>, Error: std::fmt::Debug>,
    B: http_body::Body<Error: std::fmt::Debug>,
{
    let mut head = http::Request::get(request.path).header(header::HOST, "api.example.com");
    for (name, value) in &request.headers {
        head = head.header(*name, value);
    }
    if let Some(identity) = request.certificate {
        head = head.extension(ClientCertificate::new(identity.certificate.clone(), true));
    }
    let (parts, body) = service.oneshot(head.body(String::new()).unwrap()).await.unwrap().into_parts();
    let values = |name: header::HeaderName| {
        let values = parts.headers.get_all(name).iter();
        values.map(|value| value.to_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let body = body.collect().await.unwrap().to_bytes();
    let media_type = values(header::CONTENT_TYPE).pop().unwrap_or_default();
    outcome(parts.status.as_u16(), values(header::WWW_AUTHENTICATE), media_type, &body)
}

fn outcome(status: u16, challenges: Vec<String>, media_type: String, body: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(body);
    let saw = text.trim().strip_prefix("saw:").map(|saw| {
        let [client, scopes, authorization] = *saw.split(':').collect::<Vec<_>>() else { panic!("{saw}") };
        let [client, scopes, authorization] = [client, scopes, authorization].map(str::to_owned);
        Seen { client, scopes, authorization }
    });
    let refusal = saw.is_none().then(|| (media_type, serde_json::from_slice(body).unwrap_or_default()));
    Outcome { status, challenges, refusal, saw }
}

/// Does the same over TLS, with two requests on one connection. The first must not affect the second.
pub(crate) fn over_tls(server: SocketAddr, requests: [&Request<'_>; 2]) -> Outcome {
    let mut connection = Conn::tls_as(server, requests[0].certificate);
    let [first, second] = [("x=1", "keep-alive", requests[0]), ("", "close", requests[1])].map(
        |(body, rest, Request { path, headers, .. })| {
            let headers: String =
                headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let answer = connection.request(format!(
                "GET {path} HTTP/1.1\r\nHost: api.example.com\r\n{headers}Connection: {rest}\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            ));
            let all = |name| answer.all(name).into_iter().map(str::to_owned).collect::<Vec<_>>();
            let media_type = all("content-type").pop().unwrap_or_default();
            outcome(answer.code(), all("www-authenticate"), media_type, answer.body())
        },
    );
    connection.assert_closed("it was asked to close");
    assert_eq!(first, second, "the second request on a connection is answered as the first");
    first
}
