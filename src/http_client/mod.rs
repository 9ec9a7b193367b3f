//! The client for what the gateway fetches and the command line asks: one bounded HTTP/1.1 exchange at a time.
//!
//! Requests of clients do not come this way; they are forwarded by `upstream`. No connection is kept, no redirect is
//! followed.

mod error;
mod exchange;
mod trust;

pub(crate) use self::error::HttpError;
pub(crate) use self::exchange::{Bounds, HttpClient, PlainHttp};
pub(crate) use self::trust::Trust;
