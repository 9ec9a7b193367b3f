use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Millis;
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;
use crate::store::lasting::Lasting;
use crate::store::used_name::UsedName;

/// A store of issued tokens.
///
/// [`TokenStore::find`] and [`TokenStore::look`] are called for every request, so they answer from memory and
/// never wait. Where only somebody else can tell, they return [`Found::Ask`], and the request waits for
/// [`TokenStore::ask`]. The other operations may take their time: a store that needs none returns
/// [`Pending::Ready`], which allocates nothing.
/// [`testing::check_contract`](crate::store::testing::check_contract) checks an implementation.
///
/// - *Absence is an answer; failure is not absence.* [`Found::Unknown`] and `Ok(None)` mean that there is no
///   such token, and result in 401. [`StoreError::Unavailable`] means that the store does not know, and
///   results in 503. A store that confused the two would log clients out or let revoked tokens in.
/// - *The caller checks expiry.* A store may return an expired record. It forgets it in
///   [`TokenStore::sweep`].
/// - *Write access to the store allows making tokens.* Read access does not, because the store holds digests.
/// - *An operation begins when its method is called.* Dropping its [`Pending`] does not undo it.
/// - *Every wait ends.* The store bounds its own waits and then returns [`StoreError::Unavailable`].
///
/// ```
/// use tollgate::clock::Millis;
/// use tollgate::oauth::{ClientId, Record, TokenDigest};
/// use tollgate::store::{Found, Health, Pending, StoreError, TokenStore};
///
/// /// A store whose server is unreachable: every request is answered with 503. `examples/custom_store.rs` has one that
/// /// works.
/// struct Gone;
///
/// impl TokenStore for Gone {
///     fn find(&self, _: &TokenDigest) -> Found {
///         Found::Ask
///     }
///
///     fn ask(&self, _: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
///         Pending::Ready(Err(StoreError::Unavailable))
///     }
///
///     fn insert(&self, _: TokenDigest, _: Record) -> Pending<'_, Result<(), StoreError>> {
///         Pending::Ready(Err(StoreError::Unavailable))
///     }
///
///     fn revoke(&self, _: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
///         Pending::Ready(Err(StoreError::Unavailable))
///     }
///
///     fn end_epoch(&self, _: &ClientId, _: u32) -> Pending<'_, Result<u32, StoreError>> {
///         Pending::Ready(Err(StoreError::Unavailable))
///     }
///
///     fn sweep(&self, _: Millis, _: usize, _: &mut dyn FnMut(Record)) -> bool {
///         false
///     }
///
///     fn len(&self) -> usize {
///         0
///     }
///
///     fn health(&self) -> Health {
///         Health::Unavailable
///     }
/// }
/// ```
pub trait TokenStore: Send + Sync + 'static {
    /// Finds a token in memory.
    fn find(&self, token: &TokenDigest) -> Found;

    /// Shows the record of a token to `look`, if it is known. The default shows what [`TokenStore::find`]
    /// found. A store in memory does better to show the record where it is kept: a copy of it counts as a use
    /// of its grant, and all threads share that count.
    ///
    /// `look` is short and does not call the store.
    fn look(&self, token: &TokenDigest, look: &mut dyn FnMut(&Record)) -> Found<()> {
        match self.find(token) {
            Found::Known(record) => {
                look(&record);
                Found::Known(())
            }
            Found::Unknown => Found::Unknown,
            Found::Ask => Found::Ask,
        }
    }

    /// Finds a token for which [`TokenStore::find`] has returned [`Found::Ask`]. `Ok(None)` means that the
    /// token does not exist.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store cannot answer.
    fn ask(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>>;

    /// Returns what this process remembers about a token for which [`TokenStore::find`] has returned
    /// [`Found::Ask`]. It may be out of date, so it decides only whose token it is. The default remembers
    /// nothing.
    fn recall(&self, token: &TokenDigest) -> Option<Record> {
        let _ = token;
        None
    }

    /// Stores a token. After this has succeeded, every thread finds the token.
    ///
    /// # Errors
    /// [`StoreError::Full`] if the limit is reached. Tokens are never evicted to make room: a valid token
    /// that stops working is an outage for its client. [`StoreError::Unavailable`] if the token may not have
    /// been kept.
    fn insert(&self, token: TokenDigest, record: Record) -> Pending<'_, Result<(), StoreError>>;

    /// Removes a token and returns its record. After this has succeeded, no process finds the token, even
    /// after a restart.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store does not know whether the token was revoked everywhere and
    /// for good. It may be refused already; the caller tries again.
    fn revoke(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>>;

    /// Succeeds once nobody accepts a token that this process does not find, if it was revoked. A shared
    /// store may have carried a revocation out without having been able to confirm it. The default has
    /// nothing to wait for.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] as [`TokenStore::revoke`].
    fn confirm_revoked(&self, token: TokenDigest) -> Pending<'_, Result<(), StoreError>> {
        let _ = token;
        Pending::Ready(Ok(()))
    }

    /// Ends the tokens of a client that were issued before `epoch`, everywhere and for good. Returns the
    /// client's epoch, which is later than `epoch` if another gateway has ended more.
    ///
    /// The caller has advanced the client's [`ClientState`] in this process already.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store does not know whether the epoch has ended everywhere and for
    /// good.
    fn end_epoch(&self, client: &ClientId, epoch: u32) -> Pending<'_, Result<u32, StoreError>>;

    /// Marks a single-use name as used, and remembers it for `keep`. The caller remembers the names that this
    /// process has used. The store adds the names of other processes and those from before a restart. The
    /// default knows no such names.
    ///
    /// # Errors
    /// [`StoreError`] if the name is not certain to be remembered. It must not be accepted then.
    fn use_once(&self, name: UsedName, keep: Duration) -> Pending<'_, Result<Use, StoreError>> {
        let _ = (name, keep);
        Pending::Ready(Ok(Use::First))
    }

    /// Returns whether other processes use the same store at the same time. Proofs that a request has to
    /// carry (RFC 9449) are used up in the store then too.
    fn is_shared(&self) -> bool {
        false
    }

    /// Gives a shared store the judgement of its gate. Before the store puts a token into memory that another
    /// process has issued, it calls `admits`; if the answer is no, the token is unknown to this process. The
    /// default ignores it.
    ///
    /// Each gate decides by its own settings: a token is refused if they do not have its client, or do not
    /// permit its terms.
    fn admit_with(&self, admits: Admits) {
        let _ = admits;
    }

    /// Returns what the store remembers from before a restart, if it remembers anything. The default
    /// remembers nothing.
    fn lasting(&self) -> Option<&dyn Lasting> {
        None
    }

    /// Returns the table of clients that have registered themselves, if the store keeps one. The default
    /// keeps none: such clients are gone after a restart.
    fn client_table(&self) -> Option<&dyn ClientTable> {
        None
    }

    /// Returns the state of a client, which the gate shares with the records that this store makes. A store
    /// that makes no records keeps the default: a client without tokens. An
    /// [`Interner`](crate::store::Interner) has one for each client.
    fn client(&self, id: &ClientId) -> Arc<ClientState> {
        ClientState::new(id.clone())
    }

    /// Forgets about `at_most` tokens that have expired by `now`, and passes each record to `forgotten`.
    /// Returns whether more are waiting. A call must be short, because it runs beside traffic.
    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool;

    /// Shows records to `look`, in no particular order, until `at_most` of them were shown. Returns whether
    /// these were all that are kept in this process. The default shows none. It is for occasional use: what
    /// operators look at.
    ///
    /// `look` is short and does not call the store.
    fn scan(&self, at_most: usize, look: &mut dyn FnMut(&Record)) -> bool {
        let _ = (at_most, look);
        false
    }

    /// Returns how many tokens are kept in this process, including expired ones that are not swept yet.
    fn len(&self) -> usize;

    /// Returns whether no token is kept.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns what the store can do at the moment.
    fn health(&self) -> Health;
}

