//! The store that several gateways share, on real engines.

mod contract;
mod engine;
mod faults;
mod gateways;
mod link;
mod measure;
mod registration;
mod requests;
