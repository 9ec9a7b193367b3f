//! One probe of one server.

use std::fmt;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::Empty;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::time::timeout;

use super::{HealthCheck, Kind};
use crate::config::ExpectedStatus;
use crate::proxy::dial::dial;
use crate::proxy::io::Io;
use crate::proxy::upstream::{Server, Upstream};

/// The largest head of an answer.
const MAX_HEAD: usize = 16 * 1024;

/// Why a probe says no. What it shows goes into the log: nothing that the server wrote, but for a status.
#[derive(Debug)]
#[non_exhaustive]
pub(super) enum Ill {
    /// No connection.
    Connect(io::Error),
    /// No answer, or one that is not HTTP.
    NoAnswer(hyper::Error),
    /// Another status than expected.
    Status(StatusCode, ExpectedStatus),
    /// It took longer than this.
    TooSlow(Duration),
}

impl fmt::Display for Ill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "no connection: {error}"),
            Self::NoAnswer(error) if error.is_parse() => write!(f, "its answer is not HTTP: {error}"),
            Self::NoAnswer(error) => write!(f, "no answer: {error}"),
            Self::Status(status, expected) => {
                write!(f, "it answered {} where {expected} is expected", status.as_u16())
            }
            Self::TooSlow(within) => write!(f, "no answer within {within:?}"),
        }
    }
}

/// Probes a server the way its requests go: the same address, TLS, server name, protocol and credentials.
pub(super) async fn probe(upstream: &Upstream, server: &Server, check: &HealthCheck) -> Result<(), Ill> {
    match timeout(check.timeout, within_time(upstream, server, check)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Ill::TooSlow(check.timeout)),
    }
}

async fn within_time(upstream: &Upstream, server: &Server, check: &HealthCheck) -> Result<(), Ill> {
    let (io, _) = dial(server, check.timeout).await.map_err(Ill::Connect)?;
    match &check.kind {
        Kind::Tcp => Ok(()),
        Kind::Http { target, expected } => {
            let status = ask(io, upstream, server, target).await.map_err(Ill::NoAnswer)?;
            if expected.contains(status) { Ok(()) } else { Err(Ill::Status(status, expected.clone())) }
        }
    }
}

/// The status of the answer. The connection ends with it; the body is never read.
async fn ask(io: Io, upstream: &Upstream, server: &Server, target: &Uri) -> Result<StatusCode, hyper::Error> {
    let mut request = Request::new(Empty::<Bytes>::new());
    let headers = request.headers_mut();
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, HeaderValue::from_static("tollgate-health-check"));
    if let Some((name, value)) = &upstream.credentials {
        headers.insert(name, value.clone());
    }
    let io = TokioIo::new(io);
    if upstream.http2 {
        let scheme = if server.tls.is_some() { "https" } else { "http" };
        let mut parts = target.clone().into_parts();
        parts.scheme = scheme.parse().ok();
        parts.authority = server.authority().parse().ok();
        if let Ok(target) = Uri::from_parts(parts) {
            *request.uri_mut() = target;
        }
        let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_HEAD as u32)
            .handshake(io)
            .await?;
        return answered(sender.send_request(request), connection).await;
    }
    *request.uri_mut() = target.clone();
    if let Ok(host) = HeaderValue::try_from(server.authority()) {
        request.headers_mut().insert(HOST, host);
    }
    let (mut sender, connection) = http1::Builder::new().max_buf_size(MAX_HEAD).handshake(io).await?;
    answered(sender.send_request(request), connection).await
}

/// Drives the connection until the head of the answer is there.
async fn answered<B>(
    answer: impl Future<Output = Result<http::Response<B>, hyper::Error>>,
    connection: impl Future<Output = Result<(), hyper::Error>>,
) -> Result<StatusCode, hyper::Error> {
    let (mut answer, mut connection) = (std::pin::pin!(answer), std::pin::pin!(connection));
    tokio::select! {
        biased;
        response = &mut answer => response.map(|response| response.status()),
        // Its end may have answered, too: the answer says whether it has.
        _ = &mut connection => answer.await.map(|response| response.status()),
    }
}
