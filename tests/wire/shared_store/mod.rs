//! The store that several gateways share, on real engines.

mod contract;
mod engine;