/// A row that is written, or removed if it has no value.
pub type RowChange = (String, Option<Vec<u8>>);

/// A callback that receives each row that another process has written or removed.
pub type OnRowChange = Box<dyn Fn(&str, Option<&[u8]>) + Send + Sync>;

/// A table of rows that the gate keeps in its store: the clients that have registered themselves (RFC 7591),
/// and what they have used. A store keeps them as it keeps revocations: after a write has succeeded, they
/// survive a restart, and every process that uses the store sees them.
pub trait ClientTable: Send + Sync {
    /// Returns all rows that this process knows.
    fn rows(&self) -> Vec<(String, Vec<u8>)>;

    /// Returns the value of a row, as far as this process knows it.
    fn known(&self, key: &str) -> Option<Vec<u8>>;

    /// Writes and removes rows, all of them or none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store does not know whether they are kept for good.
    fn write(&self, changes: Vec<RowChange>) -> Pending<'_, Result<(), StoreError>>;

    /// Adds one to the number in a row, unless it is `most` already. Returns whether it was added. Two
    /// processes never add the same one.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store does not know whether it was added for good.
    fn count_up(&self, key: &str, most: u64) -> Pending<'_, Result<bool, StoreError>>;

    /// Replaces the value of a row, unless it is not `before` any more. Returns whether it was replaced.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store does not know whether it was replaced for good.
    fn replace(&self, key: &str, before: Vec<u8>, after: Vec<u8>) -> Pending<'_, Result<bool, StoreError>>;

