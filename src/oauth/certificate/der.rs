//! A reader for the part of DER (X.690 §10) that the names of a certificate need: definite lengths in the
//! fewest octets, tags of one octet. Every step advances or ends, so the work is bounded by the input.

/// The tags that are used.
pub(super) mod tag {
    pub(in super::super) const BOOLEAN: u8 = 0x01;
    pub(in super::super) const INTEGER: u8 = 0x02;
    pub(in super::super) const BIT_STRING: u8 = 0x03;
    pub(in super::super) const OCTET_STRING: u8 = 0x04;
    pub(in super::super) const OID: u8 = 0x06;
    pub(in super::super) const UTF8_STRING: u8 = 0x0c;
    pub(in super::super) const NUMERIC_STRING: u8 = 0x12;
    pub(in super::super) const PRINTABLE_STRING: u8 = 0x13;
    pub(in super::super) const TELETEX_STRING: u8 = 0x14;
    pub(in super::super) const IA5_STRING: u8 = 0x16;
    #[cfg(feature = "gateway")]
    pub(in super::super) const UTC_TIME: u8 = 0x17;
    #[cfg(feature = "gateway")]
    pub(in super::super) const GENERALIZED_TIME: u8 = 0x18;
    pub(in super::super) const VISIBLE_STRING: u8 = 0x1a;
    pub(in super::super) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(in super::super) const BMP_STRING: u8 = 0x1e;
    pub(in super::super) const SEQUENCE: u8 = 0x30;
    pub(in super::super) const SET: u8 = 0x31;
    // GeneralName (RFC 5280 §4.2.1.6)
    pub(in super::super) const RFC822_NAME: u8 = implicit(1);
    pub(in super::super) const DNS_NAME: u8 = implicit(2);
    pub(in super::super) const URI: u8 = implicit(6);
    pub(in super::super) const IP_ADDRESS: u8 = implicit(7);

    /// Returns the tag `[number] IMPLICIT` of a primitive type.
    pub(in super::super) const fn implicit(number: u8) -> u8 {
        0x80 | number
    }

    /// Returns the tag `[number] EXPLICIT`.
    pub(in super::super) const fn explicit(number: u8) -> u8 {
        0xa0 | number
    }
}

/// The unread part of one value.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns `Some` if nothing is left.
    pub(super) fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    /// Takes the next element: its tag and its contents.
    pub(super) fn take_any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        if tag & 0x1f == 0x1f {
            return None; // A tag of several octets, which a certificate never has.
        }
        let (length, rest) = length(rest)?;
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, contents))
    }

    /// Takes the contents of the next element, which must have this tag.
    pub(super) fn take(&mut self, expected: u8) -> Option<&'a [u8]> {
        let (tag, contents) = self.take_any()?;
        (tag == expected).then_some(contents)
    }

    /// Takes the contents of an optional element with this tag. Returns `Some(None)` if it is absent.
    pub(super) fn take_optional(&mut self, expected: u8) -> Option<Option<&'a [u8]>> {
        match self.0.first() {
            Some(tag) if *tag == expected => self.take(expected).map(Some),
            _ => Some(None),
        }
    }
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    if first < 0x80 {
        return Some((first.into(), rest));
    }
    // Four octets are enough for every certificate that is read. 0x80 would be the indefinite length of BER.
    let count = usize::from(first & 0x7f);
    if !(1..=4).contains(&count) {
        return None;
    }
    let (octets, rest) = rest.split_at_checked(count)?;
    let length = octets
        .iter()
        .try_fold(0usize, |value, octet| value.checked_mul(256)?.checked_add((*octet).into()))?;
    let fewest = octets.first().is_some_and(|first| *first != 0) && length >= 0x80;
    fewest.then_some((length, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn whole(bytes: &[u8]) -> Option<(u8, &[u8])> {
        let mut reader = Reader::new(bytes);
        let element = reader.take_any()?;
        reader.end().map(|()| element)
    }

    #[test]
    fn one_encoding_of_each_length() {
        assert_eq!(whole(&[4, 0]), Some((4, &[][..])));
        assert_eq!(whole(&[4, 1, 9]), Some((4, &[9][..])));
        let long = [&[4, 0x81, 0x80][..], &[7; 128]].concat();
        assert_eq!(whole(&long), Some((4, &[7; 128][..])));
        let longer = [&[4, 0x82, 1, 0][..], &[7; 256]].concat();
        assert_eq!(whole(&longer).map(|(_, contents)| contents.len()), Some(256));
        let bad: [&[u8]; 9] = [
            &[],
            &[4],
            &[4, 1],
            &[4, 0x80, 0, 0],
            &[4, 0x81, 1, 9],
            &[4, 0x82, 0, 1, 9],
            &[4, 0x85, 0, 0, 0, 0, 1],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[0x1f, 1, 9],
        ];
        for bytes in bad {
            assert_eq!(whole(bytes), None, "{bytes:?}");
        }
        assert_eq!(whole(&[4, 1, 9, 9]), None, "something is left");
    }

    proptest! {
        #[test]
        fn never_panics_and_always_ends(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut reader = Reader::new(&bytes);
            while reader.take_any().is_some() {}
        }
    }
}
