//! Raw HTTP/2 frames (RFC 9113 §4, §6) and uncompressed header blocks (RFC 7541 §6.2.2): a client that can
//! send what no library would.

use super::PATIENCE;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

/// A frame.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// Encodes a frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Encodes a header block of literals without indexing or compression.
pub(crate) fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name.as_ref(), value.as_ref()] {
            integer(&mut block, text.len());
            block.extend_from_slice(text);
        }
    }
    block
}

/// Encodes an integer with a prefix of seven bits (RFC 7541 §5.1).
fn integer(block: &mut Vec<u8>, mut value: usize) {
    if value < 127 {
        block.push(value as u8);
        return;
    }
    block.push(127);
    value -= 127;
    while value >= 128 {
        block.push((value % 128) as u8 | 128);
        value /= 128;
    }
    block.push(value as u8);
}

/// Decodes the status at the start of the first header block of a connection.
pub(crate) fn status(block: &[u8]) -> Option<u16> {
    // A dynamic table size update may come first.
    let start = block.iter().position(|byte| byte & 0xe0 != 0x20)?;
    match block.get(start..)? {
        [indexed @ 0x88..=0x8e, ..] => {
            [200, 204, 206, 304, 400, 404, 500].get(usize::from(indexed - 0x88)).copied()
        }
        // A literal whose name is in the static table, with or without Huffman coding.
        [0x48 | 0x08 | 0x18, length, text @ ..] if length & 0x80 == 0 => {
            std::str::from_utf8(text.get(..usize::from(*length))?).ok()?.parse().ok()
        }
        [0x48 | 0x08 | 0x18, _, text @ ..] => digits(text),
        _ => None,
    }
}

/// Decodes three digits in the Huffman code of RFC 7541 appendix B: five bits for 0 to 2, six for the others.
fn digits(text: &[u8]) -> Option<u16> {
    let bits = text.iter().take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
    let bits = bits << (8 * (4 - text.len().min(3)));
    let (mut at, mut number) = (0, 0);
    for _ in 0..3 {
        let six = (bits << at) >> 26;
        let (digit, length) = if six >> 1 <= 2 { (six >> 1, 5) } else { (six.checked_sub(22)?, 6) };
        number = number * 10 + u16::try_from(digit).ok()?;
        at += length;
    }
    Some(number)
}

/// A connection without TLS.
pub(crate) struct Frames {
    tcp: TcpStream,
}

impl Frames {
    /// Connects and sends the preface with empty settings.
    #[track_caller]
    pub(crate) fn open(address: SocketAddr) -> Self {
        let tcp = TcpStream::connect(address).expect("a connection");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a read timeout");
        tcp.set_write_timeout(Some(PATIENCE)).expect("a write timeout");
        let mut frames = Self { tcp };
        frames.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        frames.send(frame(SETTINGS, 0, 0, &[]));
        frames
    }

    /// Sends bytes. A closed connection is not an error here: the caller reads what the peer sent.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.tcp.write_all(bytes.as_ref());
    }

    /// Reads one frame.
    pub(crate) fn read(&mut self) -> io::Result<Frame> {
        let mut head = [0; 9];
        self.tcp.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        self.tcp.read_exact(&mut payload)?;
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        Ok(Frame { kind: head[3], stream, payload })
    }

    /// Returns how the peer answered a stream: with a status, a reset, or the end of the connection.
    pub(crate) fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            match self.read() {
                Ok(frame) if frame.kind == HEADERS && frame.stream == stream => {
                    return Outcome::Status(status(&frame.payload).unwrap_or(0));
                }
                Ok(frame) if frame.kind == RST_STREAM && frame.stream == stream => {
                    return Outcome::Reset(code(&frame));
                }
                Ok(frame) if frame.kind == GOAWAY && code(&frame) != 0 => {
                    return Outcome::GoAway(code(&frame));
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Outcome::Silence,
                Err(_) => return Outcome::Closed,
            }
        }
    }
}

/// Returns the error code of a RST_STREAM or GOAWAY frame: the last four bytes of both.
pub(crate) fn code(frame: &Frame) -> u32 {
    let at = if frame.kind == GOAWAY { 4 } else { 0 };
    frame.payload.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// The outcome of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Status(u16),
    Reset(u32),
    GoAway(u32),
    Closed,
    /// No frame arrived for five seconds.
    Silence,
}

#[test]
fn statuses_are_read() {
    for (bytes, expected) in [
        (&[0x88][..], Some(200)),
        (&[0x20, 0x8c], Some(400)),
        (&[0x08, 3, b'4', b'0', b'1'], Some(401)),
        // RFC 7541 C.6.1: 302.
        (&[0x48, 0x82, 0x64, 0x02], Some(302)),
        // C.6.2: 307.
        (&[0x48, 0x83, 0x64, 0x0e, 0xff], Some(307)),
        (&[0xbe], None),
    ] {
        assert_eq!(status(bytes), expected, "{bytes:02x?}");
    }
}
