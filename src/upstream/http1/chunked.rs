//! Chunked bodies (RFC 9112 §7.1).

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

/// A chunk-size line with its extensions, which nobody uses.
const MAX_LINE: usize = 1024;
/// All trailers together, and how many of them.
const MAX_TRAILERS_SIZE: usize = 16 * 1024;
const MAX_TRAILERS: usize = 64;

/// Where in a chunked body its reader is.
#[derive(Debug, Default)]
pub(crate) struct Chunked(Within);

#[derive(Debug, Default)]
enum Within {
    #[default]
    Size,
    Data(u64),
    /// The line break behind a chunk's data.
    AfterData,
    Trailers,
    Ended,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Step {
    Data(Bytes),
    Trailers(HeaderMap),
    /// More bytes have to be read.
    More,
    End,
}

impl Chunked {
    /// Takes the next step out of `input`.
    pub(crate) fn step(&mut self, input: &mut BytesMut) -> Result<Step, &'static str> {
        loop {
            match &mut self.0 {
                Within::Size => match size_line(input)? {
                    None => return Ok(Step::More),
                    Some(0) => self.0 = Within::Trailers,
                    Some(size) => self.0 = Within::Data(size),
                },
                Within::Data(left) => {
                    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                    if here == 0 {
                        return Ok(Step::More);
                    }
                    *left -= here as u64;
                    if *left == 0 {
                        self.0 = Within::AfterData;
                    }
                    return Ok(Step::Data(input.split_to(here).freeze()));
                }
                Within::AfterData => match input.get(..2) {
                    None => return Ok(Step::More),
                    Some(b"\r\n") => {
                        input.advance(2);
                        self.0 = Within::Size;
                    }
                    Some(_) => return Err("a chunk longer than it says"),
                },
                Within::Trailers => {
                    let Some(trailers) = trailers(input)? else { return Ok(Step::More) };
                    self.0 = Within::Ended;
                    if !trailers.is_empty() {
                        return Ok(Step::Trailers(trailers));
                    }
                }
                Within::Ended => return Ok(Step::End),
            }
        }
    }
}

/// The size in the first line of `input`, once that is whole.
fn size_line(input: &mut BytesMut) -> Result<Option<u64>, &'static str> {
    let Some(end) = memchr::memchr(b'\n', input) else {
        return if input.len() > MAX_LINE { Err("a chunk-size line without end") } else { Ok(None) };
    };
    let line = input.get(..end).and_then(|line| line.strip_suffix(b"\r"));
    let line = line.filter(|line| line.len() <= MAX_LINE).ok_or("a malformed chunk-size line")?;
    // What is behind a semicolon says nothing about the size.
    let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
    // RFC 9110 §5.6.3: blanks are spaces and tabs, and nothing else that ASCII calls white space.
    let blanks = size.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    let size = size.get(..size.len() - blanks).unwrap_or_default();
    if size.is_empty() || size.len() > 16 || line.contains(&b'\r') {
        return Err("a malformed chunk size");
    }
    let mut value = 0_u64;
    for digit in size {
        let digit = char::from(*digit).to_digit(16).ok_or("a malformed chunk size")?;
        value = value << 4 | u64::from(digit);
    }
    input.advance(end + 1);
    Ok(Some(value))
}

/// The trailer section, once it is whole.
fn trailers(input: &mut BytesMut) -> Result<Option<HeaderMap>, &'static str> {
    const BAD: &str = "malformed trailers";
    if input.starts_with(b"\r\n") {
        input.advance(2);
        return Ok(Some(HeaderMap::new()));
    }
    let mut fields = [httparse::EMPTY_HEADER; MAX_TRAILERS];
    let (size, fields) = match httparse::parse_headers(input, &mut fields).map_err(|_| BAD)? {
        httparse::Status::Complete(parsed) => parsed,
        httparse::Status::Partial if input.len() > MAX_TRAILERS_SIZE => return Err("trailers too large"),
        httparse::Status::Partial => return Ok(None),
    };
    let mut trailers = HeaderMap::with_capacity(fields.len());
    for field in fields {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BAD)?;
        trailers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| BAD)?);
    }
    input.advance(size);
    Ok(Some(trailers))
}
