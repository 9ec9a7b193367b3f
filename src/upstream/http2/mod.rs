//! HTTP/2 connections to the servers (RFC 9113): multiplexed and pooled per thread.

pub(crate) mod connection;
pub(crate) mod pool;
pub(crate) mod received;
pub(crate) mod response;
pub(crate) mod upload;
