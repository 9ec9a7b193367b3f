//! One header of a message, borrowed from wherever it is.

use http::{HeaderName, HeaderValue};

use super::class::Class;

/// One header of a message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    /// What it means.
    pub(crate) class: Class,
    /// Its name is another spelling of the name that has this class.
    pub(crate) disguised: bool,
    /// Its line in the buffer has to be repaired.
    pub(crate) repaired: bool,
    /// The name in the sender's case.
    pub(crate) name: &'a [u8],
    /// The value without the blanks around it. A repaired one may have line breaks within: see [`Field::write`].
    pub(crate) value: &'a [u8],
    /// Where its line is in the buffer of the head, the line's end included. Of no meaning in a map.
    pub(crate) line: (usize, usize),
}

impl Field<'_> {
    /// Appends the line, repaired where it has to be: no white space before the colon, and each fold is one space
    /// (RFC 9112 §5.1 and §5.2).
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name);
        out.extend_from_slice(b": ");
        self.write_value(out);
        out.extend_from_slice(b"\r\n");
    }

    /// Appends the value, each fold of it as one space.
    pub(crate) fn write_value(&self, out: &mut Vec<u8>) {
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
    /// A header of a map.
    pub(crate) fn in_map(name: &'a HeaderName, value: &'a HeaderValue) -> Self {
        Self::of_class(Class::of(name.as_str().as_bytes()), name, value)
    }

    /// A header of a map, where its class is known, and whether its name is another spelling.
    pub(super) fn of_class(
        (class, disguised): (Class, bool),
        name: &'a HeaderName,
        value: &'a HeaderValue,
    ) -> Self {
        let name = name.as_str().as_bytes();
        Self { class, disguised, repaired: false, name, value: value.as_bytes(), line: (0, 0) }
    }
}
