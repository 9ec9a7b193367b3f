//! The part of HTTP/1.1 that a client needs to find the end of a response.

use bytes::{Buf as _, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::connect::Stream;
use super::tally::Fault;

const HEAD_END: &[u8] = b"\r\n\r\n";
const LINE_END: &[u8] = b"\r\n";
/// The longest head, and the longest line of a chunked body.
const MAX_HEAD: usize = 64 * 1024;
const READ: usize = 16 * 1024;

/// A connection that sends one request after the other.
pub(crate) struct Http1 {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    ended: bool,
}

/// A response, of which only the status matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Whether another request may follow.
    pub(crate) reusable: bool,
}

/// The length of a body (RFC 9112 §6.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(u64),
    Chunked,
    UntilClose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    length: Length,
    reusable: bool,
}

impl Http1 {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, buffer: BytesMut::with_capacity(READ), ended: false }
    }

    /// Sends a request and reads the whole response. Appends the body to `kept`, if that is given, up to
    /// `MAX_HEAD` bytes.
    pub(crate) async fn exchange(
        &mut self,
        request: &[u8],
        is_head: bool,
        mut kept: Option<&mut Vec<u8>>,
    ) -> Result<Answer, Fault> {
        self.stream.write_all(request).await.map_err(|_| Fault::Closed)?;
        self.stream.flush().await.map_err(|_| Fault::Closed)?;
        let head = loop {
            let end = self.find(HEAD_END).await?;
            let head = parse(self.buffer.get(..end).unwrap_or_default(), is_head).ok_or(Fault::Malformed)?;
            self.buffer.advance(end + HEAD_END.len());
            // Interim responses are skipped (RFC 9110 §15.2). No request asks for 101.
            match head.status {
                101 => return Err(Fault::Malformed),
                100..200 => {}
                _ => break head,
            }
        };
        match head.length {
            Length::Known(length) => self.pass(length, &mut kept).await?,
            Length::Chunked => self.chunks(&mut kept).await?,
            Length::UntilClose => {
                while !self.ended {
                    let length = self.buffer.len();
                    self.keep(length, &mut kept);
                    self.fill().await?;
                }
            }
        }
        Ok(Answer { status: head.status, reusable: head.reusable && self.buffer.is_empty() })
    }

    /// Reads until the buffer contains `end`, and returns its position.
    async fn find(&mut self, end: &[u8]) -> Result<usize, Fault> {
        let mut searched = 0;
        loop {
            let rest = self.buffer.get(searched..).unwrap_or_default();
            if let Some(at) = memmem::find(rest, end) {
                return Ok(searched + at);
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Fault::Malformed);
            }
            searched = self.buffer.len().saturating_sub(end.len() - 1);
            self.fill().await?;
            if self.ended {
                return Err(Fault::Closed);
            }
        }
    }

    /// Reads `length` bytes of a body.
    async fn pass(&mut self, mut length: u64, kept: &mut Option<&mut Vec<u8>>) -> Result<(), Fault> {
        loop {
            let here = usize::try_from(length).unwrap_or(usize::MAX).min(self.buffer.len());
            self.keep(here, kept);
            length -= here as u64;
            if length == 0 {
                return Ok(());
            }
            self.fill().await?;
            if self.ended {
                return Err(Fault::Closed);
            }
        }
    }

    /// Reads a chunked body (RFC 9112 §7.1).
    async fn chunks(&mut self, kept: &mut Option<&mut Vec<u8>>) -> Result<(), Fault> {
        loop {
            let end = self.find(LINE_END).await?;
            let size = chunk_size(self.buffer.get(..end).unwrap_or_default()).ok_or(Fault::Malformed)?;
            self.buffer.advance(end + LINE_END.len());
            if size == 0 {
                break;
            }
            self.pass(size, kept).await?;
            self.pass(LINE_END.len() as u64, &mut None).await?;
        }
        // Trailers, up to an empty line.
        loop {
            let end = self.find(LINE_END).await?;
            self.buffer.advance(end + LINE_END.len());
            if end == 0 {
                return Ok(());
            }
        }
    }

    fn keep(&mut self, length: usize, kept: &mut Option<&mut Vec<u8>>) {
        if let Some(kept) = kept {
            let room = MAX_HEAD.saturating_sub(kept.len());
            kept.extend_from_slice(self.buffer.get(..length.min(room)).unwrap_or_default());
        }
        self.buffer.advance(length);
    }

    async fn fill(&mut self) -> Result<(), Fault> {
        self.buffer.reserve(READ);
        let read = self.stream.read_buf(&mut self.buffer).await.map_err(|_| Fault::Closed)?;
        self.ended = read == 0;
        Ok(())
    }
}

