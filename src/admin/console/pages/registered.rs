//! The page of one client that has registered itself.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::Path;
use serde_json::{Value as Json, json};

use super::client::revoke_all;
use super::registered_state::{Listed, badge, last_used, url};
use super::routes::name as route_name;
use crate::access::reach::Reach;
use crate::access::registered::client as as_configured;
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::parts::{Badge, Term, Tone};
use crate::admin::console::view::registration::RegisteredPage;
use crate::admin::console::visit::{Answer, Form, Visit, go_to};
use crate::admin::console::wording;
use crate::admin::console::workspace::problem;
use crate::admin::problem::Problem;
use crate::config::{Access, Client, Config, Role, ShownDuration, grouped};
use crate::gate::{GateSpec, Registered};

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit, Path(id): Path<String>) -> Answer {
    let client = find(&visit, &id)?;
    let config = visit.planned().await;
    let registration = GateSpec::from(&*config).registration;
    let spec = registration.and_then(|registration| client.spec(&registration));
    let configured = spec.map(|spec| as_configured(&config, spec));
    let listed = Listed::of(&config, &id);
    let live = visit.admin.gate().tokens_live_of(&id);
    let page = RegisteredPage {
        url: url(&id),
        badges: planned_badges(&visit, &client, listed),
        terms: terms(&visit, &client, configured.as_ref()),
        scopes: configured.iter().flat_map(|client| client.scopes.iter()).map(str::to_owned).collect(),
        routes: configured.as_ref().map(|client| routes(&config, client)).unwrap_or_default(),
        tokens: live.map_or_else(|| "none".to_owned(), grouped),
        can_revoke: live.is_some_and(|live| live > 0),
        is_disabled: listed.disabled,
        is_removed: listed.removed,
        is_owner: visit.user.role >= Role::Owner,
        frame: visit.live_frame(Section::Clients, &id),
        id,
    };
    visit.page(&page)
}

/// Disables, enables or removes the client in the user's changes.
pub(in crate::admin::console) async fn set_state(
    Path(id): Path<String>,
    Form { visit, fields }: Form,
) -> Answer {
    visit.user.require(Role::Owner)?;
    find(&visit, &id)?;
    let state = fields.value("state");
    let verb = match state {
        "enabled" => "Enable",
        "disabled" => "Disable",
        _ => "Remove",
    };
    let operation = json!({ "op": "registered_client", "id": id, "state": state });
    let title = format!("{verb} the registered client {id}");
    visit.add_and_notify(&title, vec![operation]).await.map_err(problem)?;
    go_to(&url(&id))
}

/// Revokes all tokens of the client, at once.
pub(in crate::admin::console) async fn revoke_tokens(
    Path(id): Path<String>,
    Form { visit, .. }: Form,
) -> Answer {
    visit.user.require(Role::Editor)?;
    find(&visit, &id)?;
    revoke_all(&visit, &id).await?;
    go_to(&url(&id))
}

fn planned_badges(visit: &Visit, client: &Registered, planned: Listed) -> Vec<Badge> {
    let mut badges = vec![badge(visit, client)];
    let now = Listed::of(&visit.config(), client.id.as_str());
    let change = match planned {
        _ if planned == now => None,
        Listed { removed: true, .. } => Some("removed in your changes"),
        Listed { disabled: true, .. } => Some("disabled in your changes"),
        _ => Some("enabled in your changes"),
    };
    badges.extend(change.map(|text| Badge::new(Tone::Warn, text)));
    badges
}

fn terms(visit: &Visit, client: &Registered, configured: Option<&Client>) -> Vec<Term> {
    let now = SystemTime::now();
    let at = |seconds| wording::relative(wording::since_1970(seconds), now);
    let mut terms = vec![
        Term::new("Template", &*client.template),
        Term::new("Registered", at(client.issued_at)),
        Term::new("With the token", &*client.token),
        Term::new("Last used", last_used(client)),
        Term::new("Authentication", client.metadata.method.as_str()),
    ];
    let expires = visit.admin.gate().registered_expiry(client);
    terms.extend(expires.map(|expires| Term::new("Ends if unused", at(expires))));
    let lifetime = configured.map(|client| ShownDuration(client.token_lifetime).to_string());
    terms.extend(lifetime.map(|lifetime| Term::new("Token lifetime", lifetime)));
    let rate = configured.and_then(|client| client.rate_limit);
    terms.extend(rate.map(|rate| Term::new("Rate limit", rate.to_string())));
    terms.extend(own_words(client));
    terms
}

/// Returns what a client says about itself, for people.
fn own_words(client: &Registered) -> Vec<Term> {
    const SHOWN: [(&str, &str); 8] = [
        ("client_name", "Name"),
        ("client_uri", "Home page"),
        ("logo_uri", "Logo"),
        ("tos_uri", "Terms of service"),
        ("policy_uri", "Privacy policy"),
        ("contacts", "Contacts"),
        ("software_id", "Software"),
        ("software_version", "Software version"),
    ];
    let members = client.metadata.members();
    let text = |value: &Json| match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => items.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    };
    SHOWN.iter().filter_map(|(member, name)| Some(Term::new(*name, text(members.get(*member)?)))).collect()
}

fn routes(config: &Config, client: &Client) -> Vec<String> {
    let is_reached = |route: &&crate::config::Route| {
        matches!(route.access, Access::Token { .. }) && Reach::of(client, route).is_allowed()
    };
    config.routes.iter().filter(is_reached).map(route_name).collect()
}

fn find(visit: &Visit, id: &str) -> Result<Arc<Registered>, Problem> {
    let client = visit.admin.gate().registered_client(id);
    client.ok_or_else(|| Problem::not_found(format!("no client has registered itself as \"{id}\"")))
}