    /// Returns the value of a row that another process may have written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store cannot answer.
    fn find_row(&self, key: &str) -> Pending<'_, Result<Option<Vec<u8>>, StoreError>>;

    /// Waits until this process knows all rows that were written before the call. A table that no other process
    /// writes to keeps the default.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store cannot answer.
    fn catch_up(&self) -> Pending<'_, Result<(), StoreError>> {
        Pending::Ready(Ok(()))
    }

    /// Returns whether other processes write to the same table.
    fn has_others(&self) -> bool {
        false
    }

    /// Calls `on_change` with each row that another process has changed. A table that no other process writes
    /// to keeps the default.
    fn on_change(&self, on_change: OnRowChange) {
        drop(on_change);
    }
}

/// What a store knows about a token without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found<T = Record> {
    /// The token is known.
    Known(T),
    /// There is no such token.
    Unknown,
    /// Only [`TokenStore::ask`] can answer.
    Ask,
}

impl<T> Found<T> {
    /// Returns the record if the token is known.
    #[must_use]
    pub fn known(self) -> Option<T> {
        match self {
            Self::Known(known) => Some(known),
            Self::Unknown | Self::Ask => None,
        }
    }
}

/// Whether a gate accepts a token that another one has issued: see [`TokenStore::admit_with`].
pub type Admits = Box<dyn Fn(&Record) -> bool + Send + Sync>;

/// A future on the heap.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A result that is available, or a future that computes it.
///
/// ```
/// use tollgate::store::Pending;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// assert_eq!(Pending::Ready(1).get().await, 1);
/// assert_eq!(Pending::Wait(Box::pin(async { 2 })).get().await, 2);
/// # }
/// ```
pub enum Pending<'a, T> {
    /// The result.
    Ready(T),
    /// The future that computes the result.
    Wait(BoxFuture<'a, T>),
}

impl<T> Pending<'_, T> {
    /// Returns the result, and waits for it if necessary.
    pub async fn get(self) -> T {
        match self {
            Self::Ready(result) => result,
            Self::Wait(future) => future.await,
        }
    }

    /// Returns the result if it is available, and drops the future otherwise.
    #[must_use]
    pub fn ready(self) -> Option<T> {
        match self {
            Self::Ready(result) => Some(result),
            Self::Wait(_) => None,
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for Pending<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready(result) => f.debug_tuple("Ready").field(result).finish(),
            Self::Wait(_) => f.write_str("Wait(…)"),
        }
    }
}

/// Whether a name was used before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The name is new, and is remembered from now on.
    First,
    /// The name was used before.
    Again,
}

/// What a store can do at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Health {
    /// The store works without restrictions.
    Good,
    /// The store finds the tokens that it knows. Issuing and revoking fail with [`StoreError::Unavailable`].
    ReadOnly,
    /// The store cannot do anything.
    Unavailable,
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
