//! `tollgate client show`.

use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use super::secrets::{self, End};
use super::usage::Usage;
use crate::change::EditError;
use crate::change::conflict::{Conflict, Kind};
use crate::cli::failure::Failure;
use crate::cli::{output, with_registered};
use crate::config::{Client, ShownDuration, suggestion};
use crate::oauth::registration::is_client_id;
use crate::utc;

pub(super) fn show(path: &Path, name: &str, as_json: bool) -> Result<(), Failure> {
    let config = with_registered::read(path)?;
    let Some(client) = config.client(name) else {
        let hint = suggestion(name, config.clients.iter().map(|client| client.id.as_str()));
        return Err(EditError::from(Conflict::Missing(Kind::Client, name.to_owned(), hint)).into());
    };
    let now = SystemTime::now();
    let usage = Usage::read(&config, now);
    if as_json {
        return output::print(&output::json(&json(client, &usage, now)));
    }
    let list = |items: Vec<&str>| if items.is_empty() { "-".to_owned() } else { items.join(", ") };
    let mut rows = vec![
        vec!["client_id".to_owned(), client.id.to_string()],
        vec!["status".to_owned(), status(client).to_owned()],
        vec!["capabilities".to_owned(), list(client.capability_names())],
        vec!["scopes".to_owned(), list(client.scopes.iter().collect())],
        vec!["default scopes".to_owned(), list(client.default_scopes.iter().collect())],
        vec!["token lifetime".to_owned(), ShownDuration(client.token_lifetime).to_string()],
        vec!["authentication".to_owned(), list(client.authentication_methods())],
        if is_client_id(name) && client.position.line == 0 {
            vec!["source".to_owned(), "registered itself".to_owned()]
        } else {
            let file = config.file_of(client.position).display();
            vec!["in the file".to_owned(), format!("{file}:{}", client.position.line)]
        },
    ];
    if !client.audiences.is_empty() {
        rows.push(vec!["audiences".to_owned(), client.audiences.join(", ")]);
    }
    for secret in client.authentication.secret.iter().flat_map(|secret| &secret.secrets) {
        let end = match (secrets::end(secret, now), secret.expires) {
            (End::Past, Some(at)) => format!("expired at {}", utc::at(at)),
            (_, Some(at)) => format!("expires at {}", utc::at(at)),
            (_, None) => "does not expire".to_owned(),
        };
        let used = usage.text(client, secret).map(|used| format!("; {used}")).unwrap_or_default();
        rows.push(vec![format!("secret {:?}", secret.id), end + &used]);
    }
    output::print(&output::columns(&rows))?;
    secrets::warnings(client, &usage, now).iter().for_each(|warning| output::note(warning));
    Ok(())
}

/// Returns a client as JSON, without hashes.
pub(super) fn json(client: &Client, usage: &Usage, now: SystemTime) -> Value {
    let secrets: Vec<Value> = client
        .authentication
        .secret
        .iter()
        .flat_map(|secret| &secret.secrets)
        .zip(usage.warnings(client))
        .map(|(secret, warnings)| {
            let end = secrets::end(secret, now);
            json!({
                "id": secret.id,
                "expires": secret.expires.map(|at| utc::at(at).to_string()),
                "expired": end == End::Past,
                "expires_soon": end == End::Soon,
                "still_used_near_end": end != End::Past && !warnings.is_empty(),
                "usage": usage.json(client, secret),
            })
        })
        .collect();
    let source = if client.position.line == 0 { "registered" } else { "file" };
    json!({
        "source": source,
        "client_id": client.id.as_str(),
        "enabled": client.enabled,
        "capabilities": client.capability_names(),
        "scopes": client.scopes.iter().collect::<Vec<_>>(),
        "default_scopes": client.default_scopes.iter().collect::<Vec<_>>(),
        "token_lifetime": client.token_lifetime.as_secs(),
        "token_endpoint_auth_methods": client.authentication_methods(),
        "audiences": client.audiences,
        "secrets": secrets,
        "line": client.position.line,
    })
}

pub(super) fn status(client: &Client) -> &'static str {
    if client.enabled { "enabled" } else { "disabled" }
}
