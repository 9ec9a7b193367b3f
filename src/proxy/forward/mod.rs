//! Forwards a permitted request and returns the response.

pub(crate) mod buffer;
pub(crate) mod error;
pub(crate) mod exchange;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod outbound;
pub(crate) mod retry;
