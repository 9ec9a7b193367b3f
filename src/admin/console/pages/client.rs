//! The page of one client.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::Path;
use http::StatusCode;
use serde_json::{Value as Json, json};

use super::clients::{badges, url};
use super::new_client::check_scope;
use super::routes::{name as route_name, url as route_url};
use crate::access::matrix::matrix;
use crate::admin::console::state::{Message, NewSecret};
use crate::admin::console::view::clients::{ClientPage, SecretRow};
use crate::admin::console::view::form::Errors;
use crate::admin::console::view::frame::{Notice, Section};
use crate::admin::console::view::parts::{Choice, Link, Tone};
use crate::admin::console::visit::{Answer, Form, Visit, go_to};
use crate::admin::console::wording::{self, sentence};
use crate::admin::console::workspace::problem;
use crate::admin::problem::Problem;
use crate::admin::user::Fields;
use crate::change::audit::{AuditLine, Event};
use crate::change::error::ChangeError;
use crate::config::{Client, Config, Role, ShownDuration, grouped, parse_duration, parse_rate};

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit, Path(id): Path<String>) -> Answer {
    let config = visit.planned().await;
    page(&visit, StatusCode::OK, &config, find(&config, &id)?, Errors::default())
}

fn page(visit: &Visit, status: StatusCode, config: &Config, client: &Client, errors: Errors) -> Answer {
    let id = client.id.as_str();
    let held = |scope: &str| client.scopes.contains(scope);
    let scopes =
        config.scopes.iter().map(|scope| Choice::new(&*scope.name, &*scope.description, held(&scope.name)));
    let defaults =
        client.scopes.iter().map(|scope| Choice::new(scope, "", client.default_scopes.contains(scope)));
    let [credentials, introspection] =
        [client.capabilities.client_credentials, client.capabilities.introspection];
    let reached = matrix(config)
        .into_iter()
        .filter(|row| row.cells.iter().any(|(other, reach)| other.id == client.id && reach.is_allowed()));
    let secrets = secrets(visit, client);
    let page = ClientPage {
        errors,
        id: id.to_owned(),
        url: url(id),
        badges: badges(visit, client),
        methods: methods(client),
        capabilities: vec![
            Choice::new("client_credentials", "may get tokens for itself", credentials),
            Choice::new("introspection", "may ask about the tokens of every client", introspection),
        ],
        scopes: scopes.collect(),
        default_scopes: defaults.collect(),
        held_capabilities: client.capability_names().into_iter().map(str::to_owned).collect(),
        held_scopes: client.scopes.iter().map(str::to_owned).collect(),
        token_lifetime: ShownDuration(client.token_lifetime).to_string(),
        token_lifetime_hint: format!(
            "If it is empty, tokens live as long as [token_service] says: {}.",
            ShownDuration(config.token_service.token_lifetime)
        ),
        rate_limit: client.rate_limit.map(|rate| rate.to_string()).unwrap_or_default(),
        enabled: client.enabled,
        routes: reached
            .map(|row| Link { url: route_url(&row.route.label()), text: route_name(row.route) })
            .collect(),
        tokens: visit.admin.gate().tokens_live_of(id).map_or_else(|| "none".to_owned(), grouped),
        can_revoke: visit.admin.gate().tokens_live_of(id).is_some_and(|live| live > 0),
        secrets,
        frame: visit.live_frame(Section::Clients, id),
    };
    visit.page_with(status, &page)
}

fn secrets(visit: &Visit, client: &Client) -> Vec<SecretRow> {
    let usage = visit.admin.gate().secret_usage(client.id.as_str());
    let now = SystemTime::now();
    let all: Vec<_> = client.authentication.secret.iter().flat_map(|secrets| &secrets.secrets).collect();
    let can_drop = all.len() > 1;
    let rows = all.into_iter().map(|secret| {
        let used = usage.iter().find(|(id, _)| *id == secret.id).map(|(_, usage)| usage);
        SecretRow {
            id: secret.id.clone(),
            ends: secret.expires.map_or_else(|| "never".to_owned(), |ends| wording::relative(ends, now)),
            last_used: match used.and_then(|used| used.last_used) {
                Some(used) => wording::relative(UNIX_EPOCH + used, now),
                None => "not yet".to_owned(),
            },
            from: used
                .and_then(|used| used.last_address)
                .map_or_else(|| "–".to_owned(), |from| from.to_string()),
            refused: grouped(used.map_or(0, |used| used.refused_count)),
            can_drop,
        }
    });
    rows.collect()
}

