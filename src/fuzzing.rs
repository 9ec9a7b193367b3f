//! Access to internals for the fuzz targets in `fuzz/`. It exists only with the feature `_fuzzing`.

pub use crate::proxy::fuzzing::{
    AnswerHead, ChunkedBody, ChunkedEnd, Framed, answer_head, chunked_body, strip,
};
pub use crate::server::fuzzing::head_verdicts;
