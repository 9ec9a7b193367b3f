//! Decodes message bodies according to their framing.

use super::chunked::{ChunkedDecoder, Decoded, Trailers};
use super::fault::ChunkFault;
use super::request::RequestFraming;
use super::response::ResponseFraming;

/// Decodes a body that arrives in pieces.
#[derive(Debug)]
pub(crate) enum BodyDecoder {
    /// The number of bytes that have not been read yet.
    Length(u64),
    /// A chunked body.
    Chunked(ChunkedDecoder),
    /// A body that extends to the end of the connection.
    Close,
}

impl BodyDecoder {
    /// Creates a decoder for the body of a request.
    pub(crate) fn of_request(framing: RequestFraming) -> Self {
        match framing {
            RequestFraming::None => Self::Length(0),
            RequestFraming::Length(length) => Self::Length(length),
            RequestFraming::Chunked => Self::Chunked(ChunkedDecoder::for_request()),
        }
    }

    /// Creates a decoder for the body of a response.
    pub(crate) fn of_response(framing: ResponseFraming) -> Self {
        match framing {
            ResponseFraming::None => Self::Length(0),
            ResponseFraming::Length(length) => Self::Length(length),
            ResponseFraming::Chunked => Self::Chunked(ChunkedDecoder::for_response()),
            ResponseFraming::Close => Self::Close,
        }
    }

    /// Decodes the next piece from the beginning of `input`. With an empty input it reports whether the body
    /// is complete.
    ///
    /// # Errors
    /// Fails if a chunked body is malformed.
    pub(crate) fn decode<'a>(&mut self, input: &'a [u8]) -> Result<Decoded<'a>, ChunkFault> {
        match self {
            Self::Length(left) => {
                let here = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
                *left -= here as u64;
                let data = input.get(..here).unwrap_or_default();
                Ok(Decoded { data, consumed: here, ended: *left == 0 })
            }
            Self::Chunked(decoder) => decoder.decode(input),
            Self::Close => Ok(Decoded { data: input, consumed: input.len(), ended: false }),
        }
    }

    /// Returns whether the body is complete if the connection ends now.
    ///
    /// A body with a length or in chunks would be incomplete (RFC 9112 §8).
    pub(crate) fn may_end_with_connection(&self) -> bool {
        matches!(self, Self::Close | Self::Length(0))
    }

    /// Returns the number of bytes that have not been read yet, if it is known.
    pub(crate) fn remaining(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(_) | Self::Close => None,
        }
    }

    /// Returns the trailers of a chunked body that has been read completely.
    pub(crate) fn trailers(&self) -> Trailers<'_> {
        match self {
            Self::Chunked(decoder) => decoder.trailers(),
            Self::Length(_) | Self::Close => Trailers::default(),
        }
    }
}
