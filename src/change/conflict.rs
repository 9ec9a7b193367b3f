//! Reasons why an operation cannot be applied to a configuration.

use std::path::PathBuf;
use std::{error, fmt};

use serde::Serialize;

/// The kind of object that an operation names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// A scope of `[scopes]`.
    Scope,
    /// A client of `[clients]`.
    Client,
    /// A secret of a client.
    Secret,
    /// A route of `[[routes]]`.
    Route,
    /// An upstream of `[upstreams]`.
    Upstream,
    /// A user of `[admin.users]`.
    User,
    /// An initial access token of `[token_service.registration.tokens]`.
    InitialToken,
    /// The table `[token_service.registration]`.
    Registration,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scope => "scope",
            Self::Client => "client",
            Self::Secret => "secret",
            Self::Route => "route",
            Self::Upstream => "upstream",
            Self::User => "user",
            Self::InitialToken => "initial access token",
            Self::Registration => "table",
        })
    }
}

/// The reason why an operation cannot be applied: it expects something that the configuration does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Conflict {
    /// A key that should contain a table or a list of tables has another value.
    NotATable(String),
    /// An object with this name already exists.
    Exists(Kind, String),
    /// No object has this name. The last text suggests a similar name, or is empty.
    Missing(Kind, String, String),
    /// Several routes have the same host, pattern and methods.
    Ambiguous(String),
    /// A scope is not in `[scopes]`.
    NoSuchScope {
        /// The scope.
        scope: String,
        /// The configuration.
        file: PathBuf,
        /// The scopes that exist.
        known: Vec<String>,
    },
    /// A name to remove is not in the list.
    NotInList {
        /// The client.
        client: String,
        /// The list.
        key: &'static str,
        /// The name.
        name: String,
        /// A text that names a similar name, or is empty.
        hint: String,
    },
    /// The editor would also change other parts of a file. Contains the first such line, if it is known.
    Unfaithful(PathBuf, Option<usize>),
    /// A value that TOML cannot represent, such as `null` in a list.
    Value(String),
    /// A text that is not valid TOML, and the line of the error.
    Syntax(usize),
    /// A file that is not part of the configuration.
    NoSuchFile(String),
    /// A credential that the history does not store, and that is no longer in the configuration.
    CredentialGone(String),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATable(key) => {
                write!(f, "{key} is not a table; correct it by hand (`tollgate check` says how)")
            }
            Self::Exists(Kind::Client, name) => write!(
                f,
                "the client {name:?} already exists (`tollgate client reset-secret` gives it a new secret)"
            ),
            Self::Exists(Kind::Route, name) => write!(f, "the route {name} already exists"),
            Self::Exists(kind, name) => write!(f, "the {kind} {name:?} already exists"),
            Self::Missing(Kind::Client, name, hint) => {
                write!(f, "there is no client {name:?}{hint}; `tollgate client list` lists all clients")
            }
            Self::Missing(Kind::Route, name, _) => {
                write!(f, "there is no route {name}; `tollgate routes` lists all routes")
            }
            Self::Missing(kind, name, hint) => write!(f, "there is no {kind} {name:?}{hint}"),
            Self::Ambiguous(name) => {
                write!(f, "several routes are {name}; correct this by hand (`tollgate check` says how)")
            }
            Self::NoSuchScope { scope, file, known } => {
                write!(
                    f,
                    "there is no scope {scope:?} in {}: add it under [scopes], as in\n\n  [scopes]\n  {} = \"What it allows\"\n",
                    file.display(),
                    toml_edit::Key::new(scope.as_str()).display_repr()
                )?;
                if known.is_empty() { Ok(()) } else { write!(f, "\nThe scopes are: {}", known.join(", ")) }
            }
            Self::NotInList { client, key, name, hint } => write!(
                f,
                "{name:?} is not in the {key} of the client {client:?}{hint}; `tollgate client show {client}` lists them"
            ),
            Self::Unfaithful(path, None) => write!(
                f,
                "{} cannot be changed in one place without changing others; edit it by hand",
                path.display()
            ),
            Self::Unfaithful(path, Some(line)) => write!(
                f,
                "{}:{line}: the editor would rewrite this line (are there unusual spaces in a name?); simplify the line, or \
                 edit the file by hand",
                path.display()
            ),
            Self::Value(key) => write!(f, "{key} has a value that TOML cannot have"),
            Self::Syntax(line) => write!(f, "the new text is not TOML in line {line}"),
            Self::NoSuchFile(name) => write!(f, "the configuration has no file {name:?}"),
            Self::CredentialGone(key) => write!(
                f,
                "the history does not keep the credential {key}, and the configuration does not have it any more: set it again"
            ),
        }
    }
}

impl error::Error for Conflict {}
