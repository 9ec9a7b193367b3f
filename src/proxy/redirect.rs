//! Redirects requests from `http` to `https`.
//!
//! The target has the host of the request, so the client is never redirected to a host that it did not name.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};

use super::authorize::host_of;
use super::client::{Client, Socket};
use super::http1::respond;
use super::observer::RequestObserver as _;
use super::pipeline::Proxy;
use super::refusal::Refusal;
use super::route::ClientConnection;
use super::session::Session;
use crate::http1::RequestFraming;
use crate::response;
use crate::route::host::LastHost;
use crate::route::path;
use crate::telemetry::Reason;

impl Proxy {
    /// Redirects the client's current request to the same URL over `https`, on this port.
    pub(crate) async fn redirect<I: Socket>(
        &self,
        client: &mut Client<I>,
        connection: &ClientConnection<'_>,
        session: &mut Session,
        port: u16,
    ) {
        let refusal = match self.redirection(client, connection, session, port) {
            Ok(refusal) | Err(refusal) => refusal,
        };
        let record = &mut session.record;
        record.reason = refusal.reason;
        respond(client, refusal.response, refusal.close, record).await;
        record.finish();
    }

    /// Builds the redirect, which is a local response like a refusal.
    fn redirection<I: Socket>(
        &self,
        client: &mut Client<I>,
        connection: &ClientConnection<'_>,
        session: &mut Session,
        port: u16,
    ) -> Result<Refusal, Refusal> {
        let record = &mut session.record;
        let malformed = |status, text: &'static str| Refusal::ambiguous(status, text);
        let Some(head) = client.head() else {
            let response = response::problem(StatusCode::BAD_REQUEST, "the request is not well-formed");
            return Err(Refusal { close: true, ..Refusal::new(response, Reason::Ambiguous) });
        };
        self.with_rules(|rules| record.begin(&head, connection, || rules.trusts(connection.peer)));
        let facts = head.facts().map_err(|fault| malformed(fault.status(), fault.public_text()))?;
        let mut last = LastHost::default();
        let host = host_of(&head, &mut last)
            .map_err(|error| malformed(StatusCode::BAD_REQUEST, error.public_text()))?;
        if host.is_none() {
            return Err(malformed(StatusCode::BAD_REQUEST, "the request names no host"));
        }
        let path = head.path();
        let canonical =
            path::canonical(path).map_err(|error| malformed(StatusCode::BAD_REQUEST, error.public_text()))?;
        record.on_target(host.as_str(), canonical.as_str());
        let location = location(host.name(), port, path, head.query())
            .ok_or_else(|| malformed(StatusCode::BAD_REQUEST, "the request target is not well-formed"))?;
        let mut response = response::problem(
            StatusCode::PERMANENT_REDIRECT,
            "this gateway serves https only: use the URL in Location",
        );
        response.headers_mut().insert(LOCATION, location);
        // The body of the request is not read.
        let close = !matches!(facts.framing, RequestFraming::None | RequestFraming::Length(0));
        client.begin(Some(facts));
        Ok(Refusal { response, close, reason: None, setting: None })
    }
}

/// Returns the `https` URL of a request: its path and query as the client sent them.
fn location(host: &str, port: u16, path: &str, query: Option<&[u8]>) -> Option<HeaderValue> {
    let mut url = format!("https://{host}").into_bytes();
    if port != 443 {
        url.extend_from_slice(format!(":{port}").as_bytes());
    }
    url.extend_from_slice(path.as_bytes());
    if let Some(query) = query {
        url.push(b'?');
        url.extend_from_slice(query);
    }
    HeaderValue::from_bytes(&url).ok()
}
