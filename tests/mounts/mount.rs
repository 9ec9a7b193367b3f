//! The tower mounts, and what a request and its outcome are.

use std::convert::Infallible;
use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use http::{Response, header};
use http_body_util::BodyExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tollgate::gate::Gate;
use tollgate::oauth::decide::Permit;
use tollgate::oauth::scope::{Requirement, Scopes};
use tower::{Layer as _, ServiceExt as _, service_fn};

pub(crate) struct Request {
    pub(crate) path: &'static str,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// What a client gets, and who the inner service takes it for; nobody where it was not reached.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    pub(crate) challenges: Vec<String>,
    pub(crate) saw: Option<(String, String)>,
}

/// What every route of the table asks.
pub(crate) fn requirement() -> Requirement {
    Requirement::all(["read"]).unwrap()
}

/// How the inner services tell what they saw.
pub(crate) fn seen(client: &str, scopes: &str) -> String {
    format!("saw:{client}:{scopes}")
}

fn permitted(permit: &Permit) -> String {
    seen(permit.client_id().unwrap_or_default(), permit.scopes().map(Scopes::as_str).unwrap_or_default())
}

pub(crate) async fn tower(gate: &Gate, request: &Request) -> Outcome {
    let inner = service_fn(async |request: http::Request<String>| {
        Ok::<_, Infallible>(Response::new(permitted(request.extensions().get::<Permit>().unwrap())))
    });
    let service = gate.require(requirement()).layer(inner);
    let answer = service.oneshot(head(request).body(String::new()).unwrap()).await.unwrap();
    outcome(answer).await
}

pub(crate) async fn axum(gate: &Gate, request: &Request) -> Outcome {
    let handler = async |permit: Permit| permitted(&permit);
    let app = Router::new().route("/orders", get(handler)).layer(gate.require(requirement()));
    outcome(app.oneshot(head(request).body(axum::body::Body::empty()).unwrap()).await.unwrap()).await
}

fn head(request: &Request) -> http::request::Builder {
    let start = http::Request::get(request.path);
    request.headers.iter().fold(start, |head, (name, value)| head.header(*name, value))
}

async fn outcome<B>(answer: Response<B>) -> Outcome
where
    B: http_body::Body,
    B::Error: std::fmt::Debug,
{
    let (parts, body) = answer.into_parts();
    let challenges = parts.headers.get_all(header::WWW_AUTHENTICATE).iter();
    let challenges = challenges.map(|value| value.to_str().unwrap().to_owned()).collect();
    let body = body.collect().await.unwrap().to_bytes();
    Outcome { status: parts.status.as_u16(), challenges, saw: saw(&String::from_utf8_lossy(&body)) }
}

fn saw(body: &str) -> Option<(String, String)> {
    let (client, scopes) = body.trim().strip_prefix("saw:")?.split_once(':')?;
    Some((client.to_owned(), scopes.to_owned()))
}

/// The same over a socket. Two requests on one connection: what the first leaves behind must not disturb the second.
pub(crate) async fn over_tcp(server: SocketAddr, request: &Request) -> Outcome {
    let mut connection = TcpStream::connect(server).await.unwrap();
    let mut outcomes = Vec::new();
    for (body, rest) in [("x=1", "Connection: keep-alive"), ("", "Connection: close")] {
        let headers: String =
            request.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let head = format!(
            "GET {} HTTP/1.1\r\nHost: api.example.com\r\n{headers}{rest}\r\nContent-Length: {}\r\n\r\n{body}",
            request.path,
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        outcomes.push(read_answer(&mut connection).await);
    }
    let (second, first) = (outcomes.pop().unwrap(), outcomes.pop().unwrap());
    assert_eq!(first, second, "the second request on a connection is answered as the first");
    first
}

/// Sends token requests over one connection, one after the other, while it lasts; their statuses.
pub(crate) async fn token_requests(server: SocketAddr, bodies: &[String]) -> Vec<u16> {
    let mut connection = TcpStream::connect(server).await.unwrap();
    let mut statuses = Vec::new();
    for body in bodies {
        let head = format!(
            "POST /oauth/v2/oauth-token HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: {}\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n\r\n",
            body.len()
        );
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(body.as_bytes()).await.unwrap();
        statuses.push(read_answer(&mut connection).await.status);
    }
    statuses
}

async fn read_answer(connection: &mut TcpStream) -> Outcome {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        assert!(
            connection.read_buf(&mut bytes).await.unwrap() > 0,
            "cut off: {:?}",
            String::from_utf8_lossy(&bytes)
        );
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let values = |wanted: &str| {
        let named = head.lines().filter_map(|line| line.split_once(": "));
        let named = named.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
    };
    let length: usize = values("content-length").first().expect("a length").parse().unwrap();
    while bytes.len() < head_end + length {
        assert!(
            connection.read_buf(&mut bytes).await.unwrap() > 0,
            "cut off: {:?}",
            String::from_utf8_lossy(&bytes)
        );
    }
    assert_eq!(bytes.len(), head_end + length, "nothing after the answer");
    Outcome {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        challenges: values("www-authenticate"),
        saw: saw(&String::from_utf8_lossy(&bytes[head_end..])),
    }
}
