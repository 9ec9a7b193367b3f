//! A client that sends raw bytes.

use super::message::{fill, read_head, read_message, status_of};
use super::response::TestResponse;
use base64::Engine;
use rustls::HandshakeKind;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(20);

trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// A persistent connection.
pub(crate) struct Conn {
    wire: Box<dyn Wire>,
    tcp: TcpStream,
    buffer: Vec<u8>,
    sent: Vec<u8>,
    encrypted: bool,
}

impl Conn {
    /// Connects without TLS.
    #[track_caller]
    pub(crate) fn plain(address: SocketAddr) -> Self {
        let tcp = connect(address);
        Self::over(tcp.try_clone().expect("a second handle"), tcp, false)
    }

    /// Connects with TLS and offers these protocols (ALPN).
    #[track_caller]
    pub(crate) fn tls(address: SocketAddr, alpn: &[&str]) -> Self {
        let tcp = connect(address);
        let stream = super::tls::connect(tcp.try_clone().expect("a second handle"), alpn);
        Self::over(stream, tcp, true)
    }

    /// Connects with TLS and HTTP/1.1, and with a certificate if the server requests one.
    #[track_caller]
    pub(crate) fn tls_as(address: SocketAddr, identity: Option<&super::tls::Identity>) -> Self {
        let tcp = connect(address);
        let stream =
            super::tls::connect_as(tcp.try_clone().expect("a second handle"), &["http/1.1"], identity);
        Self::over(stream, tcp, true)
    }

    /// Connects with TLS as a client that may have a session to resume. Returns which handshake took place.
    pub(crate) fn of(
        sessions: &super::tls::Sessions,
        address: SocketAddr,
    ) -> io::Result<(Self, HandshakeKind)> {
        let tcp = connect(address);
        let stream = sessions.connect(tcp.try_clone().expect("a second handle"))?;
        let kind = stream.conn.handshake_kind().expect("a complete handshake");
        Ok((Self::over(stream, tcp, true), kind))
    }

    fn over(wire: impl Wire + 'static, tcp: TcpStream, encrypted: bool) -> Self {
        Self { wire: Box::new(wire), tcp, buffer: Vec::new(), sent: Vec::new(), encrypted }
    }

