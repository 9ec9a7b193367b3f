//! The tokens of a measurement, which are used in turn.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use crate::bench::error::BenchError;
use crate::bench::gateway::Gateway;
use crate::bench::http1::Http1;
use crate::bench::scenario::Message;
use crate::gateway_client::post;
use crate::oauth::form;
use crate::oauth::secret::Secret;
use crate::tasks;

/// How long getting all tokens may take.
const TIMEOUT: Duration = Duration::from_secs(60);
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// Tokens that are valid for now.
#[derive(Default)]
pub(crate) struct Tokens {
    pub(crate) all: Vec<Secret>,
    /// When the first of them expires.
    expires: Option<Instant>,
}

impl Tokens {
    /// Returns whether all tokens stay valid for this time.
    pub(crate) fn last(&self, span: Duration) -> bool {
        const MARGIN: Duration = Duration::from_secs(3);
        !self.all.is_empty() && self.expires.is_none_or(|expires| Instant::now() + span + MARGIN < expires)
    }

    /// Gets `count` new tokens.
    ///
    /// # Errors
    /// Fails if the gateway issues fewer.
    pub(crate) fn get(gateway: &Gateway, count: usize) -> Result<Self, BenchError> {
        let began = Instant::now();
        // The error of the first request says what is wrong.
        let fields = fields(gateway);
        let url = gateway.url(&gateway.token_path);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.expose())).collect();
        let first = post(&url, &gateway.trust, &fields)?;
        let Some(text) = access_token(&first) else {
            return Err(BenchError::failed(format!(
                "{url} answered without an access_token; is it the gateway?"
            )));
        };
        let expires_in = first.get("expires_in").and_then(Value::as_u64);
        let mut tokens =
            Self { all: vec![text], expires: expires_in.map(|seconds| began + Duration::from_secs(seconds)) };
        let message = request(gateway)?;
        let more = within(TIMEOUT, more(gateway, &message, count))?
            .ok_or_else(|| BenchError::failed(format!("no {count} tokens within {} s", TIMEOUT.as_secs())))?;
        tokens.all.extend(more?);
        Ok(tokens)
    }
}

async fn more(gateway: &Gateway, message: &Message, count: usize) -> Result<Vec<Secret>, BenchError> {
    let (mut tokens, mut connection) = (Vec::with_capacity(count), None);
    while tokens.len() + 1 < count {
        let failed = |fault| BenchError::failed(format!("while getting tokens: {fault}"));
        let mut line = match connection.take() {
            Some(line) => line,
            None => Http1::new(gateway.plain.connect().await.map_err(failed)?),
        };
        let mut body = Vec::new();
        let answer = line.exchange(&message.http1, false, Some(&mut body)).await.map_err(failed)?;
        let token = serde_json::from_slice(&body)
            .ok()
            .filter(|_| answer.status == 200)
            .as_ref()
            .and_then(access_token);
        let Some(token) = token else {
            return Err(BenchError::failed(format!(
                "the gateway answered {} to the request for token {} of {count} (fewer --tokens?)",
                answer.status,
                tokens.len() + 2
            )));
        };
        tokens.push(token);
        connection = answer.reusable.then_some(line);
    }
    Ok(tokens)
}

fn access_token(answer: &Value) -> Option<Secret> {
    answer.get("access_token").and_then(Value::as_str).map(Secret::new)
}

fn fields(gateway: &Gateway) -> Vec<(&'static str, Secret)> {
    let mut fields = vec![("grant_type", Secret::new("client_credentials"))];
    if let Some((id, secret)) = &gateway.client {
        fields.push(("client_id", Secret::new(&**id)));
        fields.push(("client_secret", Secret::new(secret.expose())));
    }
    if let Some(scope) = &gateway.scope {
        fields.push(("scope", Secret::new(&**scope)));
    }
    if let Some(audience) = &gateway.audience {
        fields.push(("resource", Secret::new(&**audience)));
    }
    fields
}

/// Returns the token request.
pub(crate) fn request(gateway: &Gateway) -> Result<Message, BenchError> {
    let fields: Vec<String> = fields(gateway)
        .iter()
        .map(|(name, value)| format!("{name}={}", form::encode(value.expose())))
        .collect();
    message(gateway, &gateway.token_path, &fields.join("&"))
}

fn message(gateway: &Gateway, path: &str, body: &str) -> Result<Message, BenchError> {
    let (origin, authority) = (gateway.origin.to_string(), gateway.authority());
    Message::new(&Method::POST, &origin, &authority, path, &[FORM], Some(body)).map_err(BenchError::failed)
}

/// Revokes tokens. Failures are ignored: the tokens expire.
pub(crate) fn revoke(gateway: &Gateway, tokens: &[Secret]) {
    const TIMEOUT: Duration = Duration::from_secs(5);
    let (Some(path), Some((id, secret))) = (&gateway.revocation_path, &gateway.client) else { return };
    let all = async {
        let Ok(stream) = gateway.plain.connect().await else { return };
        let mut connection = Http1::new(stream);
        for token in tokens {
            let body = format!(
                "token={}&client_id={}&client_secret={}",
                form::encode(token.expose()),
                form::encode(id),
                form::encode(secret.expose())
            );
            let Ok(message) = message(gateway, path, &body) else { return };
            match connection.exchange(&message.http1, false, None).await {
                Ok(answer) if answer.reusable => {}
                _ => return,
            }
        }
    };
    let _ = within(TIMEOUT, all);
}

/// Drives a future that does network input and output. Returns `None` if that takes too long.
///
/// # Errors
/// Fails if the system does not allow network input and output.
pub(crate) fn within<F: Future>(limit: Duration, future: F) -> Result<Option<F::Output>, BenchError> {
    let runtime = tasks::runtime()
        .map_err(|error| BenchError::failed(format!("cannot do network input and output: {error}")))?;
    Ok(tasks::block_on(&runtime, async { timeout(limit, future).await.ok() }))
}
