//! What fuzz targets need of the proxy.

pub use crate::upstream::http1::fuzzing::{
    AnswerHead, ChunkedBody, ChunkedEnd, Framed, answer_head, chunked_body,
};
