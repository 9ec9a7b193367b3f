//! Who reaches what, and why: the matrix of clients and routes, what a change of it grants, and how one request is
//! decided.
//!
//! Everything here is computed from a configuration alone. [`explain`] asks the function that the pipeline asks.

pub(crate) mod describe;
pub(crate) mod difference;
pub(crate) mod expect;
pub(crate) mod explain;
pub(crate) mod lint;
pub(crate) mod matrix;
pub(crate) mod offline;
pub(crate) mod reach;