/// Describes how a client authenticates by other means than a secret.
fn methods(client: &Client) -> Vec<String> {
    let ways = &client.authentication;
    let mut methods = Vec::new();
    if ways.private_key_jwt.is_some() {
        methods.push("private_key_jwt: it signs an assertion with its own key".to_owned());
    }
    if ways.tls_client_auth.is_some() {
        methods.push("tls_client_auth: it shows a certificate of a trusted authority".to_owned());
    }
    if ways.self_signed_tls_client_auth.is_some() {
        methods.push("self_signed_tls_client_auth: it shows one certificate".to_owned());
    }
    methods
}

/// Adds the modified fields to the user's changes.
pub(in crate::admin::console) async fn edit(Path(id): Path<String>, Form { visit, fields }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let config = visit.planned().await;
    let client = find(&config, &id)?;
    let mut errors = Errors::default();
    let operations = differences(&config, client, &fields, &mut errors);
    if errors.is_empty() {
        match visit.add_and_notify(&format!("Client {id}"), operations).await {
            Ok(()) => return go_to(&url(&id)),
            Err(ChangeError::Conflict(_, conflict)) => errors.add("", sentence(&conflict.to_string())),
            Err(error) => return Err(problem(error)),
        }
    }
    page(&visit, StatusCode::UNPROCESSABLE_ENTITY, &config, client, errors)
}

/// Returns the operations that change a client to the values of the form.
fn differences(config: &Config, client: &Client, fields: &Fields, errors: &mut Errors) -> Vec<Json> {
    let id = client.id.as_str();
    let mut operations = Vec::new();
    let mut scopes: Vec<&str> = fields.all("scope").collect();
    let new_scope = fields.value("new_scope");
    if !new_scope.is_empty() {
        check_scope(errors, "new_scope", new_scope);
        let description = fields.value("new_scope_description");
        operations.push(json!({ "op": "scope_add", "name": new_scope, "description": description }));
        scopes.push(new_scope);
    }
    let mut lists = |op: &str, member: &str, before: Vec<&str>, after: &[&str]| {
        let missing = |from: &[&str], of: &[&str]| -> Vec<String> {
            of.iter().filter(|name| !from.contains(name)).map(|name| (*name).to_owned()).collect()
        };
        let (added, removed) = (missing(&before, after), missing(after, &before));
        if !added.is_empty() || !removed.is_empty() {
            operations.push(json!({ "op": op, "id": id, member: { "add": added, "remove": removed } }));
        }
    };
    let capabilities: Vec<&str> = fields.all("capability").collect();
    lists("client_capabilities", "capabilities", client.capability_names(), &capabilities);
    lists("client_scopes", "scopes", client.scopes.iter().collect(), &scopes);
    // The operation on scopes also removes the default scopes that the client no longer has.
    let kept: Vec<&str> = client.default_scopes.iter().filter(|scope| scopes.contains(scope)).collect();
    let defaults: Vec<&str> = fields.all("default_scope").filter(|scope| scopes.contains(scope)).collect();
    lists("client_default_scopes", "scopes", kept, &defaults);
    let lifetime = fields.value("token_lifetime");
    let wanted =
        if lifetime.is_empty() { Ok(config.token_service.token_lifetime) } else { parse_duration(lifetime) };
    match wanted {
        Err(error) => errors.add("token_lifetime", sentence(&error.to_string())),
        Ok(wanted) if wanted == client.token_lifetime => {}
        Ok(_) => {
            let lifetime = (!lifetime.is_empty()).then_some(lifetime);
            operations.push(json!({ "op": "client_lifetime", "id": id, "token_lifetime": lifetime }));
        }
    }
    let rate = fields.value("rate_limit");
    match if rate.is_empty() { Ok(None) } else { parse_rate(rate).map(Some) } {
        Err(error) => errors.add("rate_limit", sentence(&error.to_string())),
        Ok(wanted) if wanted == client.rate_limit => {}
        Ok(wanted) => {
            let rate = wanted.map(|rate| rate.to_string());
            operations.push(json!({ "op": "client_rate", "id": id, "rate_limit": rate }));
        }
    }
    let enabled = fields.has("enabled");
    if enabled != client.enabled {
        operations.push(json!({ "op": "client_enabled", "id": id, "enabled": enabled }));
    }
    operations
}

