//! What a store remembers across a restart, besides the tokens themselves.

use std::collections::HashMap;
use std::sync::Arc;

use crate::oauth::client::ClientId;
use crate::oauth::grant::Grant;

/// A callback that receives each grant that another process has made.
pub type OnFound = Box<dyn Fn(&Arc<Grant>) + Send + Sync>;

/// The part of a [`TokenStore`](crate::store::TokenStore) whose tokens outlive the process.
///
/// While the process does not run, a client may lose something that its tokens carry. The gate compares the
/// two when it is made, before it answers a request: for that it needs the grants of the tokens that were
/// found, and the registration under which each client got them. Everything is written in the order of the
/// calls, with the tokens and the ends of epochs: a token that is found again has a registration that is at
/// least as old as the token.
pub trait Lasting {
    /// Lists the grants of the tokens that were issued before this process and are kept.
    fn grants(&self) -> Vec<Arc<Grant>>;

    /// Returns the last stored registration of each client. If a client has no registration, it is unknown
    /// what its tokens depend on, and the gate ends them.
    fn registrations(&self) -> HashMap<ClientId, Vec<u8>>;

    /// Stores the registration of a client, which is opaque to the store. `None` removes it.
    fn register(&self, client: &ClientId, registration: Option<Vec<u8>>);

    /// Calls `on_found` with each grant that another process makes while both use the store, before a token
    /// of it is found. A store that no other process writes to keeps the default. It is called from the
    /// threads that call the store, and calls [`Lasting::restrict`].
    fn on_found(&self, on_found: OnFound) {
        drop(on_found);
    }

    /// Keeps that each of these grants has ended ([`Grant::is_current`]) or that its lifetime is shorter than
    /// that of its terms.
    fn restrict(&self, grants: &[Arc<Grant>]);
}
