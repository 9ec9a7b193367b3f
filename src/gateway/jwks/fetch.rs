//! One fetch of a key set. Redirects are not followed: keys come from the URL that the configuration names.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::ACCEPT;
use http::{Request, StatusCode};
use http_body_util::Full;

use crate::config::metadata::is_metadata;
use crate::http_client::{Bounds, HttpClient, HttpError, PlainHttp, Trust};
use crate::oauth::jose::{Jwks, JwksError};

/// HTTP without TLS is allowed only on loopback. Elsewhere, an attacker on the network path could replace the
/// keys. The owner of a name does not decide that the gateway connects to a metadata service.
pub(super) const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(5),
    body: Jwks::MAX_LENGTH,
    plain_http: PlainHttp::OnLoopback,
    accepts: |address| !is_metadata(address),
};

/// The reason why a fetch returns no keys.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum FetchError {
    /// The URL is invalid.
    Url,
    /// The server did not respond.
    Exchange(HttpError),
    /// The status of the response is not 200.
    Status(StatusCode),
    /// The response is not a key set.
    Keys(JwksError),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url => f.write_str("the URL is malformed"),
            Self::Exchange(error) => error.fmt(f),
            Self::Status(status) => write!(f, "the response has the status {status}, not 200"),
            Self::Keys(error) => error.fmt(f),
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Exchange(error) => Some(error),
            Self::Keys(error) => Some(error),
            Self::Url | Self::Status(_) => None,
        }
    }
}

/// Makes the client that fetches keys. It trusts the authorities of the system, as curl and browsers do.
pub(super) fn client() -> Result<HttpClient, tokio_rustls::rustls::Error> {
    HttpClient::new(&Trust::default(), BOUNDS)
}

/// Fetches the keys at `url`.
pub(super) async fn fetch(url: &str, client: &HttpClient) -> Result<Jwks, FetchError> {
    let request = Request::get(url)
        .header(ACCEPT, "application/jwk-set+json, application/json")
        .body(Full::<Bytes>::default())
        .map_err(|_| FetchError::Url)?;
    let response = client.send(request).await.map_err(FetchError::Exchange)?;
    if response.status() != StatusCode::OK {
        return Err(FetchError::Status(response.status()));
    }
    Jwks::parse(response.body()).map_err(FetchError::Keys)
}
