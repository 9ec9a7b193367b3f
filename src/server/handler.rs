//! The interface to the code that answers requests.

use super::connection_info::ConnInfo;
use crate::proxy::client::{Client, Socket};
use crate::proxy::stream::Stream;

/// Answers requests. All threads share one value.
pub(crate) trait Handler: Send + Sync + 'static {
    /// State that requests reuse one after the other: those of one HTTP/1 connection, or of one place among
    /// the streams of an HTTP/2 connection.
    type Session: Default + Send;

    /// Answers an HTTP/1 request whose head has been received.
    fn serve<I: Socket>(
        &self,
        client: &mut Client<I>,
        connection: &ConnInfo,
        session: &mut Self::Session,
    ) -> impl Future<Output = ()> + Send;

    /// Answers an HTTP/2 request whose head has been received. The future is dropped when the connection
    /// ends.
    fn serve_stream(
        &self,
        stream: &mut Stream,
        connection: &ConnInfo,
        session: &mut Self::Session,
    ) -> impl Future<Output = ()> + Send;
}
