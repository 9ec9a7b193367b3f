//! Where issued tokens are kept: the [`TokenStore`] trait and a [`MemoryStore`].

#[cfg(feature = "journal")]
mod client_table;
#[cfg(any(feature = "config", feature = "redis"))]
mod engine;
#[cfg(feature = "journal")]
pub(crate) mod journal;
mod lasting;
mod memory;
#[cfg(feature = "redis")]
pub(crate) mod redis;
mod stored;
pub mod testing;
mod token_store;
mod used_name;
mod wheel;

#[cfg(feature = "gateway")]
pub(crate) use client_table::{CLIENT, MemoryTable, client_key, number};
#[cfg(any(feature = "config", feature = "redis"))]
pub use engine::{EngineAddress, EngineLogin, EngineTls, RedisOptions, Topology};
#[cfg(feature = "journal")]
pub use journal::{Journal, JournalError};
pub use lasting::{Lasting, OnFound};
pub use memory::MemoryStore;
#[cfg(feature = "redis")]
pub use redis::{RedisStore, SharedStoreStatus};
pub use stored::{Interner, StoredGrant};
pub use token_store::{
    Admits, BoxFuture, ClientTable, Found, Health, OnRowChange, Pending, RowChange, StoreError, TokenStore,
    Use,
};
pub use used_name::UsedName;
