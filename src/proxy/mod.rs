//! The way of a request through the gateway: what is decided about it, how it is forwarded, and how its
//! response returns.

pub(crate) mod access;
pub(crate) mod addresses;
pub(crate) mod authorize;
pub(crate) mod body;
pub(crate) mod client;
pub(crate) mod cors;
mod date;
pub(crate) mod endpoint_cors;
mod endpoints;
pub(crate) mod forward;
pub(crate) mod http1;
mod http1_to_http2;
pub(crate) mod http2;
pub(crate) mod meters;
pub(crate) mod observe;
pub(crate) mod observer;
pub(crate) mod pipeline;
mod redirect;
pub(crate) mod refusal;
pub(crate) mod request_context;
pub(crate) mod route;
pub(crate) mod rules;
pub(crate) mod session;
pub(crate) mod shadow;
pub(crate) mod stream;
pub(crate) mod token_access;
pub(crate) mod transform;
pub(crate) mod tunnel;
