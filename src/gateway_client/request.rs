//! Requests to the OAuth endpoints of a running gateway.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use tokio_rustls::rustls::{CertificateError, Error as TlsError};

use crate::acme::storage::Storage;
use crate::config::{CertificateFiles, Config, ServerCertificate};
use crate::http_client::{Bounds, HttpClient, HttpError, PlainHttp, Trust};
use crate::oauth::form;
use crate::tasks;

/// Responses of these endpoints are far smaller.
const BOUNDS: Bounds = Bounds {
    time: Duration::from_secs(30),
    body: 1 << 20,
    plain_http: PlainHttp::Allowed,
    accepts: |_| true,
};
/// The maximum length of a description that is shown, in characters.
const MAX_DESCRIPTION: usize = 500;

/// Returns how the gateway's own certificate is verified: by the operating system, and by the files that the
/// configuration names.
pub(crate) fn gateway_trust(config: Option<&Config>, insecure: bool) -> Trust {
    let in_files = |files: &[CertificateFiles]| files.iter().map(|files| files.certificate.clone()).collect();
    let self_signed = |config: &Config| config.server.state_dir.join("self-signed.pem");
    let certificates = config.map(|config| match &config.server.tls.certificate {
        ServerCertificate::SelfSigned => vec![self_signed(config)],
        ServerCertificate::Files(files) => in_files(files),
        ServerCertificate::Acme(acme, files) => {
            let storage = Storage::new(&config.server.state_dir, &acme.directory);
            let issued = acme.domains.iter().filter_map(|domain| storage.certificate(domain).ok()?);
            let mut certificates: Vec<PathBuf> = in_files(files);
            certificates.extend(issued.map(|(files, _)| files.certificate));
            // The gateway serves it until the first certificate is issued.
            certificates.push(self_signed(config));
            certificates
        }
    });
    Trust { insecure, certificates: certificates.unwrap_or_default(), no_others: false }
}

/// Why a request to a gateway failed.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum RequestError {
    /// The text is not a URL.
    Url(String),
    /// There is no response from this URL.
    Exchange(String, HttpError),
    /// TLS cannot be set up.
    Tls(TlsError),
    /// This process cannot do network input and output.
    Runtime(io::Error),
    /// The response is not from such an endpoint.
    NotAnEndpoint(String, StatusCode),
    /// The response is successful but has no JSON object.
    NotJson(String),
    /// The gateway refuses the request, with an OAuth error code and its description.
    Refused { error: String, description: Option<String>, status: StatusCode },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(url) => write!(f, "{url} is not a URL"),
            Self::Exchange(url, error) => {
                write!(f, "{url}: {error}")?;
                let hint = match (error, error.certificate()) {
                    (HttpError::Connect(_), _) => " (is the gateway running? --url names another one)",
                    (_, Some(CertificateError::NotValidForName)) => NAME_HINT,
                    (_, Some(CertificateError::NotValidForNameContext { .. })) => NAME_HINT,
                    (_, Some(_)) => {
                        " (its certificate is neither trusted by this system nor the one of the configuration; -k does \
                         not verify it)"
                    }
                    (HttpError::TooLarge(_), _) => " (is it the gateway?)",
                    _ => "",
                };
                f.write_str(hint)
            }
            Self::Tls(error) => write!(f, "TLS cannot be set up: {error}"),
            Self::Runtime(error) => write!(f, "cannot do network input and output: {error}"),
            Self::NotAnEndpoint(url, status) => {
                write!(f, "{url} answered {status}; is it the gateway's endpoint?")
            }
            Self::NotJson(url) => write!(f, "{url} answered without JSON; is it the gateway?"),
            Self::Refused { error, description, status } => {
                f.write_str(error)?;
                if let Some(description) = description {
                    write!(f, ": {description}")?;
                }
                write!(f, " (HTTP {})", status.as_u16())
            }
        }
    }
}

const NAME_HINT: &str = " (--url can name the gateway as its certificate does)";

impl Error for RequestError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Exchange(_, error) => Some(error),
            Self::Tls(error) => Some(error),
            Self::Runtime(error) => Some(error),
            Self::Url(_) | Self::NotAnEndpoint(..) | Self::NotJson(_) | Self::Refused { .. } => None,
        }
    }
}

/// Posts a form to an endpoint and returns the JSON of a successful response.
///
/// # Errors
/// [`RequestError`] if there is no such response.
pub(crate) fn post(url: &str, trust: &Trust, fields: &[(&str, &str)]) -> Result<Value, RequestError> {
    let fields: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{}={}", form::encode(name), form::encode(value)))
        .collect();
    let request = Request::post(url)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"))
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .body(Full::new(Bytes::from(fields.join("&"))))
        .map_err(|_| RequestError::Url(url.to_owned()))?;
    json(url, &send(url, trust, BOUNDS, request)?)
}

/// Fetches a document and returns the JSON of a successful response. `time` is the timeout.
///
/// # Errors
/// [`RequestError`] if there is no such response.
pub(crate) fn get(url: &str, trust: &Trust, time: Duration) -> Result<Value, RequestError> {
    let request = Request::get(url)
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .body(Full::default())
        .map_err(|_| RequestError::Url(url.to_owned()))?;
    json(url, &send(url, trust, Bounds { time, ..BOUNDS }, request)?)
}

fn send(
    url: &str,
    trust: &Trust,
    bounds: Bounds,
    request: Request<Full<Bytes>>,
) -> Result<Response<Bytes>, RequestError> {
    let client = HttpClient::new(trust, bounds).map_err(RequestError::Tls)?;
    let runtime = tasks::runtime().map_err(RequestError::Runtime)?;
    let response = tasks::block_on(&runtime, client.send(request));
    // The lookup of a name may still run, and nothing needs to wait for it.
    runtime.shutdown_background();
    response.map_err(|error| RequestError::Exchange(url.to_owned(), error))
}

fn json(url: &str, response: &Response<Bytes>) -> Result<Value, RequestError> {
    let (status, body) = (response.status(), serde_json::from_slice::<Value>(response.body()).ok());
    if status.is_success() {
        return body.filter(Value::is_object).ok_or_else(|| RequestError::NotJson(url.to_owned()));
    }
    let text = |name: &str| Some(printable(body.as_ref()?.get(name)?.as_str()?));
    match text("error") {
        Some(error) => Err(RequestError::Refused { error, description: text("error_description"), status }),
        None => Err(RequestError::NotAnEndpoint(url.to_owned(), status)),
    }
}

/// Removes what could control a terminal from a text of a server.
fn printable(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(MAX_DESCRIPTION).collect()
}
