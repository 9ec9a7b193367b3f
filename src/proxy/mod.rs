//! The reverse proxy: what a request is (path, host, route) and how it goes upstream.

pub(crate) mod addresses;
mod balance;
mod body;
pub mod build;
pub(crate) mod cors;
mod dial;
mod ejection;
mod forward;
#[cfg(feature = "_fuzzing")]
pub(crate) mod fuzzing;
mod h1;
mod h2;
pub mod headers;
mod health;
pub mod host;
mod in_flight;
mod io;
mod judge;
mod limits;
mod meters;
mod observe;
pub mod path;
mod pipeline;
mod pool;
mod refusal;
mod resolve;
mod retry;
pub mod route;
mod rules;
mod source;
mod standing;
mod tunnel;
pub mod upstream;

pub use body::{BodyFault, ResponseBody};
pub use forward::ForwardError;
pub(crate) use judge::strip;
pub use pipeline::{Access, ClientConnection, Proxy, Route, Routes};
pub use rules::Rules;
