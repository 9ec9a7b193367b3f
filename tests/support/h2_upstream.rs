//! An upstream API that speaks HTTP/2 and follows a script, on a separate thread.

use super::PATIENCE;
use bytes::Bytes;
use h2::{Reason, RecvStream, server};
use http::{HeaderMap, Request, Response};
use std::net::{Shutdown, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// A request that was received.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    /// The head.
    pub(crate) head: http::request::Parts,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// The trailers.
    pub(crate) trailers: Option<HeaderMap>,
    /// The number of the connection, from zero.
    pub(crate) connection: usize,
}

/// The reaction to a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// A response: head, pieces of the body, trailers.
    TestResponse(Response<()>, Vec<Bytes>, Option<HeaderMap>),
    /// Interim responses, and then an empty response.
    Interim(Vec<Response<()>>),
    /// A response that is sent once the test [releases](H2Upstream::release) it.
    Hold(Response<()>),
    /// A reset before the response.
    Reset(Reason),
    /// The head and a piece of the body, then a reset.
    Break(Response<()>, Bytes, Reason),
    /// A response, then GOAWAY.
    GoAway,
    /// The connection is closed without a response.
    Close,
}

/// Returns a 200 response with this body.
pub(crate) fn fine(body: &'static str) -> Act {
    Act::TestResponse(Response::new(()), vec![Bytes::from_static(body.as_bytes())], None)
}

struct Shared {
    script: Box<dyn Fn(&Arrived) -> Act + Send + Sync>,
    arrived: Mutex<Vec<Arrived>>,
    grown: Condvar,
    held: Semaphore,
    close: watch::Sender<u32>,
    open: Mutex<usize>,
    closed: Condvar,
    most: Option<u32>,
}

/// The upstream.
#[derive(Clone)]
pub(crate) struct H2Upstream {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl H2Upstream {
    /// Starts without TLS.
    pub(crate) fn start(script: impl Fn(&Arrived) -> Act + Send + Sync + 'static) -> Self {
        Self::with(None, None, script)
    }

    /// Starts with a limit on concurrent streams, and with TLS if a configuration is given.
    pub(crate) fn with(
        most: Option<u32>,
        tls: Option<Arc<rustls::ServerConfig>>,
        script: impl Fn(&Arrived) -> Act + Send + Sync + 'static,
    ) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        let shared = Arc::new(Shared {
            script: Box::new(script),
            arrived: Mutex::default(),
            grown: Condvar::new(),
            held: Semaphore::new(0),
            close: watch::Sender::new(0),
            open: Mutex::new(0),
            closed: Condvar::new(),
            most,
        });
        let upstream = Self { address: listener.local_addr().expect("its address"), shared };
        let serving = Arc::clone(&upstream.shared);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener");
                for number in 0.. {
                    let Ok((socket, _)) = listener.accept().await else { continue };
                    let (shared, tls) = (Arc::clone(&serving), tls.clone());
                    let handle = socket2::SockRef::from(&socket).try_clone();
                    tokio::spawn(async move {
                        shared.count(|open| *open += 1);
                        match tls {
                            None => Arc::clone(&shared).connection(socket, number).await,
                            Some(tls) => {
                                if let Ok(socket) = TlsAcceptor::from(tls).accept(socket).await {
                                    Arc::clone(&shared).connection(socket, number).await;
                                }
                            }
                        }
                        // Another test may start a process at this moment, and that process has a copy of
                        // every socket until its `exec`. Such a copy keeps a socket open that is only dropped
                        // here.
                        if let Ok(socket) = handle {
                            let _ = socket.shutdown(Shutdown::Both);
                        }
                        shared.count(|open| *open -= 1);
                    });
                }
            });
        });
        upstream
    }

    /// Returns the address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the requests whose target contains `marker`.
    pub(crate) fn arrived(&self, marker: &str) -> Vec<Arrived> {
        let arrived = self.shared.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        arrived.iter().filter(|arrived| arrived.head.uri.to_string().contains(marker)).cloned().collect()
    }

    /// Returns the only request with `marker`.
    #[track_caller]
    pub(crate) fn only(&self, marker: &str) -> Arrived {
        let mut found = self.arrived(marker);
        assert_eq!(found.len(), 1, "requests at the upstream with {marker:?}: {found:?}");
        found.remove(0)
    }

    /// Waits until this number of requests has arrived.
    #[track_caller]
    pub(crate) fn wait_for(&self, count: usize) {
        let arrived = self.shared.arrived.lock().unwrap_or_else(PoisonError::into_inner);
        let (arrived, timeout) = self
            .shared
            .grown
            .wait_timeout_while(arrived, PATIENCE, |arrived| arrived.len() < count)
            .expect("the requests");
        assert!(!timeout.timed_out(), "{} of {count} requests arrived", arrived.len());
    }

    /// Releases this number of held responses.
    pub(crate) fn release(&self, count: usize) {
        self.shared.held.add_permits(count);
    }

    /// Closes every connection without GOAWAY, and waits until they are closed.
    #[track_caller]
    pub(crate) fn close_all(&self) {
        self.shared.close.send_modify(|count| *count += 1);
        let open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        let patience = Duration::from_secs(10);
        let waited = self.shared.closed.wait_timeout_while(open, patience, |open| *open > 0);
        assert!(!waited.expect("the count").1.timed_out(), "connections stay open");
    }
}

