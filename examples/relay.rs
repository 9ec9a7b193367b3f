//! A byte relay: the lower bound for the proxies in `benches/compare`.
//!
//! It accepts a connection, opens one to the upstream and copies bytes both ways. It does not read HTTP, so
//! its cost is that of the sockets and one event loop, and no proxy on the same runtime can be cheaper.
//!
//! ```text
//! cargo run --release --example relay -- 127.0.0.1:8080 127.0.0.1:9000
//! ```

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

fn main() -> ExitCode {
    let Some((listen, upstream)) = addresses() else {
        eprintln!("usage: relay LISTEN UPSTREAM, both as address:port");
        return ExitCode::from(2);
    };
    match serve(listen, upstream) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("relay: {listen}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn addresses() -> Option<(SocketAddr, SocketAddr)> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next()?.parse().ok()?;
    let upstream = arguments.next()?.parse().ok()?;
    arguments.next().is_none().then_some((listen, upstream))
}

/// One thread, one event loop, as each thread of the gateway has.
#[tokio::main(flavor = "current_thread")]
async fn serve(listen: SocketAddr, upstream: SocketAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    loop {
        match listener.accept().await {
            Ok((client, _)) => {
                tokio::spawn(relay(client, upstream));
            }
            // Out of file descriptors, or the client left already: the next one may fare better.
            Err(error) => {
                eprintln!("relay: accept: {error}");
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }
}

/// An error on either side ends the pair; the client sees a closed connection, which is all a relay can say.
async fn relay(mut client: TcpStream, upstream: SocketAddr) {
    let Ok(mut server) = TcpStream::connect(upstream).await else { return };
    if client.set_nodelay(true).is_ok() && server.set_nodelay(true).is_ok() {
        let _ = copy_bidirectional(&mut client, &mut server).await;
    }
}
