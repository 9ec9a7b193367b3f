//! Sends the bytes of a request of HTTP/1.1, and reads the response until the connection ends.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::answer::{Answer, MAX_ANSWER, Outcome, Response};
use super::stream::Stream;

/// Sends a request on a new connection, and reads its response.
pub(super) async fn exchange(mut stream: Box<dyn Stream>, request: &[u8], within: Duration) -> Answer {
    let mut bytes = Vec::new();
    // The gateway may respond and close the connection before it has read the whole request.
    let sent = timeout(within, async {
        stream.write_all(request).await?;
        stream.flush().await
    });
    let _ = sent.await;
    let read = timeout(within, async {
        let mut buffer = [0; 16 * 1024];
        while bytes.len() < MAX_ANSWER {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(read) => bytes.extend_from_slice(buffer.get(..read).unwrap_or_default()),
            }
        }
    });
    let closed = read.await.is_ok();
    answer(&bytes, closed)
}

/// Reads the responses in the bytes of a connection. `closed` says whether the gateway ended it in time.
///
/// A response inside the body of another response is counted too. If an API's body contains the text of a
/// response, the request is reported, and the operator sees the reason.
pub(super) fn answer(bytes: &[u8], closed: bool) -> Answer {
    let final_bytes = skip_interim(bytes);
    let Some(status) = status_line(final_bytes) else {
        let outcome = match (closed, bytes.is_empty()) {
            (true, true) => Outcome::Ended,
            (true, false) => Outcome::Unclear("a response that is not HTTP/1.1".to_owned()),
            (false, _) => Outcome::silence(),
        };
        return Answer { outcome, responses: 0 };
    };
    let (head, body) = final_bytes.split_at(head_end(final_bytes));
    let mut responses = 1;
    let mut rest = body;
    while let Some(found) = find(rest, b"HTTP/1.").and_then(|at| rest.get(at..)) {
        let is_final = status_line(found).is_some_and(|status| status >= 200);
        responses += usize::from(is_final && find(found, b"\r\n\r\n").is_some());
        rest = found.get(1..).unwrap_or_default();
    }
    let fields = head.split(|byte| *byte == b'\n').filter_map(|line| {
        let line = String::from_utf8_lossy(line);
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    });
    let response = Response { status, fields: fields.collect(), body: body.to_vec() };
    Answer { outcome: Outcome::Response(response), responses }
}

/// Returns the first final response and what follows it. Interim ones come before it (RFC 9110 §15.2).
fn skip_interim(mut bytes: &[u8]) -> &[u8] {
    while status_line(bytes).is_some_and(|status| (100..200).contains(&status) && status != 101) {
        bytes = find(bytes, b"\r\n\r\n").and_then(|end| bytes.get(end + 4..)).unwrap_or_default();
    }
    bytes
}

/// Returns the position of the end of a response head.
fn head_end(bytes: &[u8]) -> usize {
    find(bytes, b"\r\n\r\n").map_or(bytes.len(), |end| end + 4)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}

/// Returns the status of a response that begins at this position.
fn status_line(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '))?;
    str::from_utf8(digits).ok()?.parse().ok()
}
