//! One header of a message, borrowed from a buffer or a map.

use http::{HeaderName, HeaderValue};

use super::class::Class;

/// One header of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// The class of the name.
    pub(crate) class: Class,
    /// Whether the name is another spelling of the name with this class.
    pub(crate) disguised: bool,
    /// Whether the line must be repaired before it is copied.
    pub(crate) repaired: bool,
    /// The name as received.
    pub(crate) name: &'a [u8],
    /// The value without surrounding white space. The value of a line that must be repaired may contain line
    /// breaks: see [`Field::write`].
    pub(crate) value: &'a [u8],
    /// The range of the line in the buffer of the head, including the line end. Unused for a header in a map.
    pub(crate) line: (usize, usize),
}

impl Field<'_> {
    /// Appends the line, repaired if necessary: white space before the colon is removed, and each fold
    /// becomes one space (RFC 9112 §5.1 and §5.2).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name);
        out.extend_from_slice(b": ");
        self.write_value(out);
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the value. Each fold becomes one space.
    pub(crate) fn write_value(&self, out: &mut Vec<u8>) {
        if !self.repaired {
            return out.extend_from_slice(self.value);
        }
        let mut folded = false;
        for &byte in self.value {
            match byte {
                b'\r' | b'\n' => folded = true,
                b' ' | b'\t' if folded => {}
                byte => {
                    if folded {
                        out.push(b' ');
                        folded = false;
                    }
                    out.push(byte);
                }
            }
        }
    }
}

impl<'a> Field<'a> {
    /// Creates the view of a header in a map.
    pub(crate) fn in_map(name: &'a HeaderName, value: &'a HeaderValue) -> Self {
        Self::of_class(Class::of(name.as_str().as_bytes()), name, value)
    }

    /// Creates the view of a header in a map whose class is already known.
    pub(super) fn of_class(
        (class, disguised): (Class, bool),
        name: &'a HeaderName,
        value: &'a HeaderValue,
    ) -> Self {
        let name = name.as_str().as_bytes();
        Self { class, disguised, repaired: false, name, value: value.as_bytes(), line: (0, 0) }
    }
}
