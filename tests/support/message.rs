//! A strict parser for HTTP/1.1 messages, for both ends of a test.

use std::io::{self, Read};

/// A request or response as it was on the wire.
pub(crate) struct Message {
    /// The start line.
    pub(crate) line: String,
    /// The fields in order, with their names as sent.
    pub(crate) headers: Vec<(String, String)>,
    /// The body without its framing.
    pub(crate) body: Vec<u8>,
    /// The head as received, including the empty line.
    pub(crate) head: Vec<u8>,
}

impl Message {
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.as_str()).collect()
    }

    fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name).iter().flat_map(|v| v.split(',')).any(|t| t.trim().eq_ignore_ascii_case(token))
    }
}

/// Reads one message. `buffer` holds the bytes read beyond it. A response must be known to answer HEAD or
/// not.
pub(crate) fn read_message(
    reader: &mut impl Read,
    buffer: &mut Vec<u8>,
    answers_head: Option<bool>,
) -> io::Result<Message> {
    let mut message = read_head(reader, buffer)?;
    let body_less = match answers_head {
        None => false,
        Some(head) => head || matches!(status_of(&message.line), 100..=199 | 204 | 304),
    };
    let length = message.all("content-length").first().and_then(|v| v.parse::<usize>().ok());
    message.body = if body_less {
        Vec::new()
    } else if message.has_token("transfer-encoding", "chunked") {
        read_chunked(reader, buffer)?
    } else if let Some(length) = length {
        take(reader, buffer, length)?
    } else if answers_head.is_some() {
        reader.read_to_end(buffer)?;
        std::mem::take(buffer)
    } else {
        Vec::new()
    };
    Ok(message)
}

pub(crate) fn read_head(reader: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Message> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        fill(reader, buffer)?;
    };
    let head: Vec<u8> = buffer.drain(..end).collect();
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut lines = text.split("\r\n");
    let line = lines.next().unwrap_or("").to_owned();
    let headers = lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            (name.to_owned(), value.trim_matches([' ', '\t']).to_owned())
        })
        .collect();
    Ok(Message { line, headers, body: Vec::new(), head })
}

fn read_chunked(reader: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = read_line(reader, buffer)?;
        let size = line.split(';').next().unwrap_or("").trim();
        let size = usize::from_str_radix(size, 16)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, format!("chunk size {size:?}")))?;
        if size == 0 {
            while !read_line(reader, buffer)?.is_empty() {}
            return Ok(body);
        }
        body.extend(take(reader, buffer, size)?);
        let end = take(reader, buffer, 2)?;
        if end != b"\r\n" {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk without its end"));
        }
    }
}

fn read_line(reader: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<String> {
    loop {
        if let Some(at) = buffer.windows(2).position(|window| window == b"\r\n") {
            let line: Vec<u8> = buffer.drain(..at + 2).take(at).collect();
            return Ok(String::from_utf8_lossy(&line).into_owned());
        }
        fill(reader, buffer)?;
    }
}

fn take(reader: &mut impl Read, buffer: &mut Vec<u8>, count: usize) -> io::Result<Vec<u8>> {
    while buffer.len() < count {
        fill(reader, buffer)?;
    }
    Ok(buffer.drain(..count).collect())
}

pub(super) fn fill(reader: &mut impl Read, buffer: &mut Vec<u8>) -> io::Result<()> {
    let mut part = [0; 64 * 1024];
    loop {
        match reader.read(&mut part) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer.extend_from_slice(&part[..count]);
                return Ok(());
            }
            // A read with a timeout is not restarted by the system after the process was stopped for a while.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn status_of(line: &str) -> u16 {
    line.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn answers_are_read_one_by_one() {
    let mut bytes: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;e\r\nc\r\n0\r\nT: 1\r\n\r\n\
        HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nxyHTTP/1.1 200 OK\r\n\r\nrest";
    let mut buffer = Vec::new();
    for (line, body) in [("200", "abc"), ("204", ""), ("200", "xy"), ("200", "rest")] {
        let message = read_message(&mut bytes, &mut buffer, Some(false)).expect("a message");
        assert_eq!(
            (status_of(&message.line).to_string().as_str(), message.body.as_slice()),
            (line, body.as_bytes())
        );
    }
    let mut cut: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab";
    assert!(read_message(&mut cut, &mut Vec::new(), Some(false)).is_err());
}
