//! Doors to what is not public, for the fuzz targets in `fuzz/`: they are there only under `cfg(fuzzing)`.

pub use crate::proxy::fuzzing::{AnswerHead, ChunkedBody, ChunkedEnd, Framed, answer_head, chunked_body};
pub use crate::server::fuzzing::head_verdicts;
