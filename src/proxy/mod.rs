//! The reverse proxy: what a request is (path, host, route) and how it goes upstream.

pub mod headers;
pub mod host;
pub mod path;
pub mod route;
