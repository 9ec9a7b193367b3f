//! HTTP/1.1 to the servers (RFC 9112).
//!
//! A request is made into bytes once, straight from the client's head: another try sends the same bytes. The task that
//! serves the client writes and reads the server's socket itself, so that nothing is handed between tasks. What could be
//! framed in two ways is an error, and its connection is never used again.

pub(crate) mod connection;
pub(crate) mod fault;
pub(crate) mod logins;
pub(crate) mod pool;
pub(crate) mod writer;
