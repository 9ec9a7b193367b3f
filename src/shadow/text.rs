//! Proposals in words, and as commands.

use std::fmt;

use super::proposal::Proposal;
use super::summary::Who;

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |scopes: &[String]| scopes.join(", ");
        match self {
            Self::AddScopes { client, route, scopes } => {
                write!(f, "client \"{client}\" may not ask for {}, which {route} needs", list(scopes))
            }
            Self::ChooseScope { client, route, scopes } => {
                write!(f, "client \"{client}\" needs one of {} for {route}: choose", list(scopes))
            }
            Self::AddDefaultScopes { client, route, scopes } => write!(
                f,
                "client \"{client}\" may ask for {}, which {route} needs, and does not: make it a default, or change the \
                 client",
                list(scopes)
            ),
            Self::AddAudience { client, route, audience } => {
                write!(f, "client \"{client}\" may not ask for tokens for {audience}, which {route} needs")
            }
            Self::RequestAudience { client, route, audience } => write!(
                f,
                "client \"{client}\" may ask for tokens for {audience}, which {route} needs, and does not: change the client"
            ),
            Self::NewClient { id, route, address, user_agent, scopes, choose } => {
                write!(f, "{address}")?;
                if let Some(user_agent) = user_agent {
                    write!(f, " ({user_agent})")?;
                }
                write!(f, " calls {route} without a valid token: make it a client, such as \"{id}\"")?;
                match (scopes.is_empty(), choose) {
                    (true, _) => Ok(()),
                    (false, true) => write!(f, ", with one of {}", list(scopes)),
                    (false, false) => write!(f, ", with {}", list(scopes)),
                }
            }
            Self::RemoveScopes { client, scopes } => {
                write!(f, "client \"{client}\" has not needed {} for seven days", list(scopes))
            }
            Self::Enforce { route } => write!(f, "{route} would refuse nobody: enforce it"),
        }
    }
}

impl Proposal {
    /// Returns the arguments of the command that makes the change, or `None` if a person has to decide first.
    pub(crate) fn command(&self) -> Option<Vec<String>> {
        let edit = |client: &str, option: &str, values: &[String]| {
            let mut command = ["client", "edit", client].map(str::to_owned).to_vec();
            command.extend(values.iter().flat_map(|value| [option.to_owned(), value.clone()]));
            command
        };
        match self {
            Self::AddScopes { client, scopes, .. } => Some(edit(client, "--add-scope", scopes)),
            Self::AddDefaultScopes { client, scopes, .. } => {
                Some(edit(client, "--add-default-scope", scopes))
            }
            Self::AddAudience { client, audience, .. } => {
                Some(edit(client, "--add-audience", std::slice::from_ref(audience)))
            }
            Self::RemoveScopes { client, scopes } => Some(edit(client, "--remove-scope", scopes)),
            Self::NewClient { id, scopes, choose: false, .. } => {
                let mut command = ["client", "add", id].map(str::to_owned).to_vec();
                command.extend(scopes.iter().flat_map(|scope| ["--scope".to_owned(), scope.clone()]));
                Some(command)
            }
            Self::NewClient { choose: true, .. }
            | Self::ChooseScope { .. }
            | Self::RequestAudience { .. }
            | Self::Enforce { .. } => None,
        }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "client \"{id}\""),
            Self::Address(address) => f.write_str(address),
            Self::Others(()) => f.write_str("others"),
        }
    }
}
