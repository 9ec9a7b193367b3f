//! Where issued tokens are kept: the [`TokenStore`] trait and a [`MemoryStore`].

mod memory;
pub mod testing;
mod token_store;
mod wheel;

pub use memory::MemoryStore;
pub use token_store::{StoreError, TokenStore};
