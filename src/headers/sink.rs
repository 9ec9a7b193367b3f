//! The destination of forwarded headers.

use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::class::Class;
use super::field::Field;

/// Receives the headers of a forwarded message: those that are kept, and those that the gateway adds.
pub(crate) trait HeaderSink {
    /// Adds a header as received.
    fn keep(&mut self, field: &Field<'_>);

    /// Adds a header of the gateway.
    fn add(&mut self, name: &HeaderName, value: &[u8]);

    /// Adds a header that the gateway sends with nearly every message.
    fn state(&mut self, header: &'static OwnHeader, value: &[u8]);

    /// Adds a header that the gateway sends with nearly every message, and whose value never changes.
    fn state_fixed(&mut self, header: &'static FixedHeader);
}

/// A header that the gateway sends with nearly every message, in the two forms that sinks need.
///
/// The name is a reference, so that the value is constant and the compiler copies the line in one or two
/// moves.
#[derive(Debug)]
pub(crate) struct OwnHeader {
    pub(crate) name: &'static HeaderName,
    /// The beginning of the line: the name, a colon and a space.
    line: &'static [u8],
}

impl OwnHeader {
    /// Creates a header. `line` is its name, a colon and a space.
    pub(crate) const fn new(name: &'static HeaderName, line: &'static str) -> Self {
        Self { name, line: line.as_bytes() }
    }
}

/// A header of the gateway whose value never changes, in the two forms that sinks need.
#[derive(Debug)]
pub(crate) struct FixedHeader {
    name: &'static HeaderName,
    value: &'static str,
    /// The whole line, with its end.
    line: &'static [u8],
}

impl FixedHeader {
    /// Creates a header. `line` is its name, a colon, a space, the value and CRLF.
    pub(super) const fn new(name: &'static HeaderName, value: &'static str, line: &'static str) -> Self {
        Self { name, value, line: line.as_bytes() }
    }
}

/// Writes HTTP/1 lines, for a message whose headers are in a map.
impl HeaderSink for Vec<u8> {
    fn keep(&mut self, field: &Field<'_>) {
        field.write(self);
    }

    fn add(&mut self, name: &HeaderName, value: &[u8]) {
        let name = name.as_str().as_bytes();
        // Reserves once, so that the following writes only copy.
        self.reserve(name.len() + value.len() + 4);
        self.extend_from_slice(name);
        self.extend_from_slice(b": ");
        self.extend_from_slice(value);
        self.extend_from_slice(b"\r\n");
    }

    // Where it is inlined, the length of the line is constant.
    #[inline(always)]
    fn state(&mut self, header: &'static OwnHeader, value: &[u8]) {
        self.extend_from_slice(header.line);
        self.extend_from_slice(value);
        self.extend_from_slice(b"\r\n");
    }

    #[inline(always)]
    fn state_fixed(&mut self, header: &'static FixedHeader) {
        self.extend_from_slice(header.line);
    }
}

/// Fills a map, for HTTP/2.
impl HeaderSink for HeaderMap {
    fn keep(&mut self, field: &Field<'_>) {
        let value = if field.repaired {
            let mut line = Vec::new();
            field.write_value(&mut line);
            HeaderValue::try_from(line)
        } else {
            HeaderValue::from_bytes(field.value)
        };
        // Nearly every response has these two, and their class says which they are.
        let name = match field.class {
            Class::ContentLength if !field.disguised => Ok(CONTENT_LENGTH),
            Class::Date if !field.disguised => Ok(DATE),
            _ => HeaderName::from_bytes(field.name),
        };
        // A parsed header name and value are always valid.
        if let (Ok(name), Ok(value)) = (name, value) {
            self.append(name, value);
        }
    }

    fn add(&mut self, name: &HeaderName, value: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            self.append(name, value);
        }
    }

    fn state(&mut self, header: &'static OwnHeader, value: &[u8]) {
        self.add(header.name, value);
    }

    fn state_fixed(&mut self, header: &'static FixedHeader) {
        self.append(header.name, HeaderValue::from_static(header.value));
    }
}
