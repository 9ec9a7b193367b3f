//! Reads a bounded part of the body of a refused HTTP/2 request.
//!
//! A stream with an unread body is reset once the response is complete. Some clients that are still sending,
//! such as curl 7, then report the reset instead of the response.

use std::time::Duration;

use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::upstream::http2::received::ReceivedBody;

/// The maximum number of bytes to read.
const MAX_BYTES: usize = 1024 * 1024;
/// The maximum time to spend reading.
const MAX_TIME: Duration = Duration::from_secs(2);

/// Reads the body in its own task. The task ends with the body, at one of the limits, or with the connection.
pub(crate) fn drain(mut body: ReceivedBody) {
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
