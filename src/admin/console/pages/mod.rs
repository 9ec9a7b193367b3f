//! A file for each section of the console: what it shows, and what its forms do.

pub(super) mod client;
pub(super) mod clients;
pub(super) mod explain;
pub(super) mod overview;
pub(super) mod routes;
pub(super) mod scopes;
pub(super) mod sign_in;
pub(super) mod upstreams;
