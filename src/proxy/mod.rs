//! The reverse proxy: what a request is (path, host, route) and how it goes upstream.

mod body;
pub mod build;
mod forward;
pub mod headers;
pub mod host;
mod io;
pub mod path;
mod pipeline;
mod pool;
pub mod route;
mod tunnel;
pub mod upstream;
mod wake;

pub use body::{BodyFault, ResponseBody};
pub use forward::ForwardError;
pub(crate) use pipeline::strip;
pub use pipeline::{Access, ClientConnection, Proxy, Route, Routes};
