//! The load generator and the report behind `tollgate bench`.
//!
//! A run is a list of [`Scenario`](scenario::Scenario)s driven one after the other, in rounds: [`load`] makes one
//! round of one scenario, [`outcome`] puts the rounds together, [`report`] shows them. What is measured against which
//! gateway is the command line's to choose (`cli/bench`).

pub(crate) mod connect;
pub(crate) mod cpu;
pub(crate) mod histogram;
pub(crate) mod http1;
pub(crate) mod load;
pub(crate) mod outcome;
mod pace;
pub(crate) mod report;
pub(crate) mod scenario;
mod sender;
pub(crate) mod stand_in;
pub(crate) mod tally;
