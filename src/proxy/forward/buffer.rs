//! Reads the whole body of a request before anything is sent to a server: `buffer_request`.

use std::future::poll_fn;
use std::task::Poll;

use super::error::ForwardError;
use crate::upstream::downstream::Downstream;
use crate::upstream::http1::writer::RequestWriter;

/// Reads the body from `down`, and appends it with its length to the head in `writer`. The body enforces its
/// own size limit.
///
/// # Errors
/// The body is too long or too slow, or ends early.
pub(crate) async fn buffer(
    writer: &mut RequestWriter,
    down: &mut impl Downstream,
) -> Result<(), ForwardError> {
    let (mut body, mut piece) = (Vec::new(), Vec::new());
    poll_fn(|cx| {
        loop {
            let polled = down.poll_body(&mut piece, cx);
            body.append(&mut piece);
            match polled {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(false)) => {}
                Poll::Ready(Ok(true)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(ForwardError::Body(fault))),
            }
        }
    })
    .await?;
    writer.set_body(&body);
    Ok(())
}
