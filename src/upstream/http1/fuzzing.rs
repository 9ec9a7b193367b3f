//! The reader of answers, for a fuzz target to feed.

use bytes::BytesMut;
use http::HeaderMap;

use super::chunked::{Chunked, Step};
use super::response::{AnswerBody, ResponseExpectation, take_head};

/// What was read as an answer's head.
#[derive(Debug, PartialEq, Eq)]
pub struct AnswerHead {
    /// The status.
    pub status: u16,
    /// The headers that go on to the client.
    pub headers: HeaderMap,
    /// How the body is framed.
    pub body: Framed,
    /// Whether another request may follow on the connection.
    pub persists: bool,
    /// The length of the head in bytes.
    pub size: usize,
}

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framed {
    /// After so many bytes.
    Length(u64),
    /// After the last chunk.
    Chunked,
    /// With the connection.
    ToTheEnd,
}

/// The head at the beginning of `input`, if it is whole, as the answer to a HEAD request or to an upgrade.
///
/// # Errors
/// It is none.
pub fn answer_head(input: &[u8], head: bool, upgrade: bool) -> Result<Option<AnswerHead>, String> {
    let mut input = BytesMut::from(input);
    let before = input.len();
    let answer =
        take_head(&mut input, ResponseExpectation { head, upgrade }).map_err(|fault| fault.to_string())?;
    Ok(answer.map(|answer| AnswerHead {
        status: answer.head.status().as_u16(),
        headers: answer.head.headers().clone(),
        body: match answer.body {
            AnswerBody::Length(length) => Framed::Length(length),
            AnswerBody::Chunked(_) => Framed::Chunked,
            AnswerBody::ToTheEnd => Framed::ToTheEnd,
        },
        persists: answer.persists,
        size: before - input.len(),
    }))
}

/// What was read of a chunked body.
#[derive(Debug, PartialEq, Eq)]
pub struct ChunkedBody {
    /// The data up to where reading stopped.
    pub data: Vec<u8>,
    /// The trailers.
    pub trailers: HeaderMap,
    /// Why it stopped.
    pub end: ChunkedEnd,
}

/// Why a reader stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum ChunkedEnd {
    /// The body is whole, and so many bytes are left.
    Whole(usize),
    /// It is no chunked body.
    Refused,
    /// There is more to come.
    Unfinished,
}

/// Reads a chunked body that comes in these pieces.
pub fn chunked_body<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> ChunkedBody {
    let (mut chunked, mut input) = (Chunked::default(), BytesMut::new());
    let mut body = ChunkedBody { data: Vec::new(), trailers: HeaderMap::new(), end: ChunkedEnd::Unfinished };
    let mut pieces = pieces.into_iter();
    loop {
        match chunked.step(&mut input) {
            Ok(Step::Data(data)) => body.data.extend_from_slice(&data),
            Ok(Step::Trailers(trailers)) => body.trailers = trailers,
            Ok(Step::More) => match pieces.next() {
                Some(piece) => input.extend_from_slice(piece),
                None => return body,
            },
            Ok(Step::End) => {
                body.end = ChunkedEnd::Whole(input.len() + pieces.map(<[u8]>::len).sum::<usize>());
                return body;
            }
            Err(_) => {
                body.end = ChunkedEnd::Refused;
                return body;
            }
        }
    }
}
