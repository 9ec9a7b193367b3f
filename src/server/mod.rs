//! The gateway process: listeners, TLS, one runtime per core, the client side of HTTP, and draining.
//!
//! pingora-core manages the process (services, runtimes, shutdown). The codec in `http1/` reads and writes
//! HTTP/1; the crate `h2` handles the frames of HTTP/2. This module does not interpret requests; it passes
//! them to the [`Handler`](handler::Handler).
//!
//! [`Bound::bind`] does everything that can fail (sockets, certificates), so that such errors are reported
//! before anything runs. [`Bound::run`] then blocks until the process is asked to stop.
//!
//! Every worker thread is a separate pingora service with one single-threaded runtime. It has its own
//! listening socket for each address (`SO_REUSEPORT`). A connection is accepted, polled and answered on one
//! thread; its socket is never registered with the reactor of another thread.

mod activity;
mod bind;
mod client_certificate;
mod connection;
mod connection_info;
mod connection_slots;
mod descriptors;
mod handler;
mod handshake;
mod heartbeat;
mod http1;
mod http2;
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
