//! A file for each section of the console: what it shows, and what its forms do.

pub(super) mod audit;
pub(super) mod changes;
pub(super) mod client;
pub(super) mod clients;
pub(super) mod explain;
pub(super) mod history;
pub(super) mod new_client;
pub(super) mod overview;
pub(super) mod registered;
mod registered_state;
pub(super) mod registration;
pub(super) mod route_form;
pub(super) mod routes;
pub(super) mod scopes;
pub(super) mod secret;
mod settings_form;
pub(super) mod setup;
pub(super) mod shadow;
pub(super) mod sign_in;
pub(super) mod upstream_form;
pub(super) mod upstreams;
pub(super) mod users;
pub(super) mod versions;
