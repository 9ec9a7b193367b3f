//! The servers of the legacy APIs: which one a request goes to, whether it is healthy, and the connections to it.
//!
//! Nothing here knows what a request means. `proxy/` hands over a request that was permitted; this module picks a
//! server, opens or reuses a connection of the calling thread, and speaks HTTP/1.1 or HTTP/2 on it.

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
pub(crate) mod local_fault;
pub(crate) mod pick;
pub(crate) mod registry;
pub(crate) mod resolve;
pub(crate) mod retry_budget;
pub(crate) mod select;
pub(crate) mod server;
pub(crate) mod state;