impl Shared {
    fn count(&self, change: impl FnOnce(&mut usize)) {
        change(&mut self.open.lock().unwrap_or_else(PoisonError::into_inner));
        self.closed.notify_all();
    }

    async fn connection<T>(self: Arc<Self>, io: T, number: usize)
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut closing = self.close.subscribe();
        let mut builder = server::Builder::new();
        if let Some(most) = self.most {
            builder.max_concurrent_streams(most);
        }
        let Ok(mut connection) = builder.handshake::<_, Bytes>(io).await else { return };
        let (end, mut ended) = watch::channel(());
        loop {
            let accepted = tokio::select! {
                accepted = connection.accept() => accepted,
                _ = closing.changed() => return,
                Ok(()) = ended.changed() => return,
            };
            let Some(Ok((request, respond))) = accepted else { return };
            let (head, body) = request.into_parts();
            let (shared, end) = (Arc::clone(&self), end.clone());
            // The script may ask for GOAWAY, which only the connection can send.
            if head.uri.path().ends_with("/go-away") {
                connection.graceful_shutdown();
            }
            tokio::spawn(async move {
                if shared.exchange(Request::from_parts(head, body), respond, number).await {
                    let _ = end.send(());
                }
            });
        }
    }

    /// Whether the connection is to be closed.
    async fn exchange(
        &self,
        request: Request<RecvStream>,
        mut respond: server::SendResponse<Bytes>,
        connection: usize,
    ) -> bool {
        let (head, mut stream) = request.into_parts();
        let mut body = Vec::new();
        while let Some(Ok(data)) = stream.data().await {
            let _ = stream.flow_control().release_capacity(data.len());
            body.extend_from_slice(&data);
        }
        let trailers = stream.trailers().await.ok().flatten();
        let arrived = Arrived { head, body, trailers, connection };
        let act = (self.script)(&arrived);
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).push(arrived);
        self.grown.notify_all();
        match act {
            Act::TestResponse(head, pieces, trailers) => answer(respond, head, pieces, trailers).await,
            Act::GoAway => answer(respond, Response::new(()), Vec::new(), None).await,
            Act::Interim(interim) => {
                for response in interim {
                    respond.send_informational(response).expect("an interim response");
                }
                answer(respond, Response::new(()), Vec::new(), None).await;
            }
            Act::Hold(head) => {
                self.held.acquire().await.expect("a permit").forget();
                answer(respond, head, Vec::new(), None).await;
            }
            Act::Reset(reason) => respond.send_reset(reason),
            Act::Break(head, piece, reason) => {
                let mut stream = respond.send_response(head, false).expect("a head");
                stream.send_data(piece, false).expect("a piece");
                tokio::time::sleep(Duration::from_millis(20)).await;
                stream.send_reset(reason);
            }
            Act::Close => return true,
        }
        false
    }
}

async fn answer(
    mut respond: server::SendResponse<Bytes>,
    head: Response<()>,
    pieces: Vec<Bytes>,
    trailers: Option<HeaderMap>,
) {
    let bare = pieces.is_empty() && trailers.is_none();
    let Ok(mut stream) = respond.send_response(head, bare) else { return };
    if bare {
        return;
    }
    for mut piece in pieces {
        while !piece.is_empty() {
            stream.reserve_capacity(piece.len());
            let Some(Ok(room)) = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await else { return };
            if stream.send_data(piece.split_to(room.min(piece.len())), false).is_err() {
                return;
            }
        }
    }
    let _ = match trailers {
        Some(trailers) => stream.send_trailers(trailers),
        None => stream.send_data(Bytes::new(), true),
    };
}
