//! The process of the gateway: listeners, TLS, one runtime per core, HTTP on the wire, and drain.
//!
//! pingora-core carries the process (services, runtimes, end of life); hyper speaks HTTP/1.1 and
//! HTTP/2. Nothing here knows what a request means: that is the [`Handler`]'s.
//!
//! [`Bound::bind`] does everything that can fail (sockets, certificates), so that an error is one line before anything
//! runs. [`Bound::run`] then blocks until the process was asked to end.
//!
//! The shape: every worker thread is a pingora service of its own, with one single-threaded runtime and its own
//! listening socket for each address (`SO_REUSEPORT`). A connection is accepted, polled and answered on one thread; its
//! socket is never registered with another thread's reactor.

mod activity;
mod bind;
mod caps;
mod client_certificate;
mod conduct;
mod connection;
pub(crate) mod date;
pub mod demo;
mod drive;
#[cfg(feature = "_fuzzing")]
pub(crate) mod fuzzing;
mod handler;
mod head_scan;
mod io;
mod options;
mod problem;
mod proxy_protocol;
mod run;
mod self_signed;
mod shutdown;
mod signals;
pub(crate) mod state_file;
mod streams;
mod tls;

pub use bind::{BindError, Bound, Listener};
pub use conduct::LiveLimits;
pub use connection::{ClientCertificate, ConnInfo};
pub use handler::{Handler, ServedBody};
pub use options::{Limits, ListenerSpec, ServerOptions};
pub use run::ExitReason;
pub use self_signed::{SelfSignedError, self_signed};
pub use shutdown::{DrainSignal, ShutdownHandle};
pub use signals::handle_signals;
pub use tls::{PreparedTls, TlsError, TlsPaths, TlsReloader};

#[cfg(test)]
mod tests;
