//! The servers of the upstream APIs: selection, health, and connections.
//!
//! `proxy/` hands over a request that was authorized. This module picks a server, opens or reuses a
//! connection of the calling thread, and speaks HTTP/1.1 or HTTP/2 on it. It does not interpret the request.

pub(crate) mod alarm;
pub(crate) mod balance;
pub(crate) mod connect;
pub(crate) mod downstream;
pub(crate) mod ejection;
pub(crate) mod group;
pub(crate) mod health;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod io;
pub(crate) mod last_fault;
pub(crate) mod local_fault;
pub(crate) mod own_listener;
pub(crate) mod pick;
pub(crate) mod registry;
pub(crate) mod resolve;
pub(crate) mod retry_budget;
pub(crate) mod select;
pub(crate) mod server;
pub(crate) mod state;
