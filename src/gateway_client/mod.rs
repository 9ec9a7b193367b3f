//! A running gateway as a client sees it: the URLs of its endpoints, and requests to them.

mod endpoint;
mod request;
mod sole_client;

pub(crate) use self::endpoint::{DEFAULT_TOKEN_PATH, Endpoint, local_origin};
pub(crate) use self::request::{RequestError, gateway_trust, get, post};
pub(crate) use self::sole_client::sole_client;
