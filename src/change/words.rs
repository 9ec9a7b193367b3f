//! Describes operations in words, for lists of changes, the history and the audit. The words contain nothing
//! secret.

use std::fmt::{self, Display, Formatter};

use super::edit::ListEdit;
use super::operation::Operation;
use super::registration::RegisteredState;
use super::routes::RouteAddress;
use super::settings::Settings;

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScopeAdd { name, .. } => write!(f, "add the scope {name:?}"),
            Self::ScopeDescribe { name, .. } => write!(f, "describe the scope {name:?}"),
            Self::ScopeRemove { name } => write!(f, "remove the scope {name:?}"),
            Self::ClientAdd { id, scopes, .. } if scopes.is_empty() => write!(f, "add the client {id:?}"),
            Self::ClientAdd { id, scopes, .. } => {
                write!(f, "add the client {id:?} with {}", counted("scope", scopes))
            }
            Self::ClientScopes { id, scopes } => {
                write!(f, "client {id:?}: {}", listed("scope", "scopes", scopes))
            }
            Self::ClientDefaultScopes { id, scopes } => {
                write!(f, "client {id:?}: {}", listed("default scope", "default scopes", scopes))
            }
            Self::ClientCapabilities { id, capabilities } => {
                write!(f, "client {id:?}: {}", listed("capability", "capabilities", capabilities))
            }
            Self::ClientAudiences { id, audiences } => {
                write!(f, "client {id:?}: {}", listed("audience", "audiences", audiences))
            }
            Self::ClientLifetime { id, token_lifetime: Some(time) } => {
                write!(f, "client {id:?}: tokens live for {time}")
            }
            Self::ClientLifetime { id, token_lifetime: None } => {
                write!(f, "client {id:?}: tokens live as long as those of other clients")
            }
            Self::ClientRate { id, rate_limit: Some(rate) } => {
                write!(f, "client {id:?}: at most {rate} requests")
            }
            Self::ClientRate { id, rate_limit: None } => write!(f, "client {id:?}: no rate limit"),
            Self::ClientEnabled { id, enabled: true, .. } => write!(f, "enable the client {id:?}"),
            Self::ClientEnabled { id, enabled: false, .. } => write!(f, "disable the client {id:?}"),
            Self::ClientResetSecret { id, keep_old, revoke_tokens, .. } => {
                write!(f, "new secret for the client {id:?}")?;
                match keep_old {
                    Some(seconds) => write!(f, ", the old one stays valid for {seconds} s")?,
                    None => f.write_str(", the old one ends")?,
                }
                if *revoke_tokens { f.write_str(", and so do its tokens") } else { Ok(()) }
            }
            Self::ClientDropSecret { id, secret_id } => {
                write!(f, "remove the secret {secret_id:?} of the client {id:?}")
            }
            Self::ClientEndTokens { id, .. } => write!(f, "end all tokens of the client {id:?}"),
            Self::ClientAuthentication { id, settings } => {
                write!(f, "client {id:?}: authentication ({})", keys(settings))
            }
            Self::ClientRemove { id } => write!(f, "remove the client {id:?}"),
            Self::RouteAdd { route } => write!(f, "add the route {}", RouteAddress::of_settings(route)),
            Self::Import { scopes, upstreams, routes } => {
                let counts =
                    [(scopes.len(), "scope"), (upstreams.len(), "upstream"), (routes.len(), "route")];
                let count = |(count, what)| match count {
                    0 => None,
                    1 => Some(format!("1 {what}")),
                    many => Some(format!("{many} {what}s")),
                };
                let parts: Vec<String> = counts.into_iter().filter_map(count).collect();
                write!(f, "import {}", parts.join(", "))
            }
            Self::RouteSet { route, settings } => write!(f, "route {route}: {}", keys(settings)),
            Self::RouteMode { route, mode } => write!(f, "route {route}: mode {}", mode.as_str()),
            Self::RouteRemove { route } => write!(f, "remove the route {route}"),
            Self::UpstreamAdd { name, .. } => write!(f, "add the upstream {name:?}"),
            Self::UpstreamSet { name, settings } => write!(f, "upstream {name:?}: {}", keys(settings)),
            Self::UpstreamRemove { name } => write!(f, "remove the upstream {name:?}"),
            Self::RegistrationTokenAdd { token } => {
                write!(
                    f,
                    "add the initial access token {:?} for the template {:?}",
                    token.name, token.template
                )
            }
            Self::RegistrationTokenRemove { name } => write!(f, "remove the initial access token {name:?}"),
            Self::RegisteredClient { id, state } => {
                let verb = match state {
                    RegisteredState::Disabled => "disable",
                    RegisteredState::Enabled => "enable",
                    RegisteredState::Removed => "remove",
                };
                write!(f, "{verb} the registered client {id:?}")
            }
            Self::AdminUserAdd { name, role, .. } => write!(f, "add the user {name:?} as {role}"),
            Self::AdminUserRole { name, role } => write!(f, "user {name:?} becomes {role}"),
            Self::AdminUserPassword { name, .. } => write!(f, "new password for the user {name:?}"),
            Self::AdminUserRemove { name } => write!(f, "remove the user {name:?}"),
            Self::ReplaceText { file: None, .. } => f.write_str("replace the text of the configuration"),
            Self::Restore { version, keep_today: true, .. } => {
                write!(f, "roll back to version {version}, with the secrets and [admin] of today")
            }
            Self::Restore { version, .. } => write!(f, "roll back to version {version}"),
            Self::ReplaceText { file: Some(file), .. } => write!(f, "replace the text of {file}"),
        }
    }
}

fn counted(what: &str, names: &[String]) -> String {
    let plural = if names.len() == 1 { "" } else { "s" };
    format!("the {what}{plural} {}", names.join(", "))
}

/// Returns the names of keys, without their values.
fn keys(settings: &Settings) -> String {
    let name = |(key, value): (&String, &serde_json::Value)| {
        if value.is_null() { format!("remove {key}") } else { format!("set {key}") }
    };
    settings.iter().map(name).collect::<Vec<_>>().join(", ")
}

fn listed(one: &str, many: &str, edit: &ListEdit) -> String {
    let mut parts = Vec::new();
    if let Some(names) = &edit.set {
        parts.push(if names.is_empty() {
            format!("no {many}")
        } else {
            format!("{many} {}", names.join(", "))
        });
    }
    for (verb, names) in [("add", &edit.add), ("remove", &edit.remove)] {
        if !names.is_empty() {
            parts.push(format!("{verb} {} {}", if names.len() == 1 { one } else { many }, names.join(", ")));
        }
    }
    parts.join("; ")
}
