//! The store that several gateways share, on real engines.

mod clocks;
mod cluster;
mod contract;
mod encrypted;
mod engine;
mod faults;
mod gateways;
mod jwt;
mod link;
mod measure;
mod notifications;
mod permissions;
mod registration;
mod registrations;
mod requests;
mod split_brain;
