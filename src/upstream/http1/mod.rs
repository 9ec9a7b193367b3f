//! HTTP/1.1 connections to upstream servers (RFC 9112).
//!
//! A request is serialized once, directly from the client's head; a retry sends the same bytes. The task that
//! serves the client also writes and reads the server's socket, so nothing is passed between tasks. A
//! response with ambiguous framing is an error, and its connection is never reused.

pub(crate) mod connection;
pub(crate) mod fault;
pub(crate) mod logins;
pub(crate) mod pool;
pub(crate) mod writer;
