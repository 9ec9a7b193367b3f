//! Binds the sockets and loads the certificates, so that every such error is found before the server runs.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;
use std::{error, fmt, io};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::descriptors::Descriptors;
use super::heartbeat::Heartbeats;
use super::inherited::InheritedSockets;
use super::listener::{Listener, ListenerSpec};
use super::live_limits::LiveLimits;
use super::options::ServerOptions;
use super::passable::PassableSockets;
use super::shutdown::ShutdownHandle;
use super::tls::TlsReloader;
use crate::sorting::sort_by_key;
use crate::tls::error::TlsError;

/// The length of the accept queue. The kernel limits it further (`net.core.somaxconn`).
const BACKLOG: i32 = 65_535;

/// A server whose sockets are listening and whose certificates are loaded. Clients can already connect; their
/// requests are served once the server [runs](Bound::run).
pub(crate) struct Bound {
    pub(super) listeners: Vec<Listener>,
    /// For each worker thread, its sockets with the index of their listener.
    pub(super) sockets: Vec<Vec<(usize, TcpListener)>>,
    pub(super) tls: Option<Arc<TlsReloader>>,
    pub(super) shutdown: ShutdownHandle,
    pub(super) live: Arc<LiveLimits>,
    pub(super) heartbeats: Option<Heartbeats>,
    pub(super) passable: PassableSockets,
}

impl Bound {
    /// Opens every socket and loads every file.
    ///
    /// # Errors
    /// Fails if an address cannot be bound, or if a listener needs TLS and the certificate cannot be used.
    pub(crate) fn bind(options: ServerOptions) -> Result<Self, BindError> {
        Self::bind_with(options, &mut InheritedSockets::default())
    }

    /// Works like [`bind`](Self::bind), but uses the sockets of a listener from `inherited` if there are any.
    ///
    /// # Errors
    /// Fails if an address cannot be bound, or if a listener needs TLS and the certificate cannot be used.
    pub(crate) fn bind_with(
        options: ServerOptions,
        inherited: &mut InheritedSockets,
    ) -> Result<Self, BindError> {
        if options.listeners.is_empty() {
            return Err(BindError::NoListeners);
        }
        let tls = match (options.listeners.iter().find(|spec| spec.tls), &options.tls) {
            (None, None) => None,
            (Some(spec), None) => return Err(BindError::NoCertificate { listener: spec.clone() }),
            // A listener of another kind may need the certificate, too.
            (_, Some(paths)) => Some(Arc::new(TlsReloader::load(paths)?)),
        };
        let threads = options.worker_threads();
        let mut taken: Vec<Vec<TcpListener>> = options.listeners.iter().map(|_| Vec::new()).collect();
        // Port 0 takes any remaining inherited socket, so listeners with port 0 come last.
        for without_port in [false, true] {
            for (spec, taken) in options.listeners.iter().zip(&mut taken) {
                if (spec.addr.port() == 0) == without_port {
                    *taken = inherited.take(spec.addr);
                }
            }
        }
        let mut sockets: Vec<Vec<(usize, TcpListener)>> = (0..threads).map(|_| Vec::new()).collect();
        let mut listeners = Vec::with_capacity(options.listeners.len());
        for (index, (spec, taken)) in options.listeners.iter().zip(taken).enumerate() {
            let failed = |source| BindError::Listen { listener: spec.clone(), source };
            let of_listener = if taken.is_empty() { bind(spec.addr, threads) } else { share(taken, threads) };
            let of_listener = of_listener.map_err(failed)?;
            let mut addr = spec.addr;
            for (at, socket) in of_listener.into_iter().enumerate() {
                addr = socket.local_addr().map_err(failed)?;
                sockets[at % threads].push((index, socket));
            }
            listeners.push(Listener { spec: ListenerSpec { addr, ..spec.clone() }, index });
        }
        let live = Arc::new(LiveLimits::new(&options, Descriptors::raise(threads)));
        let (shutdown, passable) = (ShutdownHandle::new(), PassableSockets::default());
        Ok(Self { listeners, sockets, tls, shutdown, live, heartbeats: None, passable })
    }

    /// Returns the listeners with their actual addresses, in the order of the options.
    pub(crate) fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Returns the handle that reloads the certificates, or `None` without a TLS listener.
    pub(crate) fn tls(&self) -> Option<Arc<TlsReloader>> {
        self.tls.clone()
    }

    /// Returns the handle that changes the limits while the server runs.
    pub(crate) fn live_limits(&self) -> Arc<LiveLimits> {
        Arc::clone(&self.live)
    }

    /// Returns the heartbeats of the worker threads. Each worker sends one per `period` while the server
    /// runs.
    pub(crate) fn heartbeats(&mut self, period: Duration) -> Heartbeats {
        self.heartbeats.insert(Heartbeats::new(self.sockets.len(), period)).clone()
    }

