//! Why a message is refused.

use std::fmt;

use http::StatusCode;

/// Why a request is refused before anything is decided on it. The text is fit for the client: it repeats nothing of
/// the input. The connection is to be closed after each: where the next request begins is in doubt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestFault {
    /// The request line is not `method SP target SP version`.
    Line,
    /// The version is none of HTTP/1.
    Version,
    /// A line that ends with LF alone.
    BareLineFeed,
    /// A control character where none may be.
    Control,
    /// A header line without a name, without a colon, or with a name that is no token.
    FieldName,
    /// White space between a header's name and its colon (RFC 9112 §5.1).
    SpaceBeforeColon,
    /// A header that goes on in the next line (RFC 9112 §5.2).
    Folded,
    /// The head is larger than allowed.
    HeadTooLarge,
    /// The request line alone is larger than a head may be.
    TargetTooLong,
    /// More header lines than allowed.
    TooManyFields,
    /// A fragment in the target.
    Fragment,
    /// A target in a form that the method does not have.
    Target,
    /// A byte in the path that has to be percent-encoded.
    PathByte,
    /// `Transfer-Encoding` that is anything but one line `chunked`, or in HTTP/1.0.
    TransferEncoding,
    /// `Transfer-Encoding` and `Content-Length`.
    TwoLengths,
    /// `Content-Length` that is not one line with one number.
    ContentLength,
    /// A name that some servers take for `Transfer-Encoding` or `Content-Length`.
    DisguisedLength,
    /// An expectation other than `100-continue`.
    Expectation,
}

impl RequestFault {
    /// The status to answer.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge | Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The text for the client.
    pub(crate) fn public_text(self) -> &'static str {
        match self {
            Self::Line => "the request line is not well-formed",
            Self::Version => "the version of the request is not HTTP/1.0 or HTTP/1.1",
            Self::BareLineFeed => "a line of the request ends without a carriage return",
            Self::Control => "the request has a control character in its head",
            Self::FieldName => "a header line of the request is not well-formed",
            Self::SpaceBeforeColon => "a header of the request has white space before its colon",
            Self::Folded => "a header of the request continues on a second line",
            Self::HeadTooLarge => "the request line and headers are larger than this server accepts",
            Self::TargetTooLong => "the request target is longer than this server accepts",
            Self::TooManyFields => "the request has more headers than this server accepts",
            Self::Fragment => "the request target has a fragment",
            Self::Target => "the request target does not fit the method",
            Self::PathByte => "the path has a character that must be percent-encoded",
            Self::TransferEncoding => "the Transfer-Encoding must be chunked, once, in HTTP/1.1",
            Self::TwoLengths => "the request has both Transfer-Encoding and Content-Length",
            Self::ContentLength => "the Content-Length must be one number",
            Self::DisguisedLength => "a header name looks like Transfer-Encoding or Content-Length",
            Self::Expectation => "the only expectation known is 100-continue",
        }
    }
}

impl fmt::Display for RequestFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.public_text())
    }
}

impl std::error::Error for RequestFault {}

/// Why a response cannot be passed on. The client receives a 502, and the connection is not used again. The text is for
/// the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseFault {
    /// What came is not an HTTP/1 response.
    NotHttp,
    /// A header line that cannot be repaired.
    Field,
    /// The head is larger than [`MAX_RESPONSE_HEAD`](super::MAX_RESPONSE_HEAD).
    TooLarge,
    /// It has more than [`MAX_RESPONSE_FIELDS`](super::MAX_RESPONSE_FIELDS) headers.
    TooManyFields,
    /// Both `Transfer-Encoding` and `Content-Length`.
    TwoLengths,
    /// `Transfer-Encoding` that is anything but one line `chunked`, or in HTTP/1.0.
    TransferEncoding,
    /// `Content-Length` that is not a number, or several that differ.
    ContentLength,
    /// A 101 to a request that asked for no upgrade: the rest of the connection would never have been authorised.
    UnaskedUpgrade,
    /// More interim responses than an honest server sends.
    TooManyInterim,
}

impl fmt::Display for ResponseFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotHttp => "the server's response is not HTTP/1",
            Self::Field => "a header line of the server's response is malformed",
            Self::TooLarge => "the head of the server's response is too large",
            Self::TooManyFields => "the server's response has too many headers",
            Self::TwoLengths => "the server's response has both Transfer-Encoding and Content-Length",
            Self::TransferEncoding => "the server's response has a Transfer-Encoding other than chunked",
            Self::ContentLength => "the server's response has a Content-Length that is not one number",
            Self::UnaskedUpgrade => "the server switched protocols, and the request asked for no upgrade",
            Self::TooManyInterim => "the server sent too many interim responses",
        })
    }
}

impl std::error::Error for ResponseFault {}

/// Why a chunked body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkFault {
    /// The chunk size is no hexadecimal number of 64 bits.
    Size,
    /// An extension is not `;name` or `;name=value` (RFC 9112 §7.1.1).
    Extension,
    /// A line end is not CRLF, or a chunk is not as long as it says.
    LineEnd,
    /// A trailer line is malformed.
    Trailer,
    /// The extensions or the trailers are larger than any honest sender's.
    TooLarge,
}

impl fmt::Display for ChunkFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "a chunk size is malformed",
            Self::Extension => "a chunk extension is malformed",
            Self::LineEnd => "a chunk does not end where it should",
            Self::Trailer => "a trailer is malformed",
            Self::TooLarge => "the chunk extensions or the trailers are too large",
        })
    }
}

impl std::error::Error for ChunkFault {}
