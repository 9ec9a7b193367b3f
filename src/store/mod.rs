//! Where issued tokens are kept.

pub mod memory;
mod wheel;

use std::fmt;

use crate::clock::Millis;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;

pub use memory::MemoryStore;

/// A store of issued tokens.
///
/// All calls are made on the request path, so an implementation must answer from memory, or nearly so.
///
/// - *Absence is an answer, failure is not absence.* [`Ok(None)`](Ok) means that no such token is valid and
///   ends in 401; [`StoreError::Unavailable`] means that nobody knows and ends in 503. A store that mistook one
///   for the other would log clients out, or let revoked tokens in.
/// - *The caller checks expiry.* A store may return an expired record, and forgets it in [`TokenStore::sweep`].
/// - *Whoever can write to the store can make tokens.* Whoever can only read it cannot: it holds digests.
///
/// ```
/// use tollgate::clock::Millis;
/// use tollgate::oauth::{grant::Record, token::TokenDigest};
/// use tollgate::store::{StoreError, TokenStore};
///
/// /// A store whose server is gone. Every request is answered 503: `examples/custom_store.rs` has one that works.
/// struct Gone;
///
/// impl TokenStore for Gone {
///     fn insert(&self, _: TokenDigest, _: Record) -> Result<(), StoreError> {
///         Err(StoreError::Unavailable)
///     }
///
///     fn find(&self, _: &TokenDigest) -> Result<Option<Record>, StoreError> {
///         Err(StoreError::Unavailable)
///     }
///
///     fn remove(&self, _: &TokenDigest) -> Result<Option<Record>, StoreError> {
///         Err(StoreError::Unavailable)
///     }
///
///     fn sweep(&self, _: Millis, _: usize, _: &mut dyn FnMut(Record)) -> bool {
///         false
///     }
///
///     fn len(&self) -> usize {
///         0
///     }
/// }
/// ```
pub trait TokenStore: Send + Sync + 'static {
    /// Keeps a token. From the return on, [`TokenStore::find`] finds it, on every thread.
    ///
    /// # Errors
    /// [`StoreError::Full`] where no more may be kept. Nothing is ever evicted to make room: a valid token
    /// that stops working is an outage for its client.
    fn insert(&self, token: TokenDigest, record: Record) -> Result<(), StoreError>;

    /// Finds a token.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the store cannot tell.
    fn find(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError>;

    /// Shows the record of a token to `look`, where it is kept; whether there is one. The default shows what
    /// [`TokenStore::find`] found. A store in memory does better to show the record in its place: a copy of it counts as
    /// a use of its grant, which all threads count together.
    ///
    /// `look` is short and does not call the store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the store cannot tell.
    fn look(&self, token: &TokenDigest, look: &mut dyn FnMut(&Record)) -> Result<bool, StoreError> {
        let record = self.find(token)?;
        if let Some(record) = &record {
            look(record);
        }
        Ok(record.is_some())
    }

    /// Forgets a token; returns what was kept. From the return on, no thread finds it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the store cannot tell whether it did.
    fn remove(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError>;

    /// Forgets tokens that have expired by `now`, about `at_most` of them, handing each record to `forgotten`.
    /// Returns whether more are waiting. One call must be short: it runs beside traffic.
    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool;

    /// How many tokens are kept, expired ones that are not yet swept included.
    fn len(&self) -> usize;

    /// Whether none is kept.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The limit of tokens is reached.
    Full,
    /// The store cannot answer at the moment.
    Unavailable,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "the token store is full",
            Self::Unavailable => "the token store cannot answer",
        })
    }
}

impl std::error::Error for StoreError {}

#[cfg(test)]
mod contract;
