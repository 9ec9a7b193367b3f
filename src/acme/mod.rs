//! Certificates that an authority issues over ACME (RFC 8555) with the challenge TLS-ALPN-01 (RFC 8737).
//!
//! This room speaks with the authority, keeps accounts and certificates in `state_dir`, and decides when to order. The
//! crate `instant-acme` has the messages and signatures of the protocol. [`Challenges`](challenge::Challenges) has the
//! certificates with which the server answers the authority's connections. When orders run, and how an issued certificate
//! comes into use, is decided in `gateway/`.

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
