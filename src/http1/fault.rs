//! The reasons why a message is refused.

use std::fmt;

use http::StatusCode;

/// The reason why a request is refused before it is processed. The text may be sent to the client, because it
/// repeats nothing of the input. The connection must be closed after the response, because it is unclear
/// where the next request begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestFault {
    /// The request line is not `method SP target SP version`.
    Line,
    /// The version is not HTTP/1.0 or HTTP/1.1.
    Version,
    /// A line ends with LF alone.
    BareLineFeed,
    /// A control character at a position where it is not allowed.
    Control,
    /// A header line without a name or a colon, or with a name that is not a token.
    FieldName,
    /// White space between a header's name and its colon (RFC 9112 §5.1).
    SpaceBeforeColon,
    /// A header that continues on the next line (RFC 9112 §5.2).
    Folded,
    /// The head exceeds the size limit.
    HeadTooLarge,
    /// The request line alone exceeds the size limit of a head.
    TargetTooLong,
    /// The request has more header lines than allowed.
    TooManyFields,
    /// The target contains a fragment.
    Fragment,
    /// The form of the target is not allowed for the method.
    Target,
    /// The path contains a byte that must be percent-encoded.
    PathByte,
    /// `Transfer-Encoding` is not a single line `chunked`, or the request is HTTP/1.0.
    TransferEncoding,
    /// Both `Transfer-Encoding` and `Content-Length` are present.
    TwoLengths,
    /// `Content-Length` is not a single line with a single number.
    ContentLength,
    /// A header name that some servers treat as `Transfer-Encoding` or `Content-Length`.
    DisguisedLength,
    /// An expectation other than `100-continue`.
    Expectation,
}

impl RequestFault {
    /// Returns the status of the error response.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge | Self::TooManyFields => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// Returns the text for the client.
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

/// The reason why a response cannot be forwarded. The client receives a 502, and the connection is not
/// reused. The text is for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseFault {
    /// The server sent something that is not an HTTP/1 response.
    NotHttp,
    /// A malformed header line that cannot be repaired.
    Field,
    /// The head is larger than [`MAX_RESPONSE_HEAD`](super::MAX_RESPONSE_HEAD).
    TooLarge,
    /// It has more than [`MAX_RESPONSE_FIELDS`](super::MAX_RESPONSE_FIELDS) headers.
    TooManyFields,
    /// Both `Transfer-Encoding` and `Content-Length` are present.
    TwoLengths,
    /// `Transfer-Encoding` is not a single line `chunked`, or the response is HTTP/1.0.
    TransferEncoding,
    /// `Content-Length` is not a number, or has several different values.
    ContentLength,
    /// A 101 to a request without an upgrade. The rest of the connection would bypass authorization.
    UnaskedUpgrade,
    /// More interim responses than a well-behaved server sends.
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

/// The reason why a chunked body is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChunkFault {
    /// The chunk size is not a hexadecimal number of at most 64 bits.
    Size,
    /// An extension is not `;name` or `;name=value` (RFC 9112 §7.1.1).
    Extension,
    /// A line does not end with CRLF, or the data of a chunk is not as long as its size.
    LineEnd,
    /// A trailer line is malformed.
    Trailer,
    /// The extensions or the trailers exceed their size limit.
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
