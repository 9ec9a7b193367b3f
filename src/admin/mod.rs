//! The listener for operators: the console and the API, separate from the traffic.
//!
//! The listener has its own thread, which has a lower priority than the threads that serve traffic, and its
//! own limits. A request first passes [`guard`], which accepts only requests that name this listener and did
//! not come through a proxy. Pages use the session cookie ([`user`]), and the API uses bearer tokens from
//! this gateway's token endpoint.
//!
//! Functions that change the running gateway are in the trait [`control::Control`], which the module
//! `gateway` implements.

mod accept;
mod api;
mod attempts;
mod blocking;
mod console;
pub(crate) mod control;
mod cookie;
mod cross_site;
mod endpoint;
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
