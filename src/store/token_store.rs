use std::fmt;

use crate::clock::Millis;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;

/// A store of issued tokens.
///
/// All calls are made on the request path, so an implementation must answer from memory, or almost as quickly.
/// [`testing::check_contract`](crate::store::testing::check_contract) checks an implementation.
///
/// - *Absence is an answer; failure is not absence.* [`Ok(None)`](Ok) means that there is no such token, and results in
///   401. [`StoreError::Unavailable`] means that the store does not know, and results in 503. A store that confused the
///   two would log clients out or let revoked tokens in.
/// - *The caller checks expiry.* A store may return an expired record. It forgets it in [`TokenStore::sweep`].
/// - *Write access to the store allows making tokens.* Read access does not, because the store holds digests.
///
/// ```
/// use tollgate::clock::Millis;
/// use tollgate::oauth::{grant::Record, token::TokenDigest};
/// use tollgate::store::{StoreError, TokenStore};
///
/// /// A store whose server is unreachable: every request is answered with 503. `examples/custom_store.rs` has one that
/// /// works.
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
    /// Keeps a token. Once this returns, [`TokenStore::find`] finds the token on every thread.
    ///
    /// # Errors
    /// [`StoreError::Full`] if the limit is reached. Tokens are never evicted to make room: a valid token that stops
    /// working is an outage for its client.
    fn insert(&self, token: TokenDigest, record: Record) -> Result<(), StoreError>;

    /// Finds a token.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store cannot answer.
    fn find(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError>;

    /// Shows the record of a token to `look`, and returns whether there is one. The default shows what
    /// [`TokenStore::find`] found. A store in memory does better to show the record where it is kept: a copy of it counts
    /// as a use of its grant, and all threads share that count.
    ///
    /// `look` is short and does not call the store.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store cannot answer.
    fn look(&self, token: &TokenDigest, look: &mut dyn FnMut(&Record)) -> Result<bool, StoreError> {
        let record = self.find(token)?;
        if let Some(record) = &record {
            look(record);
        }
        Ok(record.is_some())
    }

    /// Forgets a token and returns its record. Once this returns, no thread finds the token.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store does not know whether the token was removed.
    fn remove(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError>;

    /// Forgets about `at_most` tokens that have expired by `now`, and passes each record to `forgotten`. Returns whether
    /// more are waiting. A call must be short, because it runs beside traffic.
    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool;

    /// Returns how many tokens are kept, including expired ones that are not swept yet.
    fn len(&self) -> usize;

    /// Returns whether no token is kept.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The error of a [`TokenStore`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StoreError {
    /// The limit on tokens is reached.
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
