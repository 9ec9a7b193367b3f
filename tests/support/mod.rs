//! Support for the black-box tests: the gateway as a child process, an upstream that records every byte, and
//! a client that sends raw bytes.

pub(crate) mod acme;
pub(crate) mod any_certificate;
pub(crate) mod certificates;
pub(crate) mod client;
pub(crate) mod config;
pub(crate) mod fixture;
pub(crate) mod frames;
pub(crate) mod gateway;
pub(crate) mod grpc;
pub(crate) mod guard;
pub(crate) mod h2_upstream;
pub(crate) mod jose;
pub(crate) mod jwks;
pub(crate) mod logs;
pub(crate) mod message;
pub(crate) mod metrics;
pub(crate) mod program;
pub(crate) mod response;
pub(crate) mod tls;
pub(crate) mod upstream;

pub(crate) use client::{Conn, basic, form, get, post_form, raw};
pub(crate) use config::Config;
pub(crate) use fixture::{Fixture, INTROSPECT, REVOKE, TOKEN, credentials, shared, shipped, token_of};
pub(crate) use gateway::Gateway;
pub(crate) use program::run;
pub(crate) use response::TestResponse;
pub(crate) use upstream::{Next, Upstream};

/// How long a test waits for a state before it fails. On a busy machine, everything takes long.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
