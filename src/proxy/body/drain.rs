//! Reads a bounded part of the body of a refused HTTP/2 request.
//!
//! The stream of a request whose body nobody reads is reset once its response is complete. Some clients, such as curl 7,
//! then report the reset instead of the response, if they are still sending.

use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

/// The bytes that are read at most.
const MAX_BYTES: usize = 1024 * 1024;
/// How long they are read.
const MAX_TIME: Duration = Duration::from_secs(2);

/// Reads the body in a task of its own, which ends with the body, its bounds or the connection.
pub(crate) fn drain(mut body: Incoming) {
    if body.is_end_stream() {
        return;
    }
    tokio::spawn(timeout(MAX_TIME, async move {
        let mut left = MAX_BYTES;
        while let Some(Ok(frame)) = body.frame().await {
            match left.checked_sub(frame.data_ref().map_or(0, bytes::Bytes::len)) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }));
}
