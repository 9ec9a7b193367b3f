//! Reads the whole body of a request before a server gets anything: `buffer_request`.

use std::future::poll_fn;
use std::task::Poll;

use super::error::ForwardError;
use crate::upstream::downstream::Downstream;
use crate::upstream::http1::writer::RequestWriter;

/// Reads the body that `down` brings, and puts it behind the head in `writer` with its length. The limit is the one of
/// the body itself.
///
/// # Errors
/// The body is too long or too slow, or breaks off.
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
