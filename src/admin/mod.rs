//! The listener for operators: the console and the API, apart from the traffic.
//!
//! It has a thread of its own, which yields to the threads of the traffic, and its own bounds. A request passes the
//! [`guard`] first, which answers only for the names of this listener and for nothing that came through a proxy. Pages
//! take the cookie of a session ([`user`]), and the API takes bearer tokens of this gateway's own token endpoint.
//!
//! What changes the running gateway is behind [`control::Control`], which the assembly implements.

mod accept;
mod api;
mod attempts;
mod console;
pub(crate) mod control;
mod cookie;
mod cross_site;
mod guard;
pub(crate) mod listener;
mod password_check;
mod peer;
pub(crate) mod problem;
mod response_headers;
pub(crate) mod router;
mod sessions;
pub(crate) mod setup;
pub(crate) mod setup_link;
pub(crate) mod sign_in;
pub(crate) mod state;
pub(crate) mod user;
