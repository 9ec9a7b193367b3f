//! The tokens of a client: their scopes and audience, never the tokens themselves.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::caller::Caller;
use super::clients::unknown;
use super::extract::InPath;
use super::moment;
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::change::audit::{AuditLine, Event};
use crate::gate::TokenInfo;

/// The maximum number of records in the store that are examined.
const MOST_LOOKED_AT: usize = 100_000;
/// The maximum number of tokens in the list.
const MOST_LISTED: usize = 200;

/// The tokens of a client.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct TokensView {
    /// The number of valid tokens.
    live: u64,
    /// At most 200 of the tokens.
    tokens: Vec<TokenView>,
    /// Whether the list is complete. In a large store, the search ends early.
    complete: bool,
}

/// The properties of a token. The token itself is not shown.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct TokenView {
    issued: String,
    expires: String,
    scopes: Vec<String>,
    audience: Option<String>,
    /// The proof that must be sent with the token: `dpop` or `certificate`.
    bound_to: Vec<&'static str>,
}

/// Lists the valid tokens of a client.
#[cfg_attr(test, utoipa::path(get, path = "/clients/{id}/tokens", tag = "clients", params(("id" = String, Path, description = "The client id.")), responses((status = 200, body = TokensView), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    InPath(id): InPath<String>,
) -> Result<Json<TokensView>, Problem> {
    let gate = state.gate();
    let live = gate.live_tokens_of(&id).ok_or_else(unknown)?;
    let (tokens, complete) = gate.tokens_of(&id, MOST_LOOKED_AT, MOST_LISTED);
    Ok(Json(TokensView { live, tokens: tokens.into_iter().map(view).collect(), complete }))
}

fn view(token: TokenInfo) -> TokenView {
    let bound = [(token.bound_to_key, "dpop"), (token.bound_to_certificate, "certificate")];
    TokenView {
        issued: moment::since_1970(token.issued),
        expires: moment::since_1970(token.expires),
        scopes: token.scopes.iter().map(str::to_owned).collect(),
        audience: token.audience,
        bound_to: bound.into_iter().filter_map(|(is, name)| is.then_some(name)).collect(),
    }
}

/// The result of a revocation.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct Revoked {
    /// The number of tokens that were valid before.
    revoked: u64,
}

/// Revokes all tokens of a client at once. The client can get new tokens.
#[cfg_attr(test, utoipa::path(post, path = "/clients/{id}/revoke-tokens", tag = "clients", params(("id" = String, Path, description = "The client id.")), responses((status = 200, body = Revoked), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn revoke(
    State(state): State<AdminState>,
    caller: Caller,
    InPath(id): InPath<String>,
) -> Result<Json<Revoked>, Problem> {
    let gate = state.gate();
    let revoked = gate.live_tokens_of(&id).ok_or_else(unknown)?;
    // Even if the store fails, this gateway refuses the tokens from now on: the audit has it before that.
    let line = AuditLine::now(&caller.actor(), Event::Revoke, &id, "revoked");
    state.audit(line.detail(&format!("{revoked} tokens"))).await;
    match gate.revoke_all_async(&id).await {
        Ok(true) => Ok(Json(Revoked { revoked })),
        Ok(false) => Err(unknown()),
        Err(error) => Err(Problem::new(
            http::StatusCode::SERVICE_UNAVAILABLE,
            "store-unavailable",
            format!(
                "the tokens are refused here, and other gateways may still accept them: {error}; repeat the request"
            ),
        )),
    }
}
