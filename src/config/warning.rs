//! Warnings about a configuration file: settings that are valid and probably not what was meant.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use super::error::Position;

/// What a warning is about. Each has a name that scripts and `tollgate check --allow NAME` use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Lint {
    /// A method that no registry has, or a wildcard in its place.
    UnknownMethod,
    /// A range of addresses that no client's address is ever in.
    UnmatchableNetwork,
    /// `trusted_proxies` that contain clients.
    TrustsEveryone,
    /// A throttle that stops nobody, or that stops everybody.
    AbsurdThrottle,
    /// A hash that is too cheap or too expensive to compute.
    AbsurdHash,
    /// The secret that the tutorial uses.
    TutorialSecret,
    /// A token or a credential that crosses the network without TLS.
    PlainHttp,
    /// A file or folder with secrets that every user of the machine can read.
    ReadableByOthers,
    /// An exact path whose other spellings take a route that needs less.
    WeakerSpelling,
    /// An upstream that no route uses.
    UnusedUpstream,
    /// A scope that no client has, or that no route needs.
    UnusedScope,
    /// A client whose tokens open no route.
    OpensNothing,
    /// A route that any valid token opens, without saying so.
    NoScopes,
    /// A file without routes.
    Empty,
    /// An issuer that names this machine only, on a gateway that listens to the network.
    LocalIssuer,
    /// An upstream whose certificates nothing verifies.
    UnverifiedUpstream,
    /// A listener behind a TLS terminator that hides the clients' addresses.
    HiddenAddresses,
    /// A store that a restart empties.
    ForgetsOnRestart,
    /// A store whose tokens are accepted for a while without knowing what was revoked.
    AcceptsRevoked,
    /// A route that forwards what it is to refuse.
    ShadowMode,
    /// A client whose id has the form of those that register themselves.
    RegisteredId,
    /// JWT keys that other gateways on the same store do not have.
    UnsharedKeys,
    /// A listener that the authority of `[server.tls.acme]` cannot reach.
    AcmeUnreachable,
    /// A host of a route for which no certificate is ordered.
    UncoveredHost,
}

impl Lint {
    /// Every lint, in the order of the documentation.
    pub const ALL: [Self; 24] = [
        Self::UnknownMethod,
        Self::UnmatchableNetwork,
        Self::TrustsEveryone,
        Self::AbsurdThrottle,
        Self::AbsurdHash,
        Self::TutorialSecret,
        Self::PlainHttp,
        Self::ReadableByOthers,
        Self::WeakerSpelling,
        Self::UnusedUpstream,
        Self::UnusedScope,
        Self::OpensNothing,
        Self::NoScopes,
        Self::Empty,
        Self::LocalIssuer,
        Self::UnverifiedUpstream,
        Self::HiddenAddresses,
        Self::ForgetsOnRestart,
        Self::AcceptsRevoked,
        Self::ShadowMode,
        Self::RegisteredId,
        Self::UnsharedKeys,
        Self::AcmeUnreachable,
        Self::UncoveredHost,
    ];

    /// Returns the name, such as `unknown-method`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownMethod => "unknown-method",
            Self::UnmatchableNetwork => "unmatchable-network",
            Self::TrustsEveryone => "trusts-everyone",
            Self::AbsurdThrottle => "absurd-throttle",
            Self::AbsurdHash => "absurd-hash",
            Self::TutorialSecret => "tutorial-secret",
            Self::PlainHttp => "plain-http",
            Self::ReadableByOthers => "readable-by-others",
            Self::WeakerSpelling => "weaker-spelling",
            Self::UnusedUpstream => "unused-upstream",
            Self::UnusedScope => "unused-scope",
            Self::OpensNothing => "opens-nothing",
            Self::NoScopes => "no-scopes",
            Self::Empty => "empty",
            Self::LocalIssuer => "local-issuer",
            Self::UnverifiedUpstream => "unverified-upstream",
            Self::HiddenAddresses => "hidden-addresses",
            Self::ForgetsOnRestart => "forgets-on-restart",
            Self::AcceptsRevoked => "accepts-revoked",
            Self::ShadowMode => "shadow-mode",
            Self::RegisteredId => "registered-id",
            Self::UnsharedKeys => "unshared-keys",
            Self::AcmeUnreachable => "acme-unreachable",
            Self::UncoveredHost => "uncovered-host",
        }
    }
}

/// One warning about a configuration file. It never contains a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigWarning {
    /// What it is about.
    pub lint: Lint,
    /// The path of the file, as the program was given it.
    pub file: PathBuf,
    /// The position in the file, or `None` if the warning is about the file as a whole.
    pub position: Option<Position>,
    /// The key path, such as `routes[0].methods[1]`; empty if the warning is not about a key.
    pub key: String,
    /// The value, if it may be shown and says more than the message.
    pub value: Option<String>,
    /// What will happen, and what to write instead.
    pub message: String,
}

impl ConfigWarning {
    /// Makes a warning about the file as a whole, or about the key at a position in it.
    pub(crate) fn new(
        lint: Lint,
        file: &Path,
        position: Option<Position>,
        key: impl Into<String>,
        message: impl Into<String>,
    ) -> Self {
        Self { lint, file: file.to_owned(), position, key: key.into(), value: None, message: message.into() }
    }
}

impl fmt::Display for ConfigWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(Position { line, column, .. }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        f.write_str(": warning")?;
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
        }
        write!(f, ": {} ({})", self.message, self.lint.name())
    }
}
