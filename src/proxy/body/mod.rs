//! The bodies of requests and responses on their way through the gateway.

use std::error::Error;

pub(crate) mod downstream;
pub(crate) mod drain;
pub(crate) mod lease;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod source;
pub(crate) mod upstream_body;

/// The error of a body: a [`fault::BodyFault`], or what the other side's connection says.
pub(crate) type BoxError = Box<dyn Error + Send + Sync>;