fn chunk_size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    // Checked first, because `from_str_radix` accepts a sign.
    let is_hex = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    u64::from_str_radix(str::from_utf8(digits).ok().filter(|_| is_hex)?, 16).ok()
}

/// Parses a head without its empty line.
fn parse(head: &[u8], is_head: bool) -> Option<Head> {
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next()?;
    let (version, rest) = first.split_at_checked(9)?;
    let mut reusable = match version {
        b"HTTP/1.1 " => true,
        b"HTTP/1.0 " => false,
        _ => return None,
    };
    let digits = rest.get(..3).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let status: u16 = str::from_utf8(digits).ok()?.parse().ok()?;
    let mut length = Length::UntilClose;
    for line in lines {
        let colon = memchr::memchr(b':', line)?;
        let (name, value) = (line.get(..colon)?, line.get(colon + 1..)?.trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            if length != Length::Chunked {
                length = Length::Known(str::from_utf8(value).ok()?.parse().ok()?);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            length = Length::Chunked;
        } else if name.eq_ignore_ascii_case(b"connection") && value.eq_ignore_ascii_case(b"close") {
            reusable = false;
        }
    }
    if is_head || status < 200 || matches!(status, 204 | 304) {
        length = Length::Known(0);
    }
    Some(Head { status, length, reusable: reusable && length != Length::UntilClose })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads these bytes, which arrive in pieces of `piece` bytes. Returns the response and the body.
    fn read(bytes: &[u8], piece: usize, is_head: bool) -> (Result<Answer, Fault>, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (ours, mut theirs) = tokio::io::duplex(piece);
            let bytes = bytes.to_vec();
            let server = tokio::spawn(async move {
                let mut request = [0; 4];
                theirs.read_exact(&mut request).await.unwrap();
                // The client may have closed the connection already.
                let _ = theirs.write_all(&bytes).await;
            });
            let mut body = Vec::new();
            let mut connection = Http1::new(Box::new(ours));
            let answer = connection.exchange(b"GET ", is_head, Some(&mut body)).await;
            drop(connection);
            server.await.unwrap();
            (answer, String::from_utf8(body).unwrap())
        })
    }

    /// The status, and whether another request may follow.
    type Expected = Result<(u16, bool), Fault>;

    #[test]
    fn responses_end_where_their_head_says() {
        let table: [(&str, Expected, &str); 16] = [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", Ok((200, true)), "hello"),
            ("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Ok((200, true)), ""),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Close\r\n\r\nhi", Ok((200, false)), "hi"),
            ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", Ok((200, false)), "hi"),
            ("HTTP/1.1 204 No Content\r\n\r\n", Ok((204, true)), ""),
            ("HTTP/1.1 401 \r\nContent-Length: 1\r\n\r\nx", Ok((401, true)), "x"),
            ("HTTP/1.1 200 OK\r\n\r\nuntil the end", Ok((200, false)), "until the end"),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0A;x=y\r\n0123456789\r\n0\r\n\r\n",
                Ok((200, true)),
                "abc0123456789",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\nC: d\r\n\r\n",
                Ok((200, true)),
                "a",
            ),
            (
                "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx",
                Ok((200, true)),
                "x",
            ),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1", Ok((200, false)), "x"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", Err(Fault::Closed), "hel"),
            ("", Err(Fault::Closed), ""),
            ("SSH-2.0-OpenSSH_9.2\r\n\r\n", Err(Fault::Malformed), ""),
            ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Err(Fault::Malformed), ""),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+3\r\nabc\r\n", Err(Fault::Malformed), ""),
        ];
        for (bytes, expected, body) in table {
            for piece in [4, 7, 4096] {
                let (answer, found) = read(bytes.as_bytes(), piece, false);
                let mut answer = answer.map(|answer| (answer.status, answer.reusable));
                // Extra bytes are noticed only if they arrive together with the response.
                if bytes.ends_with("xHTTP/1.1") && piece < 4096 {
                    answer = expected;
                }
                assert_eq!((answer, &*found), (expected, body), "{bytes:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn a_response_to_head_has_no_body() {
        let (answer, body) = read(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", 4096, true);
        assert_eq!(answer, Ok(Answer { status: 200, reusable: true }));
        assert_eq!(body, "");
    }

    #[test]
    fn a_head_without_an_end_is_malformed() {
        let (answer, _) =
            read(&[b"HTTP/1.1 200 OK\r\nA: ".as_slice(), &[b'a'; 200_000]].concat(), 4096, false);
        assert_eq!(answer, Err(Fault::Malformed));
    }
}
