//! The load generator and the report behind `tollgate bench`.
//!
//! A run is a list of [`Scenario`](scenario::Scenario)s driven one after the other, in rounds: [`load`] makes
//! one round of one scenario, [`outcome`] puts the rounds together, [`report`] shows them. A
//! [`Plan`](plan::Plan) says what to measure, [`gateway`] finds or starts the gateway, and [`run`] drives it.

pub(crate) mod comparison;
pub(crate) mod connect;
pub(crate) mod cpu;
pub(crate) mod error;
pub(crate) mod gateway;
pub(crate) mod histogram;
pub(crate) mod http1;
pub(crate) mod load;
pub(crate) mod outcome;
mod pace;
pub(crate) mod plan;
mod progress;
pub(crate) mod report;
mod routes;
pub(crate) mod run;
pub(crate) mod scenario;
mod sender;
pub(crate) mod stand_in;
pub(crate) mod tally;
pub(crate) mod temporary;
pub(crate) mod tokens;
