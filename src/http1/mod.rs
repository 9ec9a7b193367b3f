//! HTTP/1.1 (RFC 9112): reads and writes heads, framing and chunked bodies. All code that reads HTTP/1 uses
//! this module.
//!
//! A head is never copied into a map. It is parsed once into spans over the buffer that it was received in,
//! and a view gives access to its parts. Headers that are forwarded are copied from the buffer in runs of
//! whole lines.
//!
//! Requests are parsed strictly: a request that two servers might interpret differently is refused. Responses
//! are parsed as RFC 9112 tells a proxy to: permitted repairs are made, and a response with ambiguous framing
//! is refused.
//!
//! This module reads neither sockets nor the clock.

mod body;
pub(crate) mod buffers;
mod chunked;
mod fault;
mod field;
#[cfg(feature = "_fuzzing")]
pub(crate) mod fuzzing;
mod input;
mod request;
mod response;
mod runs;
mod scan;
mod target;
#[cfg(test)]
mod tests;

pub(crate) use body::BodyDecoder;
pub(crate) use chunked::{Decoded, Trailers, write_chunk, write_last_chunk};
pub(crate) use fault::{ChunkFault, RequestFault, ResponseFault};
pub(crate) use input::Input;
pub(crate) use request::{HeadLimits, RequestFacts, RequestFraming, RequestHead, RequestSpans};
pub(crate) use response::{
    MAX_RESPONSE_HEAD, ResponseExpectation, ResponseFacts, ResponseFraming, ResponseHead, ResponseSpans,
};
pub(crate) use runs::Runs;
