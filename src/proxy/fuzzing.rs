//! What fuzz targets need of the proxy.

pub use super::h1::fuzzing::{AnswerHead, ChunkedBody, ChunkedEnd, Framed, answer_head, chunked_body};
