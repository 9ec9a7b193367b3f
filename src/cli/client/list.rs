//! `tollgate client list`.

use std::path::Path;
use std::time::SystemTime;

use serde_json::Value;

use super::usage::Usage;
use super::{secrets, show};
use crate::cli::failure::Failure;
use crate::cli::{output, with_registered};
use crate::config::{Client, ShownDuration};

pub(super) fn list(path: &Path, json: bool) -> Result<(), Failure> {
    let config = with_registered::read(path)?;
    let now = SystemTime::now();
    let usage = Usage::read(&config, now);
    if json {
        let clients: Vec<Value> =
            config.clients.iter().map(|client| show::json(client, &usage, now)).collect();
        return output::print(&output::json(&Value::Array(clients)));
    }
    if config.clients.is_empty() {
        return output::print("There are no clients; `tollgate client add NAME --scope SCOPE` adds one.\n");
    }
    let mut rows = vec![
        ["CLIENT", "STATUS", "SCOPES", "LIFETIME", "AUTHENTICATION", "USED"].map(str::to_owned).to_vec(),
    ];
    rows.extend(config.clients.iter().flat_map(|client| rows_of(client, &usage)));
    output::print(&output::columns(&rows))?;
    for warning in config.clients.iter().flat_map(|client| secrets::warnings(client, &usage, now)) {
        output::note(&warning);
    }
    Ok(())
}

/// Returns a row for each way in which a client may authenticate. The first row also has what all of them
/// share.
fn rows_of(client: &Client, usage: &Usage) -> Vec<Vec<String>> {
    let scopes = if client.scopes.is_empty() { "-" } else { client.scopes.as_str() };
    let mut first = vec![
        client.id.to_string(),
        show::status(client).to_owned(),
        scopes.to_owned(),
        ShownDuration(client.token_lifetime).to_string(),
    ];
    let mut rows = Vec::new();
    for [way, used] in ways(client, usage) {
        let blank = vec![String::new(); first.len()];
        let mut row = std::mem::replace(&mut first, blank);
        row.extend([way, used]);
        rows.push(row);
    }
    rows
}

/// Returns each secret with its last use, and then the other ways together.
fn ways(client: &Client, usage: &Usage) -> Vec<[String; 2]> {
    let secrets = client.authentication.secret.as_ref().map_or(&[][..], |secret| &secret.secrets);
    let mut ways = Vec::new();
    for secret in secrets {
        let name = if secrets.len() == 1 { "secret".to_owned() } else { format!("secret {:?}", secret.id) };
        ways.push([name, usage.text(client, secret).unwrap_or_else(|| "-".to_owned())]);
    }
    let others: Vec<&str> = client
        .authentication_methods()
        .into_iter()
        .filter(|method| !method.starts_with("client_secret"))
        .collect();
    if !others.is_empty() {
        ways.push([others.join(", "), String::new()]);
    }
    ways
}
