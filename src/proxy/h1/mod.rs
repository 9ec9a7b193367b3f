//! HTTP/1.1 to the servers (RFC 9112).
//!
//! A request is made into bytes once, straight from the client's headers: another try sends the same bytes. The task
//! that serves the client writes and reads the server's socket itself, so that nothing is handed between tasks. An
//! answer is read strictly: what could be framed in two ways is an error, and its connection is never used again.

mod answer;
mod chunked;
mod connection;
#[cfg(feature = "_fuzzing")]
pub(in crate::proxy) mod fuzzing;
mod request;

#[cfg(test)]
mod tests;

pub(super) use self::answer::{Answer, AnswerBody, Asked};
pub(super) use self::connection::{Connection, Fault};
pub(super) use self::request::{RequestHead, Sending};
