//! The bodies of requests and responses on their way through the gateway.

use std::error::Error;

pub(crate) mod downstream;
pub(crate) mod drain;
pub(crate) mod lease;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod source;
pub(crate) mod upstream_body;

/// The error of a body: a [`BodyFault`](crate::upstream::downstream::BodyFault), or an error of the
/// connection.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
