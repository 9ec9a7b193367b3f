//! `tollgate keys`: the keys that sign JWTs.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::failure::Failure;
use crate::cli::output::{json as pretty, note, print};
use crate::config::{Config, JwtKeys, JwtService};
use crate::gateway::jwt_keys::file::{KeptKey, KeyFile};
use crate::gateway::jwt_keys::keeper::schedule;
use crate::gateway::jwt_keys::rotation::{Replacement, roles_of, rotate, tend, unix_time};
use crate::gateway::jwt_keys::schedule::Role;
use crate::gateway::load::compile;
use crate::utc;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show the keys and the state of each.
    List {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Make a new key. It is published at once, and signs after `publish_before`. A running gateway uses it
    /// within a second.
    Rotate {
        /// Sign with the new key at once. Upstreams that cache the key set have to fetch it for the first
        /// JWT.
        #[arg(long)]
        now: bool,
        /// Make a new key and remove all others, even if their JWTs are still valid. Use this if somebody
        /// else may have the keys.
        #[arg(long, requires = "now")]
        discard_old: bool,
    },
}

/// Runs one of the commands.
pub(super) fn run(path: &Path, command: &Command) -> Result<(), Failure> {
    let (config, _) = compile(path, None)?;
    let Some(jwt) = &config.token_service.jwt else {
        let missing =
            "no route has `forward_token = \"jwt\"` and there is no [token_service.jwt]: nothing signs";
        return Err(Failure::config(missing));
    };
    match (command, schedule(jwt)) {
        (Command::List { json }, _) => list(&config, jwt, *json),
        (Command::Rotate { now, discard_old }, Some(schedule)) => {
            let file = KeyFile::in_folder(&config.server.state_dir);
            let time = unix_time();
            let how = match (now, discard_old) {
                (_, true) => Replacement::Only,
                (true, false) => Replacement::AtOnce,
                (false, false) => Replacement::Published,
            };
            let mut rotated = false;
            let keys = file.update(|keys| {
                let tended = tend(keys, &schedule, time)?;
                rotated = rotate(keys, &schedule, how, time)?;
                Ok(tended || rotated)
            });
            print(&text(&keys.map_err(Failure::other)?, time))?;
            if !rotated {
                return Err(Failure::other(
                    "a new key waits already: `tollgate keys rotate --now` lets it sign",
                ));
            }
            note("a running gateway uses the keys within a second");
            Ok(())
        }
        (Command::Rotate { .. }, None) => Err(Failure::config(
            "the keys are files (token_service.jwt.keys): add a new file at the end of the list, and put it first once \
             upstreams know it",
        )),
    }
}

fn list(config: &Config, jwt: &JwtService, as_json: bool) -> Result<(), Failure> {
    if let JwtKeys::Files(files) = &jwt.keys {
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        return match as_json {
            true => print(&pretty(&json!({ "kind": "files", "files": names }))),
            false => print(&format!("{}\nthe first one signs, all are published\n", names.join("\n"))),
        };
    }
    let keys = KeyFile::in_folder(&config.server.state_dir).read().map_err(Failure::other)?;
    let now = unix_time();
    if as_json {
        let roles = roles_of(&keys, now);
        let keys: Vec<Value> = keys.iter().zip(roles).map(|(key, role)| entry(key, role)).collect();
        return print(&pretty(&json!({ "kind": "generated", "keys": keys })));
    }
    if keys.is_empty() {
        return print("there are no keys yet: the gateway makes the first one when it starts\n");
    }
    print(&text(&keys, now))
}

fn entry(key: &KeptKey, role: Role) -> Value {
    let date = |moment: u64| utc::from_unix(moment).to_string();
    let (state, until) = match role {
        Role::Next => ("next", None),
        Role::Signing => ("signing", None),
        Role::Retired { until } => ("retired", Some(date(until))),
        Role::Over => ("over", None),
    };
    json!({
        "kid": key.key.kid(),
        "alg": key.key.algorithm().name(),
        "state": state,
        "created": date(key.created),
        "signs_from": date(key.times.signs_from),
        "published_until": until,
    })
}

fn text(keys: &[KeptKey], now: u64) -> String {
    let mut shown = String::new();
    for (key, role) in keys.iter().zip(roles_of(keys, now)) {
        let date = utc::from_unix;
        let state = match role {
            Role::Next => format!("published, signs from {}", date(key.times.signs_from)),
            Role::Signing => format!("signs since {}", date(key.times.signs_from)),
            Role::Retired { until } => format!("retired, published until {}", date(until)),
            Role::Over => "over".to_owned(),
        };
        let _ = writeln!(shown, "{}  {}  {state}", key.key.kid(), key.key.algorithm());
    }
    shown
}
