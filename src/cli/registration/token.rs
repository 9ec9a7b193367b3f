//! `tollgate registration token` and `tollgate registration remove-token`.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::change::new_secret;
use crate::change::operation::Operation;
use crate::change::registration::NewToken;
use crate::change::validity::validity;
use crate::cli::client::save;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::Config;
use crate::utc;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The token's name, in listings.
    name: String,
    /// The template that bounds what clients may register with it.
    #[arg(long, value_name = "TEMPLATE")]
    template: String,
    /// How long the token is valid, such as 7d. Default: until it is removed.
    #[arg(long, value_name = "DURATION", value_parser = validity)]
    expires_in: Option<Duration>,
    /// How many clients can be registered with it. Default: any number.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    max_uses: Option<u32>,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

pub(super) fn add(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (token, digest) = new_secret::initial_token().map_err(|error| Failure::other(error.to_string()))?;
    let expires = arguments.expires_in.and_then(|time| SystemTime::now().checked_add(time));
    let new = NewToken {
        name: arguments.name.clone(),
        digest: digest.to_text(),
        template: arguments.template.clone(),
        expires: expires.map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()),
        max_uses: arguments.max_uses,
    };
    let operation = Operation::RegistrationTokenAdd { token: new };
    let ((), config) = save::edit(path, |file| Ok(file.apply(&operation)?))?;
    let (url, until) = (url(&config), expires.map(|at| utc::at(at).to_string()));
    let text = if arguments.json {
        output::json(&json!({
            "name": arguments.name,
            "initial_access_token": token.expose(),
            "template": arguments.template,
            "expires": until,
            "max_uses": arguments.max_uses,
            "registration_endpoint": url,
        }))
    } else {
        format!(
            "The initial access token {:?} is added. It is shown once:\n\n  token     {}\n  endpoint  {url}\n  template  \
             {}\n  expires   {}\n  uses      {}\n\nA client registers with\n\n  curl -H 'Authorization: Bearer TOKEN' -H \
             'Content-Type: application/json' -d '{{\"client_name\":\"NAME\"}}' {url}\n",
            arguments.name,
            token.expose(),
            arguments.template,
            until.as_deref().unwrap_or("never"),
            arguments.max_uses.map_or("any number".to_owned(), |uses| uses.to_string()),
        )
    };
    output::print_once(&text, "remove it with `tollgate registration remove-token`, and make another")
}

pub(super) fn remove(path: &Path, name: &str) -> Result<(), Failure> {
    let operation = Operation::RegistrationTokenRemove { name: name.to_owned() };
    save::edit(path, |file| Ok(file.apply(&operation)?))?;
    output::print(&format!(
        "The initial access token {name:?} is gone. A running gateway refuses it within 2 seconds.\n"
    ))
}

/// Returns the URL of the registration endpoint, as clients know it.
fn url(config: &Config) -> String {
    let service = &config.token_service;
    let endpoint = service.registration.as_ref().map_or("", |registration| registration.endpoint.as_str());
    format!("{}{endpoint}", service.issuer.as_str().trim_end_matches('/'))
}
