//! The author of a change, and what the author may change.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

pub(crate) use crate::config::Role;

/// The interface through which a change was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Via {
    /// The pages of the console.
    Console,
    /// The API.
    Api,
    /// The command line.
    Cli,
    /// An editor, or another program that writes the file.
    File,
    /// The gateway itself, such as a rollback after a deadline.
    Gateway,
}

impl Via {
    /// Returns the name that the history and the audit use.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Api => "api",
            Self::Cli => "cli",
            Self::File => "file",
            Self::Gateway => "gateway",
        }
    }
}

/// The author of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Actor {
    /// The name of the user, the id of the client, or the login on this machine.
    pub(crate) name: String,
    /// What the actor may do.
    pub(crate) role: Role,
    /// The interface through which the request was made.
    pub(crate) via: Via,
    /// The address that the request came from.
    pub(crate) address: Option<IpAddr>,
}

impl Actor {
    /// Returns the user who runs a command on this machine. This user can write the file, and so may change
    /// everything in it.
    pub(crate) fn command_line() -> Self {
        let login = std::env::var("SUDO_USER").or_else(|_| std::env::var("USER"));
        let name = login.unwrap_or_else(|_| format!("uid {}", rustix::process::getuid().as_raw()));
        Self { name, role: Role::Owner, via: Via::Cli, address: None }
    }

    /// Returns the gateway itself.
    pub(crate) fn gateway() -> Self {
        Self { name: "gateway".to_owned(), role: Role::Owner, via: Via::Gateway, address: None }
    }
}
