use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{Method, Response};
use http_body_util::{BodyExt as _, Full};
use pingora::http::ResponseHeader;
use pingora::modules::http::HttpModuleCtx;
use pingora::protocols::http::ServerSession;

use crate::gate::{Endpoint, FormBody, Gate, Origin};
use crate::oauth::denial::Denial;
use crate::oauth::endpoints::MAX_BODY;
use crate::plugin::pingora::connection::Connection;
use crate::plugin::pingora::module::RequireTokenModule;

/// The time for the whole body of a token request, as in the gateway.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);
/// The amount of a refused request's body that is read, so that its connection can serve another request.
const DRAIN_AT_MOST: usize = 64 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// The end of a refused request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused {
    /// The status of the answer.
    pub status: u16,
    /// Whether the connection can serve another request.
    pub reusable: bool,
}

/// Answers a request to one of the gate's endpoints. Returns `false` without doing anything if it is for none
/// of them. Call it in `request_filter`, whose result means the same.
///
/// # Errors
/// The connection's, if the client has disconnected.
pub async fn serve_endpoint(gate: &Gate, session: &mut ServerSession) -> pingora::Result<bool> {
    let Some(endpoint) = gate.endpoint(session.req_header().uri.path()) else { return Ok(false) };
    let answer = answer_endpoint(gate, endpoint, session).await?;
    write(session, answer).await?;
    Ok(true)
}

/// Makes the answer to a request to an endpoint.
pub(super) async fn answer_endpoint(
    gate: &Gate,
    endpoint: Endpoint,
    session: &mut ServerSession,
) -> pingora::Result<Response<Full<Bytes>>> {
    let body = if endpoint.reads_body() { read_form(session).await? } else { FormBody::Whole(Bytes::new()) };
    let address = session.client_addr().and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip);
    let connection = Connection::of(session);
    let origin = Origin {
        address,
        certificate: connection.certificate(),
        https: Some(connection.is_tls() || gate.is_public_by_https()),
    };
    let parts = http::request::Parts::clone(session.req_header());
    let answer = gate.answer(endpoint, &parts, body, origin).await;
    settle(session).await;
    Ok(answer)
}

/// Answers a request that the [`RequireTokenModule`] denied. Returns `None` without doing anything if it
/// denied none. Call it in `fail_to_proxy`.
pub async fn answer_denied(modules: &HttpModuleCtx, session: &mut ServerSession) -> Option<Refused> {
    let module = modules.get::<RequireTokenModule>()?;
    Some(refuse(module.gate(), module.denial()?, session).await)
}

/// Answers a request with a denial: its status, challenge and text.
pub async fn refuse(gate: &Gate, denial: &Denial, session: &mut ServerSession) -> Refused {
    let reusable = settle(session).await;
    // If the client has disconnected, the connection cannot be reused.
    let written = write(session, gate.refuse(denial)).await.is_ok();
    Refused { status: denial.status().as_u16(), reusable: reusable && written }
}

/// Makes sure that no byte of the body is taken for the next request: reads the rest of a short body, and
/// otherwise marks the connection to be closed. Returns whether it can be reused.
pub(super) async fn settle(session: &mut ServerSession) -> bool {
    if session.is_body_done() {
        return true;
    }
    // A client that waits for `100 Continue` has sent nothing yet, and may still send the body.
    let waits = session.req_header().headers.contains_key(EXPECT);
    let drained = !waits && matches!(tokio::time::timeout(DRAIN_TIMEOUT, drain(session)).await, Ok(true));
    if !drained {
        session.set_keepalive(None);
    }
    drained
}

async fn drain(session: &mut ServerSession) -> bool {
    let mut seen = 0;
    while let Ok(Some(part)) = session.read_request_body().await {
        seen += part.len();
        if seen > DRAIN_AT_MOST {
            return false;
        }
    }
    session.is_body_done()
}

async fn read_form(session: &mut ServerSession) -> pingora::Result<FormBody> {
    let announced = session.get_header(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| length > MAX_BODY as u64) {
        return Ok(FormBody::TooLarge);
    }
    if session.get_header(EXPECT).is_some() {
        session.write_continue_response().await?;
    }
    let reading = async {
        let mut whole = BytesMut::new();
        loop {
            match session.read_request_body().await {
                Ok(Some(part)) if whole.len() + part.len() > MAX_BODY => return FormBody::TooLarge,
                Ok(Some(part)) => whole.extend_from_slice(&part),
                Ok(None) => return FormBody::Whole(whole.freeze()),
                Err(_) => return FormBody::Broken,
            }
        }
    };
    Ok(tokio::time::timeout(FORM_TIMEOUT, reading).await.unwrap_or(FormBody::TooSlow))
}

async fn write(session: &mut ServerSession, answer: Response<Full<Bytes>>) -> pingora::Result<()> {
    let (parts, body) = answer.into_parts();
    let body = whole(body).await;
    let mut head = ResponseHeader::from(parts);
    head.insert_header(CONTENT_LENGTH, body.len())?;
    let no_body = body.is_empty() || session.req_header().method == Method::HEAD;
    session.write_response_header(Box::new(head)).await?;
    if no_body { session.finish_body().await } else { session.write_response_body(body, true).await }
}

/// Returns the bytes of an answer, all of which are in memory.
pub(super) async fn whole(body: Full<Bytes>) -> Bytes {
    match body.collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(never) => match never {},
    }
}