    /// Returns duplicates of the sockets, which can be passed to another process while the server runs.
    ///
    /// # Errors
    /// Fails if the process has no free file descriptor.
    pub(crate) fn passable_sockets(&self) -> io::Result<PassableSockets> {
        let mut sockets: Vec<&(usize, TcpListener)> = self.sockets.iter().flatten().collect();
        sort_by_key(&mut sockets, |(listener, _)| *listener);
        sockets.into_iter().try_for_each(|(_, socket)| self.passable.add(socket))?;
        Ok(self.passable.clone())
    }

    /// Returns the handle that stops the server. It also works before the server runs.
    pub(crate) fn shutdown_handle(&self) -> ShutdownHandle {
        self.shutdown.clone()
    }
}

/// Opens one socket per thread for an address.
fn bind(mut addr: SocketAddr, threads: usize) -> io::Result<Vec<TcpListener>> {
    // With SO_REUSEPORT, a second gateway of the same user would share the address without an error.
    // Binding once without it detects the first gateway.
    if threads > 1 && addr.port() != 0 {
        drop(listen(addr, false)?);
    }
    let mut sockets = Vec::with_capacity(threads);
    for _ in 0..threads {
        let socket = listen(addr, threads > 1)?;
        addr = socket.local_addr()?;
        sockets.push(socket);
    }
    Ok(sockets)
}

/// Distributes inherited sockets of one address over the threads, so that each thread has at least one.
///
/// No inherited socket may be closed, because connections may be waiting in its accept queue. A thread
/// without an inherited socket opens a new one. If that fails, it shares the socket of another thread.
fn share(mut sockets: Vec<TcpListener>, threads: usize) -> io::Result<Vec<TcpListener>> {
    for socket in &sockets {
        prepare(&SockRef::from(socket))?;
    }
    for at in 0..threads.saturating_sub(sockets.len()) {
        let of_another = &sockets[at];
        let can_be_joined = SockRef::from(of_another).reuse_port()?;
        let joined = can_be_joined.then(|| listen(of_another.local_addr()?, true)).and_then(Result::ok);
        let socket = joined.map_or_else(|| of_another.try_clone(), Ok)?;
        sockets.push(socket);
    }
    Ok(sockets)
}

fn listen(addr: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // Without this option, a restart would have to wait until old connections leave TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(reuse_port)?;
    prepare(&SockRef::from(&socket))?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sets the options that can be set on a listening socket at any time.
fn prepare(socket: &SockRef<'_>) -> io::Result<()> {
    // Accepted sockets inherit these options, which saves a system call per connection. Keep-alive probes
    // detect clients that disappeared in the middle of a stream, for HTTP/1.1 and HTTP/2, without a timer in
    // the gateway.
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)
}

/// The reason why the server cannot start.
#[derive(Debug)]
#[non_exhaustive]
pub(crate) enum BindError {
    /// No listener is configured.
    NoListeners,
    /// An address cannot be bound.
    Listen { listener: ListenerSpec, source: io::Error },
    /// A TLS listener has no certificate.
    NoCertificate { listener: ListenerSpec },
    /// The certificate or the key cannot be used.
    Tls(TlsError),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoListeners => f.write_str("there is no address to listen on"),
            Self::NoCertificate { listener } => {
                write!(f, "cannot listen on {listener}: TLS needs a certificate and a key")
            }
            Self::Tls(error) => error.fmt(f),
            Self::Listen { listener, source } => {
                write!(f, "cannot listen on {listener}: ")?;
                match source.kind() {
                    io::ErrorKind::AddrInUse => f.write_str(
                        "address already in use (is another gateway running? stop it, or choose another port)",
                    ),
                    io::ErrorKind::PermissionDenied => {
                        f.write_str("permission denied (ports below 1024 need a privilege)")
                    }
                    io::ErrorKind::AddrNotAvailable => f.write_str("this machine does not have the address"),
                    _ => source.fmt(f),
                }
            }
        }
    }
}

impl error::Error for BindError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Listen { source, .. } => Some(source),
            Self::Tls(error) => error.source(),
            Self::NoListeners | Self::NoCertificate { .. } => None,
        }
    }
}

impl From<TlsError> for BindError {
    fn from(error: TlsError) -> Self {
        Self::Tls(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepted_sockets_inherit_the_listeners_options() {
        let listener = listen("127.0.0.1:0".parse().unwrap(), false).unwrap();
        listener.set_nonblocking(false).unwrap();
        let _client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = Socket::from(listener.accept().unwrap().0);
        assert!(accepted.tcp_nodelay().unwrap());
        assert!(accepted.keepalive().unwrap());
    }
}
