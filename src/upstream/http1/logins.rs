//! Connections that carry a client's login.
//!
//! NTLM and Negotiate (RFC 4559) authenticate the connection, not the request: everything that is sent over
//! it afterwards belongs to the user. Such a connection serves one client connection and is closed with it.
//! It never enters the shared pool.

use std::sync::Arc;

use tokio::time::Instant;

use super::connection::Connection;
use crate::upstream::server::Server;

/// The maximum number of logins per client connection. Beyond it, the oldest connection is closed.
const MAX_LOGINS: usize = 4;

/// The connections that carry the logins of one client connection. Nothing is allocated if there is no login.
#[derive(Default)]
pub(crate) struct Logins(Option<Box<Kept>>);

#[derive(Default)]
struct Kept {
    /// The connections, oldest first.
    #[expect(clippy::vec_box, reason = "a connection is large, and moves between here and the requests")]
    connections: Vec<Box<Connection>>,
}

impl Logins {
    /// Takes the connection to `server`, unless the server has closed it.
    pub(crate) fn take(&mut self, server: &Server, now: Instant) -> Option<Box<Connection>> {
        let kept = &mut self.0.as_mut()?.connections;
        let at = kept.iter().position(|connection| connection.server == server.key)?;
        let mut connection = kept.remove(at);
        let fresh = now.saturating_duration_since(connection.used) <= connection.idle_timeout;
        connection.used = now;
        Some(connection).filter(|connection| fresh && connection.is_quiet())
    }

    /// Keeps a connection whose response has been read completely, if it can serve another request.
    pub(crate) fn keep(&mut self, mut connection: Box<Connection>) {
        if !connection.persists() {
            return;
        }
        connection.rest();
        let kept = &mut self.0.get_or_insert_default().connections;
        kept.retain(|other| other.server != connection.server);
        if kept.len() == MAX_LOGINS {
            kept.remove(0);
        }
        kept.push(connection);
    }

    /// Returns the key of the server at which the client is logged in, if it is one of `servers`.
    pub(crate) fn server_among(&self, servers: &[Arc<Server>]) -> Option<u64> {
        let kept = &self.0.as_ref()?.connections;
        let is_one = |key: &u64| servers.iter().any(|server| server.key == *key);
        kept.iter().rev().map(|connection| connection.server).find(is_one)
    }
}
