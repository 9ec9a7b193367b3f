//! The reverse proxy: what a request is (path, host, route) and how it goes upstream.

mod addresses;
mod balance;
mod body;
pub mod build;
mod cors;
mod forward;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod h1;
pub mod headers;
pub mod host;
mod io;
mod limits;
pub mod path;
mod pipeline;
mod pool;
pub mod route;
mod rules;
mod tunnel;
pub mod upstream;

pub use body::{BodyFault, ResponseBody};
pub use forward::ForwardError;
pub(crate) use pipeline::strip;
pub use pipeline::{Access, ClientConnection, Proxy, Route, Routes};
pub use rules::Rules;