    /// Sends raw bytes. A peer that stops reading is not an error here: the caller reads its response.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.sent = bytes.to_vec();
        if bytes.len() > 64 * 1024 && !self.encrypted {
            // More than the socket buffers hold: the response must be readable while the request is being
            // sent.
            let (mut tcp, bytes) = (self.tcp.try_clone().expect("a second handle"), bytes.to_vec());
            thread::spawn(move || tcp.write_all(&bytes));
        } else {
            let _ = self.wire.write_all(bytes).and_then(|()| self.wire.flush());
        }
    }

    /// Sends more bytes of the same request.
    pub(crate) fn send_more(&mut self, bytes: impl AsRef<[u8]>) {
        let before = std::mem::take(&mut self.sent);
        self.send(bytes.as_ref());
        self.sent = [before, bytes.as_ref().to_vec()].concat();
    }

    /// Sends a request and reads the response.
    #[track_caller]
    pub(crate) fn request(&mut self, bytes: impl AsRef<[u8]>) -> TestResponse {
        self.send(bytes);
        self.read()
    }

    /// Reads the response to a request other than HEAD.
    #[track_caller]
    pub(crate) fn read(&mut self) -> TestResponse {
        self.try_read(false).unwrap_or_else(|e| panic!("no response: {e}\n{}", self.sent_text()))
    }

    /// Reads the response to HEAD.
    #[track_caller]
    pub(crate) fn read_head_only(&mut self) -> TestResponse {
        self.try_read(true).unwrap_or_else(|e| panic!("no response: {e}\n{}", self.sent_text()))
    }

    /// Reads only the head of a response. The body is read with [`read_some`](Self::read_some).
    #[track_caller]
    pub(crate) fn read_only_head(&mut self) -> TestResponse {
        let message = read_head(&mut self.wire, &mut self.buffer);
        let message = message.unwrap_or_else(|e| panic!("no response: {e}\n{}", self.sent_text()));
        TestResponse { request: self.sent_text(), status: status_of(&message.line), message }
    }

    /// Reads body bytes, including their framing, until they contain `marker`.
    #[track_caller]
    pub(crate) fn read_some(&mut self, marker: &str) {
        while !super::upstream::contains(&self.buffer, marker.as_bytes()) {
            if let Err(e) = fill(&mut self.wire, &mut self.buffer) {
                panic!(
                    "{marker:?} does not come: {e}, but {:?}\n{}",
                    String::from_utf8_lossy(&self.buffer),
                    self.sent_text()
                );
            }
        }
    }

    /// Reads until the connection ends in any way, and returns the bytes.
    pub(crate) fn read_rest(&mut self) -> (Vec<u8>, io::Result<()>) {
        let end = loop {
            match fill(&mut self.wire, &mut self.buffer) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break Ok(()),
                Err(e) => break Err(e),
            }
        };
        (std::mem::take(&mut self.buffer), end)
    }

    /// Reads a response, or returns the error. Interim responses (1xx except 101) are skipped.
    pub(crate) fn try_read(&mut self, head: bool) -> io::Result<TestResponse> {
        loop {
            let message = read_message(&mut self.wire, &mut self.buffer, Some(head))?;
            let status = status_of(&message.line);
            if status == 101 || status >= 200 {
                return Ok(TestResponse { request: self.sent_text(), status, message });
            }
        }
    }

    /// Asserts that the peer closed the connection without sending more.
    #[track_caller]
    pub(crate) fn assert_closed(&mut self, why: &str) {
        let (rest, end) = self.read_rest();
        let closed = match &end {
            Ok(()) => true,
            Err(e) => matches!(e.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe),
        };
        assert!(closed, "the connection is still open: {why} ({end:?})\n{}", self.sent_text());
        assert!(
            rest.is_empty(),
            "more bytes arrived: {why}: {:?}\n{}",
            String::from_utf8_lossy(&rest),
            self.sent_text()
        );
    }

    /// Closes the sending side. The peer reads the end of the stream.
    pub(crate) fn finish(&self) {
        let _ = self.tcp.shutdown(Shutdown::Write);
    }

    fn sent_text(&self) -> String {
        const SHOWN: usize = 2000;
        let shown = &self.sent[..self.sent.len().min(SHOWN)];
        format!(
            "--- request ({} bytes)\n{}",
            self.sent.len(),
            shown.escape_ascii().to_string().replace("\\r\\n", "\n")
        )
    }
}

#[track_caller]
fn connect(address: SocketAddr) -> TcpStream {
    let tcp =
        TcpStream::connect_timeout(&address, TIMEOUT).unwrap_or_else(|e| panic!("connect to {address}: {e}"));
    tcp.set_read_timeout(Some(TIMEOUT)).expect("a read timeout");
    tcp.set_write_timeout(Some(TIMEOUT)).expect("a write timeout");
    tcp.set_nodelay(true).expect("no delay");
    tcp
}

/// Sends one request on a new connection.
#[track_caller]
pub(crate) fn raw(address: SocketAddr, bytes: impl AsRef<[u8]>) -> TestResponse {
    Conn::plain(address).request(bytes)
}

/// Builds a GET request. `fields` are complete lines without line ends.
pub(crate) fn get(target: &str, fields: &[&str]) -> Vec<u8> {
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").into_bytes()
}

/// Builds a POST request with a form. `fields` are complete lines without line ends.
pub(crate) fn post_form(path: &str, fields: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n{fields}\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Encodes a value for a form (and, RFC 6749 §2.3.1, for a Basic header).
pub(crate) fn form(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Builds an `Authorization: Basic` line with both parts form-encoded.
pub(crate) fn basic(id: &str, secret: &str) -> String {
    let pair = format!("{}:{}", form(id), form(secret));
    format!("Authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

#[test]
fn forms_are_encoded() {
    assert_eq!(form("a b:c+%&=/é"), "a+b%3Ac%2B%25%26%3D%2F%C3%A9");
    assert_eq!(basic("a", "b"), "Authorization: Basic YTpi");
}
