//! The store that several gateways share, on real engines.

mod clocks;
mod contract;
mod encrypted;
mod engine;
mod faults;
mod gateways;
mod jwt;
mod link;
mod measure;
mod notifications;
mod registration;
mod registrations;
mod requests;
