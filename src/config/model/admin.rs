//! `[admin]`.

use std::{fmt, net::SocketAddr, time::Duration};

use serde::{Deserialize, Serialize};

use crate::config::{address::Host, error::Position};
use crate::gate::SecretHash;

/// `[admin]`: the console and the API for operators, on a listener of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admin {
    /// The address; port 0 picks one.
    pub listen: SocketAddr,
    /// Whether it speaks TLS, with the server's certificate. Without TLS the address is on loopback.
    pub tls: bool,
    /// The names under which operators reach it, besides its address and `localhost`.
    pub hosts: Vec<Host>,
    /// Whether the console and the API can only show the configuration, and prepare changes of it.
    pub read_only: bool,
    /// How long a session lasts without a request.
    pub session_idle_timeout: Duration,
    /// How long a session lasts at most.
    pub session_lifetime: Duration,
    /// `[admin.users.…]`, in the order of the file; names are distinct.
    pub users: Vec<AdminUser>,
    /// The position in the file.
    pub position: Position,
}

impl Admin {
    /// Returns the URL of the console at the address that its listener has.
    #[cfg(feature = "gateway")]
    pub(crate) fn url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls { "https" } else { "http" };
        if !address.ip().is_unspecified() {
            return format!("{scheme}://{address}");
        }
        let name = self.hosts.first().map_or_else(|| "localhost".to_owned(), ToString::to_string);
        format!("{scheme}://{name}:{}", address.port())
    }

    /// Returns the user with this name.
    #[must_use]
    pub fn user(&self, name: &str) -> Option<&AdminUser> {
        self.users.iter().find(|user| user.name == name)
    }
}

/// A user of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminUser {
    /// The name to sign in with.
    pub name: String,
    /// The hash of the password.
    pub password: SecretHash,
    /// What the user may do.
    pub role: Role,
    /// The position in the file.
    pub position: Position,
}

/// What a user of the console may do. A later role may do everything that an earlier one may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Sees everything but secrets, and changes nothing.
    Viewer,
    /// Changes scopes, clients, routes and upstreams.
    Editor,
    /// Changes everything.
    Owner,
}

impl Role {
    /// All roles with their names, those that may do less first.
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("viewer", Self::Viewer), ("editor", Self::Editor), ("owner", Self::Owner)];

    /// Returns the name of the role in gateway.toml.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Owner => "owner",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