/// Gives a client a new secret, which the next page shows once.
pub(in crate::admin::console) async fn reset_secret(
    Path(id): Path<String>,
    Form { visit, fields }: Form,
) -> Answer {
    visit.user.require(Role::Editor)?;
    let config = visit.planned().await;
    let client = find(&config, &id)?;
    let own = fields.raw("secret");
    let secret = if own.is_empty() { json!({ "generate": true }) } else { json!({ "text": own }) };
    let keep = parse_duration(fields.value("keep")).ok().map(|keep| keep.as_secs()).filter(|keep| *keep > 0);
    let operation = json!({ "op": "client_reset_secret", "id": id, "secret": secret, "keep_old": keep });
    if !own.is_empty() && own.chars().count() < 8 {
        let mut errors = Errors::default();
        errors.add("own", "Enter a secret of at least 8 characters, or none.");
        return page(&visit, StatusCode::UNPROCESSABLE_ENTITY, &config, client, errors);
    }
    let made = visit.add(&format!("New secret of {id}"), vec![operation]).await.map_err(problem)?;
    if let Some(secret) = made.secret {
        let secret = NewSecret { client: id, is_new_client: false, secret, warnings: made.warnings };
        visit.console.leave(&visit.user.form_token, Message::Secret(secret));
    }
    go_to("/clients/secret")
}

/// Removes one of a client's secrets.
pub(in crate::admin::console) async fn drop_secret(
    Path(id): Path<String>,
    Form { visit, fields }: Form,
) -> Answer {
    visit.user.require(Role::Editor)?;
    let secret = fields.value("secret_id");
    let operation = json!({ "op": "client_drop_secret", "id": id, "secret_id": secret });
    visit.add_and_notify(&format!("Secret {secret} of {id}"), vec![operation]).await.map_err(problem)?;
    go_to(&url(&id))
}

/// Revokes all tokens of a client, at once.
pub(in crate::admin::console) async fn revoke_tokens(
    Path(id): Path<String>,
    Form { visit, .. }: Form,
) -> Answer {
    visit.user.require(Role::Editor)?;
    revoke_all(&visit, &id).await?;
    go_to(&url(&id))
}

/// Revokes all tokens of a client, and stores a notice for the next page.
pub(super) async fn revoke_all(visit: &Visit, id: &str) -> Result<(), Problem> {
    let object = id.to_owned();
    // A revocation that cannot be recorded in the audit is not carried out.
    let recorded = visit.change(move |changes, actor| {
        let line = AuditLine::now(actor, Event::Revoke, &object, "revoked");
        changes.audit().record(&line).map_err(ChangeError::Audit)
    });
    recorded.await.map_err(problem)?;
    match visit.admin.gate().revoke_all_async(id).await {
        Ok(true) => visit.notify(Notice::new(Tone::Good, format!("All tokens of {id} are revoked."))),
        Ok(false) => return Err(Problem::not_found(format!("there is no client \"{id}\""))),
        Err(error) => {
            log::error!("the revocation of all tokens of \"{id}\" is not kept: {error}");
            let text =
                "The tokens are refused by this process, but the store could not keep that: try again.";
            visit.notify(Notice::new(Tone::Bad, text));
        }
    }
    Ok(())
}

/// Removes a client.
pub(in crate::admin::console) async fn remove(Path(id): Path<String>, Form { visit, .. }: Form) -> Answer {
    visit.user.require(Role::Editor)?;
    let operation = json!({ "op": "client_remove", "id": id });
    visit.add_and_notify(&format!("Remove the client {id}"), vec![operation]).await.map_err(problem)?;
    go_to("/changes")
}

fn find<'c>(config: &'c Config, id: &str) -> Result<&'c Client, Problem> {
    config.client(id).ok_or_else(|| Problem::not_found(format!("there is no client \"{id}\"")))
}
