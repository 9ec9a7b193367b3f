//! `tollgate client list`.

use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use super::{secrets, show};
use crate::cli::{Failure, output, read};
use crate::config::{Client, ShownDuration};

pub(super) fn list(path: &Path, json: bool) -> Result<(), Failure> {
    let config = read(path)?;
    let now = SystemTime::now();
    if json {
        let clients: Vec<Value> = config.clients.iter().map(|client| show::json(client, now)).collect();
        return output::print(&output::json(&Value::Array(clients)));
    }
    if config.clients.is_empty() {
        return output::print("There are no clients; `tollgate client add NAME --scope SCOPE` adds one.\n");
    }
    let mut rows =
        vec![["CLIENT", "STATUS", "SCOPES", "LIFETIME", "AUTHENTICATION"].map(str::to_owned).to_vec()];
    rows.extend(config.clients.iter().map(row));
    output::print(&output::columns(&rows))?;
    for warning in config.clients.iter().flat_map(|client| secrets::warnings(client, now)) {
        output::note(&warning);
    }
    Ok(())
}

fn row(client: &Client) -> Vec<String> {
    let scopes = if client.scopes.is_empty() { "-" } else { client.scopes.as_str() };
    vec![
        client.id.clone(),
        show::status(client).to_owned(),
        scopes.to_owned(),
        ShownDuration(client.token_lifetime).to_string(),
        authentication(client),
    ]
}

fn authentication(client: &Client) -> String {
    let count = client.authentication.secret.as_ref().map_or(0, |secret| secret.secrets.len());
    let secrets = match count {
        0 => None,
        1 => Some("secret".to_owned()),
        _ => Some(format!("{count} secrets")),
    };
    let others = show::methods(client).into_iter().filter(|method| !method.starts_with("client_secret"));
    secrets.into_iter().chain(others.map(str::to_owned)).collect::<Vec<_>>().join(", ")
}
