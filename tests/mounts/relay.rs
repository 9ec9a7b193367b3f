//! A relay between a service and the gateway. It counts introspection requests, and can hold or break them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What the relay does with an introspection request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// It reaches the gateway.
    Pass,
    /// It waits until the mode changes.
    Hold,
    /// Its connection is closed.
    Break,
}

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    requests: Arc<AtomicUsize>,
    mode: watch::Sender<Mode>,
}

impl Relay {
    pub(crate) async fn start(gateway: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mode, modes) = watch::channel(Mode::Pass);
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(relay(connection, gateway, Arc::clone(&counter), modes.clone()));
            }
        });
        Self { address, requests, mode }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Returns the number of introspection requests so far, including those held and broken.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    /// Waits for this number of introspection requests.
    pub(crate) async fn wait_for(&self, requests: usize) {
        while self.requests() < requests {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

async fn relay(
    mut client: TcpStream,
    gateway: SocketAddr,
    requests: Arc<AtomicUsize>,
    mut mode: watch::Receiver<Mode>,
) -> Option<()> {
    let mut gateway = TcpStream::connect(gateway).await.ok()?;
    let (mut question, mut answer) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    loop {
        tokio::select! {
            read = client.read(&mut question) => {
                let question = &question[..read.ok().filter(|read| *read > 0)?];
                // A client sends a request in one piece and waits for its response.
                if question.starts_with(b"POST ") {
                    requests.fetch_add(1, Ordering::SeqCst);
                }
                if *mode.wait_for(|mode| *mode != Mode::Hold).await.ok()? == Mode::Break {
                    return None;
                }
                gateway.write_all(question).await.ok()?;
            }
            read = gateway.read(&mut answer) => {
                client.write_all(&answer[..read.ok().filter(|read| *read > 0)?]).await.ok()?;
            }
        }
    }
}
