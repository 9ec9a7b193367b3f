//! The keys that sign JWTs for upstreams: made by the gateway and kept in `state_dir`, or in files that the
//! configuration names.

pub(crate) mod file;
pub(crate) mod keeper;
pub(crate) mod rotation;
pub(crate) mod schedule;
