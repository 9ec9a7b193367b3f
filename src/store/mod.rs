//! Where issued tokens are kept: the [`TokenStore`] trait and a [`MemoryStore`].

#[cfg(feature = "journal")]
pub(crate) mod journal;
mod lasting;
mod memory;
mod stored;
pub mod testing;
mod token_store;
mod used_name;
mod wheel;

#[cfg(feature = "journal")]
pub use journal::{Journal, JournalError};
pub use lasting::{Lasting, OnFound};
pub use memory::MemoryStore;
pub use stored::{Interner, StoredGrant};
pub use token_store::{BoxFuture, Found, Health, Pending, StoreError, TokenStore, Use};
pub use used_name::UsedName;
