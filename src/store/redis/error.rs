//! Reasons why the engine cannot be used.

use std::path::PathBuf;
use std::{fmt, io};

use redis::{ErrorKind, ParsingError, RedisError};

use crate::store::engine::EngineAddress;

/// The error when the engine cannot be used at the moment.
#[derive(Debug)]
pub(super) enum EngineError {
    /// The engine returned an error, or the connection to it failed.
    Engine(RedisError),
    /// The engine did not respond in time.
    Silent,
    /// The server is not a primary.
    Replica(EngineAddress),
    /// No sentinel knows a primary of this name.
    UnknownPrimary(String),
    /// No node of the cluster has the slot of the log.
    NoSlot,
    /// Another server has become the primary.
    Moved(EngineAddress),
    /// The server is not Redis or Valkey, or has an unsupported version.
    NotAnEngine,
    /// The engine lacks a feature that the store needs.
    TooOld(String),
    /// A file for TLS cannot be read.
    File(PathBuf, io::Error),
}

impl EngineError {
    /// Returns whether the error persists until an operator changes something.
    pub(super) fn is_about_configuration(&self) -> bool {
        match self {
            Self::Engine(error) => {
                matches!(error.kind(), ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig)
                    || matches!(error.code(), Some("WRONGPASS" | "NOAUTH" | "NOPERM"))
            }
            Self::NotAnEngine | Self::TooOld(_) | Self::File(..) => true,
            _ => false,
        }
    }
}

impl EngineError {
    /// Returns whether a new connection may succeed.
    pub(super) fn is_about_connection(&self) -> bool {
        match self {
            Self::Engine(error) => {
                error.is_io_error()
                    || error.is_connection_dropped()
                    || error.is_unrecoverable_error()
                    || matches!(error.code(), Some("READONLY" | "MOVED" | "MASTERDOWN" | "LOADING"))
            }
            Self::Silent => true,
            _ => false,
        }
    }
}

impl From<RedisError> for EngineError {
    fn from(error: RedisError) -> Self {
        if error.is_timeout() { Self::Silent } else { Self::Engine(error) }
    }
}

impl From<ParsingError> for EngineError {
    fn from(error: ParsingError) -> Self {
        Self::Engine(error.into())
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(error) => match (error.code(), error.detail()) {
                (Some(code), Some(detail)) => write!(f, "{code} {}", detail.trim_end_matches('.')),
                _ => write!(f, "{error}"),
            },
            Self::Silent => f.write_str("it does not answer"),
            Self::Replica(address) => {
                write!(f, "{address} is a replica: set the address of the primary, or use sentinels")
            }
            Self::UnknownPrimary(name) => {
                write!(f, "no sentinel knows a primary of the name {name}: check store.sentinel")
            }
            Self::NoSlot => f.write_str("no node of the cluster has the slot of the log"),
            Self::Moved(address) => write!(f, "the primary is {address} now"),
            Self::NotAnEngine => f.write_str("it is neither Redis nor Valkey"),
            Self::TooOld(version) => write!(f, "it is {version}: Redis 7.0 or Valkey 7.2 is needed"),
            Self::File(path, error) => write!(f, "cannot read {}: {error}", path.display()),
        }
    }
}
