//! `tollgate client reset-secret`.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use clap_complete::engine::ArgValueCompleter;
use serde_json::json;

use super::{add, save};
use crate::change::new_secret;
use crate::change::operation::{Operation, millis};
use crate::change::validity::validity;
use crate::cli::completed_names::clients;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::{ClientSecret, Config};
use crate::gate::SecretHash;
use crate::utc;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The client's id.
    #[arg(add = ArgValueCompleter::new(clients))]
    name: String,
    /// How long the old secrets stay valid, such as 24h. Default: they end at once.
    #[arg(long, value_name = "DURATION", value_parser = validity)]
    keep_old: Option<Duration>,
    /// End the client's tokens too, because the old secret was leaked.
    #[arg(long)]
    revoke_tokens: bool,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
}

pub(super) fn reset_secret(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let (secret, hash) = new_secret::generate()?;
    let now = SystemTime::now();
    let operation = Operation::ClientResetSecret {
        id: arguments.name.clone(),
        secret: hash.to_phc(),
        at: millis(now),
        keep_old: arguments.keep_old.map(|keep| keep.as_secs()),
        revoke_tokens: arguments.revoke_tokens,
    };
    let (before, config) = save::edit(path, |file| {
        file.apply(&operation)?;
        Ok(file.config_before().map(|config| secrets(config, &arguments.name)).unwrap_or_default())
    })?;
    let rotated = Rotated::between(&before, &secrets(&config, &arguments.name), &hash);
    let until = arguments.keep_old.and_then(|keep| now.checked_add(keep));
    let until = until.filter(|_| !rotated.kept.is_empty()).map(|until| utc::at(until).to_string());
    let text = if arguments.json {
        output::json(&json!({
            "client_id": arguments.name,
            "client_secret": secret.expose(),
            "secret_id": rotated.id,
            "kept": rotated.kept,
            "kept_until": until,
            "removed": rotated.dropped,
            "tokens_revoked": arguments.revoke_tokens,
        }))
    } else {
        let mut text = format!("The client {:?} has a new secret.\n\n", arguments.name);
        text.push_str(&add::credentials(&config, &arguments.name, &secret));
        let _ = match &until {
            Some(until) => {
                writeln!(text, "\nStill valid until {until} at the latest: {}", quoted(&rotated.kept))
            }
            None => {
                writeln!(text, "\nThe previous secret is refused.")
            }
        };
        if arguments.revoke_tokens {
            text.push_str("The client's present tokens end within 2 seconds.\n");
        } else if until.is_none() {
            text.push_str(
                "The client's present tokens stay valid until they expire (`--revoke-tokens` ends them).\n",
            );
        }
        if until.is_some() && !rotated.dropped.is_empty() {
            let _ = writeln!(text, "Expired earlier, and now removed: {}", quoted(&rotated.dropped));
        }
        text
    };
    output::print_once(&text, "reset it again")
}

/// What became of a client's secrets.
struct Rotated {
    /// The id of the new secret.
    id: String,
    /// The ids of the secrets that stay valid for a while.
    kept: Vec<String>,
    /// The ids of the secrets that were removed.
    dropped: Vec<String>,
}

impl Rotated {
    fn between(before: &[ClientSecret], after: &[ClientSecret], new: &SecretHash) -> Self {
        let (new, kept): (Vec<_>, Vec<_>) = after.iter().partition(|secret| secret.hash == *new);
        let kept: Vec<String> = kept.into_iter().map(|secret| secret.id.clone()).collect();
        let id = new.first().map(|secret| secret.id.clone()).unwrap_or_default();
        let old = before.iter().map(|secret| secret.id.clone());
        let dropped = old.filter(|old| !kept.contains(old)).collect();
        Self { id, kept, dropped }
    }
}

fn secrets(config: &Config, id: &str) -> Vec<ClientSecret> {
    let secret = config.client(id).and_then(|client| client.authentication.secret.as_ref());
    secret.map(|secret| secret.secrets.clone()).unwrap_or_default()
}

fn quoted(ids: &[String]) -> String {
    ids.iter().map(|id| format!("{id:?}")).collect::<Vec<_>>().join(", ")
}
