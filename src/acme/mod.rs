//! Certificates that an authority issues over ACME (RFC 8555) with the challenge TLS-ALPN-01 (RFC 8737).
//!
//! This module sends requests to the authority, keeps accounts and certificates in `state_dir`, and computes
//! when a certificate is due for renewal. The crate `instant-acme` provides the messages and signatures of
//! the protocol. [`Challenges`](challenge::Challenges) has the certificates with which the server answers the
//! connections of the authority. The module `gateway/` runs the orders and puts issued certificates into use.

mod account;
mod attempts;
pub(crate) mod challenge;
mod error;
mod http;
mod order;
pub(crate) mod renewal;
pub(crate) mod session;
pub(crate) mod storage;

pub(crate) use attempts::Attempts;
pub(crate) use error::AcmeError;
