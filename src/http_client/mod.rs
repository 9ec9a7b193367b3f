//! The HTTP client of the gateway and the command line: one bounded HTTP/1.1 exchange at a time.
//!
//! Requests of clients are not sent by it; `upstream` forwards them. It reuses no connection and follows no
//! redirect.

mod error;
mod exchange;
mod trust;

pub(crate) use self::error::HttpError;
pub(crate) use self::exchange::{Bounds, HttpClient, PlainHttp};
pub(crate) use self::trust::Trust;
