//! A look at request heads before hyper reads them, for what hyper mends in silence.
//!
//! hyper drops a `#fragment`, and of a head with both `Content-Length` and `Transfer-Encoding` it shows only the
//! latter. What goes upstream is unambiguous all the same; but such a request is an attempt, or came through a proxy
//! that understood it otherwise, and is to be refused. The scan keeps in step with the heads on the wire and decides
//! nothing but that. Where it cannot follow (a body that hyper will not accept either), it waits for the next head
//! that begins a read.

use std::mem;

/// Longer than any line that hyper accepts under the default limits; beyond, it is lost until the next request.
const MAX_LINE: usize = 64 * 1024;

/// The scan of one HTTP/1 connection.
#[derive(Debug, Default)]
pub(super) struct HeadScan {
    state: State,
    /// The beginning of a line whose end has not come yet.
    carry: Vec<u8>,
    fragment: bool,
    coded: bool,
    length: Option<u64>,
    upgrade: bool,
    in_headers: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// So many bytes of a body.
    Body(u64),
    /// The line with the size of a chunk.
    ChunkSize,
    /// So many bytes of a chunk, with the line end behind it.
    Chunk(u64),
    Trailers,
    Lost,
}

impl HeadScan {
    /// Whether it waits for a head that begins a read.
    pub(super) fn is_lost(&self) -> bool {
        self.state == State::Lost
    }

    /// A head begins with the next byte.
    pub(super) fn resume(&mut self) {
        *self = Self::default();
    }

    /// Looks at bytes as they come, and tells each head that ended in them: whether it is ambiguous.
    pub(super) fn see(&mut self, mut bytes: &[u8], mut head: impl FnMut(bool)) {
        while !bytes.is_empty() {
            match self.state {
                State::Lost => return,
                State::Body(left) | State::Chunk(left) => {
                    let here = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[here..];
                    let left = left - here as u64;
                    self.state = match self.state {
                        State::Chunk(_) if left == 0 => State::ChunkSize,
                        State::Chunk(_) => State::Chunk(left),
                        _ if left == 0 => State::Head,
                        _ => State::Body(left),
                    };
                }
                State::Head | State::ChunkSize | State::Trailers => {
                    let Some(end) = memchr::memchr(b'\n', bytes) else {
                        if self.carry.len() + bytes.len() > MAX_LINE {
                            *self = Self { state: State::Lost, ..Self::default() };
                        } else {
                            self.carry.extend_from_slice(bytes);
                        }
                        return;
                    };
                    let (line, rest) = bytes.split_at(end);
                    bytes = &rest[1..];
                    if self.carry.is_empty() {
                        self.line(line, &mut head);
                    } else {
                        let mut whole = mem::take(&mut self.carry);
                        whole.extend_from_slice(line);
                        self.line(&whole, &mut head);
                    }
                }
            }
        }
    }

    fn line(&mut self, line: &[u8], head: &mut impl FnMut(bool)) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match self.state {
            State::ChunkSize => {
                self.state = match chunk_size(line) {
                    None => State::Lost,
                    Some(0) => State::Trailers,
                    Some(size) => State::Chunk(size.saturating_add(2)),
                }
            }
            State::Trailers if line.is_empty() => self.state = State::Head,
            State::Trailers => {}
            _ => self.head_line(line, head),
        }
    }

    fn head_line(&mut self, line: &[u8], head: &mut impl FnMut(bool)) {
        if !self.in_headers {
            // Empty lines before a request line are none of it (RFC 9112 §2.2).
            self.in_headers = !line.is_empty();
            self.fragment = memchr::memchr(b'#', line).is_some();
            return;
        }
        match line.first() {
            None => {
                head(self.fragment || (self.coded && self.length.is_some()));
                let state = match self.length {
                    _ if self.upgrade => State::Lost,
                    _ if self.coded => State::ChunkSize,
                    Some(length) if length > 0 => State::Body(length),
                    _ => State::Head,
                };
                let carry = mem::take(&mut self.carry);
                *self = Self { state, carry, ..Self::default() };
            }
            Some(b'c' | b'C') => {
                if let Some(value) = value_of(line, b"content-length") {
                    // Not a number: hyper refuses it, and no body needs to be followed.
                    let digits = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                    self.length = Some(digits.unwrap_or(0));
                }
            }
            Some(b't' | b'T') => self.coded |= value_of(line, b"transfer-encoding").is_some(),
            Some(b'u' | b'U') => self.upgrade |= value_of(line, b"upgrade").is_some(),
            Some(_) => {}
        }
    }
}

/// `chunk-size [ chunk-ext ]` (RFC 9112 §7.1).
fn chunk_size(line: &[u8]) -> Option<u64> {
    let size = line.split(|byte| *byte == b';').next()?.trim_ascii();
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}

/// The value of a header line of this name.
fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = line.split_at_checked(name.len())?;
    let value = rest.strip_prefix(b":")?;
    head.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The verdicts on all heads of `wire`, read in pieces of `size` bytes.
    fn verdicts(wire: &str, size: usize) -> Vec<bool> {
        let mut scan = HeadScan::default();
        let mut verdicts = Vec::new();
        for piece in wire.as_bytes().chunks(size) {
            scan.see(piece, |ambiguous| verdicts.push(ambiguous));
        }
        verdicts
    }

    #[test]
    fn heads_in_pieces_of_any_size() {
        let table: &[(&str, &[bool])] = &[
            ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", &[false]),
            ("GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", &[true]),
            ("GET / HTTP/1.1\r\nX: #\r\n\r\nGET /a#b HTTP/1.1\n\n", &[false, true]),
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n#\r\n\r\nGET /#x HTTP/1.1\r\n\r\n", &[false, true]),
            ("POST / HTTP/1.1\r\ncontent-length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", &[true]),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\nContent-length:0\r\n\r\n", &[true]),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n#\r\n0\r\n\r\nGET /# HTTP/1.1\r\n\r\n",
                &[false, true],
            ),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\n\r\n#\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.1\r\n\r\n",
                &[false, false],
            ),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nGET /# HTTP/1.1\r\n\r\n", &[false]),
            ("\r\n\r\nGET /# HTTP/1.1\r\n\r\n", &[true]),
            ("GET / HTTP/1.1\r\nContent-Lengths: 5\r\nTransfer-Encoding: chunked\r\n\r\n", &[false]),
        ];
        for (wire, expected) in table.iter().copied() {
            for size in [1, 2, 3, 7, 1000] {
                assert_eq!(verdicts(wire, size), expected, "{wire:?} by {size}");
            }
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut scan = HeadScan::default();
        for _ in 0..100 {
            scan.see(&[b'a'; 1024], |_| {});
        }
        assert!(scan.is_lost() && scan.carry.is_empty());
        scan.resume();
        let mut seen = Vec::new();
        scan.see(b"GET /# HTTP/1.1\r\n\r\n", |ambiguous| seen.push(ambiguous));
        assert_eq!(seen, [true]);
    }
}
