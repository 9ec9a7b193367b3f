//! What fuzz targets need of the proxy.

pub use super::h1::fuzzing::{AnswerHead, ChunkedBody, ChunkedEnd, Framed, answer_head, chunked_body};

/// The path that goes upstream.
pub fn strip<'p>(path: &'p str, prefix: Option<&str>) -> Option<&'p str> {
    super::judge::strip(path, prefix)
}
