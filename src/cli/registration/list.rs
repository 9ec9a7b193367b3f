//! `tollgate registration list`.

use std::path::Path;

use serde_json::{Value, json};

use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::Registration;
use crate::gate::Registered;
use crate::gateway::registered;
use crate::utc;

pub(super) fn list(path: &Path, json: bool) -> Result<(), Failure> {
    let config = read_config(path)?;
    let Some(registration) = &config.token_service.registration else {
        return Err(Failure::config("clients cannot register: there is no [token_service.registration]"));
    };
    let clients = registered::stored(&config)
        .map_err(|error| Failure::other(format!("the registered clients are unknown: {error}")))?;
    if json {
        let clients: Vec<Value> = clients.iter().map(|client| to_json(client, registration)).collect();
        return output::print(&output::json(&Value::Array(clients)));
    }
    if clients.is_empty() {
        return output::print("No client has registered itself.\n");
    }
    let heads = ["CLIENT", "NAME", "STATUS", "TEMPLATE", "TOKEN", "SCOPES", "REGISTERED", "USED"];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(clients.iter().map(|client| {
        let scopes = client.metadata.scopes.as_str();
        vec![
            client.id.to_string(),
            visible(client.metadata.name().unwrap_or("-")),
            status(client, registration).to_owned(),
            client.template.clone(),
            client.token.clone(),
            if scopes.is_empty() { "-".to_owned() } else { scopes.to_owned() },
            utc::from_unix(client.issued_at).to_string(),
            used(client).unwrap_or_else(|| "never".to_owned()),
        ]
    }));
    output::print(&output::columns(&rows))
}

fn to_json(client: &Registered, registration: &Registration) -> Value {
    json!({
        "client_id": client.id.as_str(),
        "status": status(client, registration),
        "template": client.template,
        "initial_access_token": client.token,
        "registered": utc::from_unix(client.issued_at).to_string(),
        "last_used": used(client),
        "metadata": client.metadata.members(),
    })
}

/// Returns when a client was last used, or `None` if it never was. The stored time can be behind.
fn used(client: &Registered) -> Option<String> {
    let used = client.last_used();
    (used > client.issued_at).then(|| utc::from_unix(used).to_string())
}

fn status(client: &Registered, registration: &Registration) -> &'static str {
    let is_in = |ids: &[String]| ids.iter().any(|id| id == client.id.as_str());
    if is_in(&registration.removed_clients) {
        "removed"
    } else if !registration.templates.iter().any(|template| template.name == client.template) {
        "without template"
    } else if is_in(&registration.disabled_clients) {
        "disabled"
    } else {
        "enabled"
    }
}

/// Returns at most 40 characters of the name that a client has given itself. Registered names have no control
/// characters.
fn visible(name: &str) -> String {
    name.chars().take(40).collect()
}
