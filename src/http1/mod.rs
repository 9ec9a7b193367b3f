//! HTTP/1.1 (RFC 9112): heads, framing and chunked bodies, both ways. Everything that reads HTTP/1 reads it here.
//!
//! A head is never copied into a map. It is parsed into spans over the buffer that it came in, once and to the letter,
//! and a view of it lends its parts out. What goes on to the other side is copied from the buffer in runs of whole lines.
//!
//! Requests are read strictly: what two servers might read in two ways is refused. Responses are read as RFC 9112 tells
//! a proxy to: what it may repair is repaired, and what is in doubt about their end is refused.
//!
//! Nothing in here reads a socket or a clock.

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
#[cfg(test)]
mod tests;

pub(crate) use body::BodyDecoder;
pub(crate) use chunked::{Decoded, Trailers, write_chunk, write_last_chunk};
pub(crate) use fault::{ChunkFault, RequestFault, ResponseFault};
pub(crate) use input::Input;
pub(crate) use request::{HeadLimits, RequestFacts, RequestFraming, RequestHead, RequestSpans};
pub(crate) use response::{
    Asked, MAX_RESPONSE_HEAD, ResponseFacts, ResponseFraming, ResponseHead, ResponseSpans,
};
pub(crate) use runs::Runs;
