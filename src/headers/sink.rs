//! Where the headers that go on are put.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::field::Field;

/// Takes the headers of a message that goes on: those that are kept as they came, and those that the gateway adds.
pub(crate) trait HeaderSink {
    /// Takes a header as it came.
    fn keep(&mut self, field: &Field<'_>);

    /// Takes a header of the gateway's own.
    fn add(&mut self, name: &HeaderName, value: &[u8]);

    /// Takes a header that the gateway adds to nearly every message.
    fn state(&mut self, header: &OwnHeader, value: &[u8]);
}

/// A header that the gateway adds to nearly every message, in the two forms that sinks need.
#[derive(Debug)]
pub(crate) struct OwnHeader {
    pub(crate) name: HeaderName,
    /// How its line begins: the name, a colon and a space.
    line: &'static [u8],
}

impl OwnHeader {
    /// The header with this name, which `line` begins with; a colon and a space follow there.
    pub(crate) const fn new(name: HeaderName, line: &'static str) -> Self {
        Self { name, line: line.as_bytes() }
    }
}

/// Writes lines of HTTP/1, for a message whose headers are not lines themselves.
impl HeaderSink for Vec<u8> {
    fn keep(&mut self, field: &Field<'_>) {
        field.write(self);
    }

    fn add(&mut self, name: &HeaderName, value: &[u8]) {
        let name = name.as_str().as_bytes();
        // Grown once, so that what follows only copies.
        self.reserve(name.len() + value.len() + 4);
        self.extend_from_slice(name);
        self.extend_from_slice(b": ");
        self.extend_from_slice(value);
        self.extend_from_slice(b"\r\n");
    }

    #[inline]
    fn state(&mut self, header: &OwnHeader, value: &[u8]) {
        self.reserve(header.line.len() + value.len() + 2);
        self.extend_from_slice(header.line);
        self.extend_from_slice(value);
        self.extend_from_slice(b"\r\n");
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
        // What was parsed as a header is one.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(field.name), value) {
            self.append(name, value);
        }
    }

    fn add(&mut self, name: &HeaderName, value: &[u8]) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            self.append(name, value);
        }
    }

    fn state(&mut self, header: &OwnHeader, value: &[u8]) {
        self.add(&header.name, value);
    }
}
