//! A stand-in for the API behind the gateway, so that a measurement neither needs nor loads a real one.

use std::io;
use std::net::{SocketAddr, TcpListener};

use bytes::{Buf as _, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::tasks::{block_on, runtime, spawn};
use crate::threads;

const ANSWER: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{\"message\":\"Hello, world!\"}";
/// The response to HEAD.
const HEAD_ONLY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n";
const HEAD_END: &[u8] = b"\r\n\r\n";
const MAX_HEAD: usize = 64 * 1024;

/// Starts threads that answer every request with a small JSON document until the process ends.
///
/// It reads no bodies, because the load sends none.
///
/// # Errors
/// Fails if the system provides no port, thread or runtime.
pub(crate) fn start(threads: usize) -> io::Result<SocketAddr> {
    let socket = TcpListener::bind("127.0.0.1:0")?;
    socket.set_nonblocking(true)?;
    let address = socket.local_addr()?;
    for _ in 0..threads.max(1) {
        let socket = socket.try_clone()?;
        let runtime = runtime()?;
        threads::spawn("stand-in", move || block_on(&runtime, serve(socket)))?;
    }
    Ok(address)
}

async fn serve(socket: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(socket) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                spawn(async move {
                    let _ = answer(stream).await;
                });
            }
            // The process is probably out of file descriptors. Other connections will be closed soon.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = BytesMut::with_capacity(4096);
    loop {
        while let Some(end) = memmem::find(&buffer, HEAD_END) {
            let answer = if buffer.starts_with(b"HEAD ") { HEAD_ONLY } else { ANSWER };
            buffer.advance(end + HEAD_END.len());
            stream.write_all(answer).await?;
        }
        buffer.reserve(4096);
        if buffer.len() > MAX_HEAD || stream.read_buf(&mut buffer).await? == 0 {
            return Ok(());
        }
    }
}
