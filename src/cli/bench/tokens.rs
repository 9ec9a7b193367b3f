//! Tokens to use in turn.

use std::time::Duration;

use http::Method;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::gateway::Gateway;
use crate::bench::http1::Http1;
use crate::bench::scenario::Message;
use crate::cli::failure::Failure;
use crate::cli::gateway_url::form;
use crate::cli::post::post;
use crate::cli::token;
use crate::oauth::secret::Secret;

/// For all of them.
const PATIENCE: Duration = Duration::from_secs(60);
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");

/// Tokens that are good for now.
#[derive(Default)]
pub(super) struct Tokens {
    pub(super) all: Vec<Secret>,
    /// When the first of them is not good any more.
    expire: Option<Instant>,
}

impl Tokens {
    /// Whether they are good for so long.
    pub(super) fn last(&self, span: Duration) -> bool {
        const MARGIN: Duration = Duration::from_secs(3);
        !self.all.is_empty() && self.expire.is_none_or(|expire| Instant::now() + span + MARGIN < expire)
    }

    /// As many new ones.
    pub(super) fn get(gateway: &Gateway, count: usize) -> Result<Self, Failure> {
        let began = Instant::now();
        // The first one tells in words what is wrong.
        let fields = fields(gateway);
        let url = gateway.url(&gateway.token_path);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.expose())).collect();
        let answer = post(&url, &gateway.trust, &fields).map_err(Failure::other)?;
        let first = token::good(&answer, &url)?;
        let Some(text) = access_token(&first) else {
            return Err(Failure::other(format!(
                "{url} answered without an access_token; is it the gateway?"
            )));
        };
        let expires_in = first.get("expires_in").and_then(Value::as_u64);
        let mut tokens =
            Self { all: vec![text], expire: expires_in.map(|seconds| began + Duration::from_secs(seconds)) };
        let message = request(gateway)?;
        let more = within(PATIENCE, more(gateway, &message, count))?
            .ok_or_else(|| Failure::other(format!("no {count} tokens within {} s", PATIENCE.as_secs())))?;
        tokens.all.extend(more?);
        Ok(tokens)
    }
}

async fn more(gateway: &Gateway, message: &Message, count: usize) -> Result<Vec<Secret>, Failure> {
    let (mut tokens, mut connection) = (Vec::with_capacity(count), None);
    while tokens.len() + 1 < count {
        let failed = |fault| Failure::other(format!("while getting tokens: {fault}"));
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
            return Err(Failure::other(format!(
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

/// The token request.
pub(super) fn request(gateway: &Gateway) -> Result<Message, Failure> {
    let fields: Vec<String> =
        fields(gateway).iter().map(|(name, value)| format!("{name}={}", form(value.expose()))).collect();
    message(gateway, &gateway.token_path, &fields.join("&"))
}

fn message(gateway: &Gateway, path: &str, body: &str) -> Result<Message, Failure> {
    let (origin, authority) = (gateway.origin.to_string(), gateway.authority());
    Message::new(&Method::POST, &origin, &authority, path, &[FORM], Some(body)).map_err(Failure::other)
}

/// Gives tokens back. What fails does no harm: they expire.
pub(super) fn revoke(gateway: &Gateway, tokens: &[Secret]) {
    const PATIENCE: Duration = Duration::from_secs(5);
    let (Some(path), Some((id, secret))) = (&gateway.revocation_path, &gateway.client) else { return };
    let all = async {
        let Ok(stream) = gateway.plain.connect().await else { return };
        let mut connection = Http1::new(stream);
        for token in tokens {
            let body = format!(
                "token={}&client_id={}&client_secret={}",
                form(token.expose()),
                form(id),
                form(secret.expose())
            );
            let Ok(message) = message(gateway, path, &body) else { return };
            match connection.exchange(&message.http1, false, None).await {
                Ok(answer) if answer.reusable => {}
                _ => return,
            }
        }
    };
    let _ = within(PATIENCE, all);
}

/// Drives a future that does network input and output; nothing if that takes too long.
pub(super) fn within<F: Future>(patience: Duration, future: F) -> Result<Option<F::Output>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format!("cannot do network input and output: {error}")))?;
    Ok(runtime.block_on(async { timeout(patience, future).await.ok() }))
}
