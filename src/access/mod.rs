//! Answers which client has access to which route, and why: the access matrix, the effect of a change on it,
//! and the decision about one request.
//!
//! Everything in this module is computed from a configuration alone. [`explain`] calls the function that the
//! pipeline calls.

pub(crate) mod describe;
pub(crate) mod difference;
pub(crate) mod expect;
pub(crate) mod explain;
pub(crate) mod lint;
pub(crate) mod matrix;
pub(crate) mod offline;
pub(crate) mod reach;
pub(crate) mod registered;
