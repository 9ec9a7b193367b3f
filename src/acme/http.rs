//! Sends requests to the authority with the gateway's HTTP client, which bounds time and size.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::header::{HeaderMap, RETRY_AFTER};
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use instant_acme::{BodyWrapper, BytesResponse, Error};

use super::error::AcmeError;
use crate::config::Acme;
use crate::http_client::{Bounds, HttpClient, PlainHttp, Trust};

/// A chain of certificates is much smaller than this. HTTP without TLS is for tests with a private authority
/// on this machine.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(30),
    body: 256 << 10,
    plain_http: PlainHttp::OnLoopback,
    accepts: |_| true,
};

/// Sends the requests of the protocol, and remembers how long the authority asks the gateway to wait.
#[derive(Clone)]
pub(super) struct AuthorityClient {
    http: HttpClient,
    /// The wait in seconds, or 0 if the authority has asked for none.
    asked: Arc<AtomicU64>,
}

impl AuthorityClient {
    /// Creates a client that verifies the authority as the configuration says.
    pub(super) fn new(acme: &Acme) -> Result<Self, AcmeError> {
        let trust = match &acme.directory_ca {
            None => Trust::default(),
            Some(file) => Trust { certificates: vec![file.clone()], no_others: true, ..Trust::default() },
        };
        let http = HttpClient::new(&trust, BOUNDS).map_err(AcmeError::Tls)?;
        Ok(Self { http, asked: Arc::default() })
    }

    /// Returns the wait in seconds that the authority has asked for with its last refusal, and clears it.
    pub(super) fn take_asked_wait(&self) -> Option<u64> {
        Some(self.asked.swap(0, Relaxed)).filter(|wait| *wait > 0)
    }
}

impl instant_acme::HttpClient for AuthorityClient {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (head, body) = request.into_parts();
        let Self { http, asked } = self.clone();
        Box::pin(async move {
            let body = body.collect().await.unwrap_or_else(|never| match never {}).to_bytes();
            let sent = http.send(Request::from_parts(head, Full::new(body))).await;
            let response = sent.map_err(|error| Error::Other(Box::new(error)))?;
            // RFC 8555 §6.6. In other responses, `Retry-After` says when to poll, and instant-acme handles
            // it.
            if matches!(response.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
                asked.store(wait(response.headers(), SystemTime::now()), Relaxed);
            }
            Ok(BytesResponse::from(response.map(Full::new)))
        })
    }
}

/// Returns the wait in `Retry-After`, in seconds. The header has a number or a date (RFC 9110 §10.2.3).
/// Returns 0 if there is none.
fn wait(headers: &HeaderMap, now: SystemTime) -> u64 {
    let Some(text) = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()) else { return 0 };
    let text = text.trim();
    text.parse().unwrap_or_else(|_| {
        let until = httpdate::parse_http_date(text).ok();
        until.and_then(|until| until.duration_since(now).ok()).map_or(0, |wait| wait.as_secs())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        for (text, expected) in [
            ("120", 120),
            ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
            ("Sun, 06 Nov 1994 08:48:37 GMT", 0),
            ("soon", 0),
        ] {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(wait(&headers, now), expected, "{text}");
        }
        assert_eq!(wait(&HeaderMap::new(), now), 0);
    }
}
