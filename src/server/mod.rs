//! The process of the gateway: listeners, TLS, one runtime per core, HTTP on the wire, and drain.
//!
//! pingora-core carries the process (services, runtimes, end of life). HTTP/1 is read and written by the codec in
//! `http1/`, HTTP/2 by hyper. Nothing here knows what a request means: that is the [`Handler`](handler::Handler)'s.
//!
//! [`Bound::bind`] does everything that can fail (sockets, certificates), so that an error is one line before anything
//! runs. [`Bound::run`] then blocks until the process was asked to end.
//!
//! The shape: every worker thread is a pingora service of its own, with one single-threaded runtime and its own
//! listening socket for each address (`SO_REUSEPORT`). A connection is accepted, polled and answered on one thread; its
//! socket is never registered with another thread's reactor.

mod activity;
mod bind;
mod client_certificate;
mod connection;
mod connection_info;
mod connection_slots;
mod descriptors;
mod drive;
mod handler;
mod heartbeat;
mod http1;
mod inherited;
mod io;
mod listener;
mod live_limits;
mod options;
mod passable;
mod peer_certificate;
mod problem;
mod proxy_protocol;
mod run;
mod self_signed;
mod shutdown;
mod signals;
mod sni;
mod streams;
mod tls;

pub(crate) use self::bind::Bound;
pub(crate) use self::client_certificate::Trust;
#[cfg(test)]
pub(crate) use self::connection::sizes_when_idle;
pub(crate) use self::connection_info::ConnInfo;
pub(crate) use self::handler::Handler;
pub(crate) use self::heartbeat::Heartbeats;
pub(crate) use self::inherited::InheritedSockets;
pub(crate) use self::listener::{Listener, ListenerSpec};
pub(crate) use self::live_limits::LiveLimits;
pub(crate) use self::options::ServerOptions;
pub(crate) use self::passable::PassableSockets;
pub(crate) use self::peer_certificate::ClientCertificate;
pub(crate) use self::run::ExitReason;
pub(crate) use self::self_signed::self_signed;
pub(crate) use self::shutdown::ShutdownHandle;
pub(crate) use self::signals::{Signal, handle_signals};
pub(crate) use self::tls::{PreparedTls, TlsPaths, TlsReloader};

#[cfg(test)]
mod tests;
