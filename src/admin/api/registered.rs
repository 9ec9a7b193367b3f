//! The clients that have registered themselves.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::extract::InQuery;
use super::moment;
use super::paging::{Page, PageQuery};
use crate::admin::problem::Problem;
use crate::admin::state::AdminState;
use crate::gate::Registered;

/// A client that has registered itself, without anything secret.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(super) struct RegisteredView {
    id: String,
    /// The name that it has given itself.
    name: Option<String>,
    /// Whether it may authenticate: its template exists, and no operator has disabled it.
    enabled: bool,
    template: String,
    /// The name of the initial access token with which it was registered.
    initial_access_token: String,
    /// The scopes that it may ask for, as far as its template allows.
    scopes: Vec<String>,
    authentication: &'static str,
    registered: String,
    last_used: Option<String>,
    /// When it is removed if nobody uses it.
    expires: Option<String>,
    /// Its tokens that are valid.
    tokens_live: u64,
}

/// Lists the clients that have registered themselves, in the order of their ids.
#[cfg_attr(test, utoipa::path(get, path = "/registered-clients", tag = "clients", params(PageQuery), responses((status = 200, body = Page<RegisteredView>), (status = "default", body = Problem, content_type = "application/problem+json"))))]
pub(super) async fn list(
    State(state): State<AdminState>,
    InQuery(query): InQuery<PageQuery>,
) -> Result<Json<Page<RegisteredView>>, Problem> {
    let clients = state.gate().registered_clients();
    query.page(&clients, |client| client.id.to_string(), |client| view(&state, client)).map(Json)
}

fn view(state: &AdminState, client: &Registered) -> RegisteredView {
    let gate = state.gate();
    let spec = gate.registered_spec(client);
    let at = |seconds: u64| moment::since_1970(std::time::Duration::from_secs(seconds));
    let used = client.last_used();
    RegisteredView {
        id: client.id.to_string(),
        name: client.metadata.name().map(str::to_owned),
        enabled: spec.as_ref().is_some_and(|spec| spec.policy.enabled),
        template: client.template.clone(),
        initial_access_token: client.token.clone(),
        scopes: spec.iter().flat_map(|spec| spec.policy.scopes.iter()).map(str::to_owned).collect(),
        authentication: client.metadata.method.as_str(),
        registered: at(client.issued_at),
        last_used: (used > client.issued_at).then(|| at(used)),
        expires: gate.registered_expiry(client).map(at),
        tokens_live: gate.live_tokens_of(client.id.as_str()).unwrap_or(0),
    }
}
