//! Operations in the form of a request: it asks for new secrets instead of containing hashes, and it contains
//! no times.

use std::time::SystemTime;

use serde_json::{Value as Json, json};

use super::actor::Role;
use super::error::ChangeError;
use super::hidden::hide_json;
use super::new_secret::{self, NewSecretError};
use super::operation::{Operation, millis};
use crate::gate::SecretHash;
use crate::json::members::Members;
use crate::oauth::secret::Secret;

/// The minimum length of a secret that a person chooses.
const SHORTEST: usize = 8;
/// The maximum length of a secret. The token endpoint accepts somewhat longer ones.
const LONGEST: usize = 1_024;
/// The minimum length of a chosen secret without a warning.
const LONG: usize = 20;

/// An operation that was submitted, with a new secret that is shown once.
#[derive(Debug)]
pub(crate) struct Submitted {
    /// The operation in the form that a draft stores.
    pub(crate) operation: Operation,
    /// The new secret. It is shown once and not stored.
    pub(crate) secret: Option<Secret>,
    /// Warnings about probable mistakes.
    pub(crate) warning: Option<&'static str>,
}

impl Submitted {
    /// Parses an operation from JSON. The format is that of [`Operation`], with these exceptions:
    ///
    /// - `secret` (`client_add`, `client_reset_secret`) and `password` (`admin_user_add`,
    ///   `admin_user_password`) are `{"generate": true}` or `{"text": "…"}`, and left out is the former;
    /// - `digest` of `registration_token_add` is left out: the initial access token is generated;
    /// - `at` is left out;
    /// - `restore` is refused: [`rollback`](super::control::ChangeControl::rollback) makes it.
    ///
    /// This function hashes secrets, which takes about 50 ms and 19 MiB. Callers must limit how many calls
    /// run at once. Nothing is hashed for an operation that `role` does not permit.
    ///
    /// # Errors
    /// Fails if the JSON is not an operation, if a secret is too short, or if a higher role is needed.
    pub(crate) fn read(json: Json, role: Role, now: SystemTime) -> Result<Self, ChangeError> {
        let wrong = |message: &str| ChangeError::Operation(message.to_owned());
        let Json::Object(mut members) = json else { return Err(wrong("an operation is a JSON object")) };
        let op = members.get("op").and_then(Json::as_str).unwrap_or_default().to_owned();
        let field = match op.as_str() {
            "restore" => return Err(wrong("a rollback makes this operation")),
            "client_add" | "client_reset_secret" => Some("secret"),
            "admin_user_add" | "admin_user_password" => Some("password"),
            _ => None,
        };
        let wanted = field.and_then(|field| members.insert(field.to_owned(), json!("")));
        if ["client_add", "client_reset_secret", "client_enabled", "client_end_tokens"].contains(&&*op) {
            members.insert("at".to_owned(), json!(millis(now)));
        }
        if op == "client_add" {
            let defaults = [("capabilities", json!(["client_credentials"])), ("scopes", json!([]))];
            for (key, value) in defaults {
                members.entry(key).or_insert(value);
            }
        }
        let token = members.get_mut("token").and_then(Json::as_object_mut);
        let token = token.filter(|token| op == "registration_token_add" && !token.contains_key("digest"));
        let made = token.map(|token| {
            let (secret, digest) = new_secret::initial_token().map_err(unavailable)?;
            token.insert("digest".to_owned(), json!(digest.to_text()));
            Ok::<Secret, ChangeError>(secret)
        });
        let mut secret = made.transpose()?;
        // The error of the JSON parser can quote a value, which may be a secret. This message contains only
        // names of members.
        let mut operation = Operation::read(Members::new(members)).map_err(|error| {
            let message = error.to_string();
            ChangeError::Operation(message.split(": \"").next().unwrap_or("malformed").to_owned())
        })?;
        let needed = operation.role();
        if role < needed {
            return Err(ChangeError::Role(needed));
        }
        let mut warning = None;
        if let Operation::ClientAdd { secret: hash, .. }
        | Operation::ClientResetSecret { secret: hash, .. }
        | Operation::AdminUserAdd { password: hash, .. }
        | Operation::AdminUserPassword { password: hash, .. } = &mut operation
        {
            let (made, made_hash, remark) = make(wanted)?;
            *hash = made_hash.to_phc();
            (secret, warning) = (Some(made), remark);
        }
        Ok(Self { operation, secret, warning })
    }
}

fn make(wanted: Option<Json>) -> Result<(Secret, SecretHash, Option<&'static str>), ChangeError> {
    let wrong = |message: &str| ChangeError::Operation(message.to_owned());
    let generate = json!({ "generate": true });
    let mut wanted = match wanted.unwrap_or(generate) {
        Json::Object(wanted) => wanted,
        _ => return Err(wrong("a secret is {\"generate\": true} or {\"text\": \"…\"}")),
    };
    match (wanted.remove("generate"), wanted.remove("text"), wanted.is_empty()) {
        (Some(Json::Bool(true)), None, true) => {
            let (secret, hash) = new_secret::generate().map_err(unavailable)?;
            Ok((secret, hash, None))
        }
        (None, Some(Json::String(text)), true) => {
            let length = text.chars().count();
            if length < SHORTEST {
                return Err(wrong("a secret that a person chooses has at least 8 characters"));
            }
            if text.len() > LONGEST || text.chars().any(char::is_control) {
                return Err(wrong("a secret has at most 1024 bytes and no control characters"));
            }
            let warning = (length < LONG).then_some(
                "A secret that a person chose can be guessed. A generated one cannot: use this one for trying things out.",
            );
            let secret = Secret::new(text);
            let hash = new_secret::hash(&secret).map_err(unavailable)?;
            Ok((secret, hash, warning))
        }
        _ => Err(wrong("a secret is {\"generate\": true} or {\"text\": \"…\"}")),
    }
}

fn unavailable(error: NewSecretError) -> ChangeError {
    ChangeError::State(std::io::Error::other(error))
}

/// The members of an operation whose values are secrets or hashes of them.
const SECRET_MEMBERS: [&str; 2] = ["secret", "password"];

impl Operation {
    /// Returns the operation as JSON that is safe to show: without secrets, hashes and texts of files.
    pub(crate) fn shown(&self) -> Json {
        let mut shown = serde_json::to_value(self).unwrap_or(Json::Null);
        if let Some(members) = shown.as_object_mut() {
            for member in SECRET_MEMBERS.into_iter().chain(["text", "files"]) {
                if members.contains_key(member) {
                    members.insert(member.to_owned(), json!("hidden"));
                }
            }
            let table = match self {
                Self::RouteAdd { .. } | Self::RouteSet { .. } => "routes",
                Self::UpstreamAdd { .. } | Self::UpstreamSet { .. } => "upstreams.shown",
                _ => "clients.shown",
            };
            for member in ["settings", "route"] {
                if let Some(settings) = members.get_mut(member) {
                    hide_json(table, settings);
                }
            }
            for table in ["routes", "upstreams"] {
                if let Some(tables) = members.get_mut(table) {
                    hide_json(table, tables);
                }
            }
        }
        shown
    }
}
