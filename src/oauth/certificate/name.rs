//! Distinguished names, as X.501 encodes them in a certificate and as RFC 4514 writes them as text.

use super::der::{Reader, tag};
use std::fmt;

use crate::sorting::sort;

/// A distinguished name that can be compared.
///
/// Two names are equal if they have the same relative names in the same order, each with the same types and
/// values. Types are object identifiers, so `CN`, `cn` and `2.5.4.3` are equal. Values are compared character
/// by character, whatever their string type in a certificate. Case and inner spaces count, although
/// directories fold them (RFC 4518): names decide who a client is, so similar names must not be equal.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct DistinguishedName {
    /// The relative names in the order of a certificate, the reverse of the text's. Each is sorted, because
    /// it is a set.
    relative: Vec<Vec<Attribute>>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Attribute {
    /// The contents octets of the object identifier.
    oid: Vec<u8>,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Text(String),
    /// The tag and contents of a value that is not a string.
    Other(u8, Vec<u8>),
}

/// The error for a text that is not a distinguished name (RFC 4514 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameError {
    /// It is empty.
    Empty,
    /// It is longer than 4 KiB.
    TooLong,
    /// An attribute has no `=`.
    NoEquals,
    /// The type of an attribute is neither a known name nor an object identifier in dotted decimal.
    Type,
    /// A character that must be escaped with `\` is not, or an escape is incomplete.
    Escape,
    /// An escaped value is not UTF-8.
    Encoding,
    /// The text after `#` is not the hexadecimal DER of one value.
    Hexadecimal,
    /// An attribute has no value.
    NoValue,
}

const MAX_LENGTH: usize = 4096;

/// The names of attribute types: those of RFC 4514 §3 and RFC 4519, and those in certificates of banks and of
/// openssl.
const TYPES: [(&str, &str); 24] = [
    ("CN", "2.5.4.3"),
    ("SN", "2.5.4.4"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("S", "2.5.4.8"),
    ("street", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("title", "2.5.4.12"),
    ("businessCategory", "2.5.4.15"),
    ("postalCode", "2.5.4.17"),
    ("GN", "2.5.4.42"),
    ("givenName", "2.5.4.42"),
    ("initials", "2.5.4.43"),
    ("dnQualifier", "2.5.4.46"),
    ("organizationIdentifier", "2.5.4.97"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("jurisdictionL", "1.3.6.1.4.1.311.60.2.1.1"),
    ("jurisdictionST", "1.3.6.1.4.1.311.60.2.1.2"),
    ("jurisdictionC", "1.3.6.1.4.1.311.60.2.1.3"),
];

impl DistinguishedName {
    /// Parses a text of RFC 4514. Spaces around `,`, `+` and `=` are accepted, because openssl prints them.
    ///
    /// # Errors
    /// The first error that is found.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_LENGTH {
            return Err(NameError::TooLong);
        }
        if text.trim_matches(' ').is_empty() {
            return Ok(Self::default());
        }
        let mut relative = vec![Vec::new()];
        for (attribute, separator) in split(text)? {
            let attribute = parse_attribute(attribute)?;
            if let Some(last) = relative.last_mut() {
                last.push(attribute);
            }
            if separator == Some(',') {
                relative.push(Vec::new());
            }
        }
        // RFC 4514 §2.1: the text begins with the last relative name.
        relative.reverse();
        Ok(Self::sorted(relative))
    }

    /// Reads the contents of a `Name` (RFC 5280 §4.1.2.4).
    pub(super) fn from_der(contents: &[u8]) -> Option<Self> {
        let mut names = Reader::new(contents);
        let mut relative = Vec::new();
        while !names.is_empty() {
            let mut set = Reader::new(names.take(tag::SET)?);
            let mut attributes = Vec::new();
            while !set.is_empty() {
                let mut pair = Reader::new(set.take(tag::SEQUENCE)?);
                let oid = pair.take(tag::OID)?.to_vec();
                let (kind, contents) = pair.take_any()?;
                pair.end()?;
                attributes.push(Attribute { oid, value: Value::from_der(kind, contents) });
            }
            if attributes.is_empty() {
                return None;
            }
            relative.push(attributes);
        }
        Some(Self::sorted(relative))
    }

    fn sorted(mut relative: Vec<Vec<Attribute>>) -> Self {
        relative.iter_mut().for_each(|attributes| sort(attributes));
        Self { relative }
    }

    /// Returns a text that two names share only if they are equal.
    pub(crate) fn canonical(&self) -> String {
        format!("{:?}", self.relative)
    }

    /// Returns whether the name is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.relative.is_empty()
    }
}

impl Value {
    /// Reads a value. A string becomes its characters. A value that does not fit its type is kept as it is,
    /// and equals no text.
    fn from_der(kind: u8, contents: &[u8]) -> Self {
        let ascii = || contents.is_ascii().then(|| contents.iter().map(|byte| char::from(*byte)).collect());
        let text: Option<String> = match kind {
            tag::UTF8_STRING => String::from_utf8(contents.to_vec()).ok(),
            tag::PRINTABLE_STRING | tag::NUMERIC_STRING | tag::IA5_STRING | tag::VISIBLE_STRING => ascii(),
            // There is no agreement on the meaning of a TeletexString beyond ASCII.
            tag::TELETEX_STRING => ascii(),
            tag::BMP_STRING => two_octets(contents),
            tag::UNIVERSAL_STRING => four_octets(contents),
            _ => None,
        };
        text.map_or_else(|| Self::Other(kind, contents.to_vec()), Self::Text)
    }
}

fn two_octets(contents: &[u8]) -> Option<String> {
    let (units, []) = contents.as_chunks::<2>() else { return None };
    char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit))).collect::<Result<_, _>>().ok()
}

fn four_octets(contents: &[u8]) -> Option<String> {
    let (units, []) = contents.as_chunks::<4>() else { return None };
    units.iter().map(|unit| char::from_u32(u32::from_be_bytes(*unit))).collect()
}

/// Splits a text into attributes, each with the separator after it. A separator after a backslash is part of
/// the value.
fn split(text: &str) -> Result<Vec<(&str, Option<char>)>, NameError> {
    let mut attributes = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (place, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' | '+' => {
                attributes.push((text.get(start..place).ok_or(NameError::Escape)?, Some(character)));
                start = place + 1;
            }
            // RFC 4514 §2.4: these must be escaped. RFC 1779 separated with `;` and quoted with `"`.
            '"' | ';' | '<' | '>' | '\0' => return Err(NameError::Escape),
            _ => {}
        }
    }
    attributes.push((text.get(start..).ok_or(NameError::Escape)?, None));
    Ok(attributes)
}

fn parse_attribute(text: &str) -> Result<Attribute, NameError> {
    let (kind, value) = text.split_once('=').ok_or(NameError::NoEquals)?;
    let kind = kind.trim_matches(' ');
    let dotted =
        TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).map_or(kind, |(_, dotted)| dotted);
    let oid = encode_oid(dotted).ok_or(NameError::Type)?;
    let value = trim_unescaped(value);
    let value = match value.strip_prefix('#') {
        Some(digits) => parse_hexadecimal(digits).ok_or(NameError::Hexadecimal)?,
        None => Value::Text(unescape(value)?),
    };
    if value == Value::Text(String::new()) {
        return Err(NameError::NoValue);
    }
    Ok(Attribute { oid, value })
}

/// Removes the spaces at both ends, except one that is escaped by a backslash.
fn trim_unescaped(value: &str) -> &str {
    let value = value.trim_start_matches(' ');
    let trimmed = value.trim_end_matches(' ');
    let backslashes = trimmed.bytes().rev().take_while(|byte| *byte == b'\\').count();
    if backslashes % 2 == 1 { value.get(..trimmed.len() + 1).unwrap_or(value) } else { trimmed }
}

/// Reads a `string` (RFC 4514 §3): a backslash precedes a special character, or the two digits of one octet.
fn unescape(value: &str) -> Result<String, NameError> {
    let mut octets = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes().iter().copied();
    while let Some(octet) = rest.next() {
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let next = rest.next().ok_or(NameError::Escape)?;
        if b" \"#+,;<=>\\".contains(&next) {
            octets.push(next);
        } else {
            let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let high = digit(next).ok_or(NameError::Escape)?;
            let low = rest.next().and_then(digit).ok_or(NameError::Escape)?;
            octets.push(high << 4 | low);
        }
    }
    String::from_utf8(octets).map_err(|_| NameError::Encoding)
}

/// Reads a value that is written as `#` and the octets of its encoding (RFC 4514 §2.4).
fn parse_hexadecimal(digits: &str) -> Option<Value> {
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else { return None };
    let octet = |[high, low]: &[u8; 2]| {
        let value = char::from(*high).to_digit(16)? << 4 | char::from(*low).to_digit(16)?;
        u8::try_from(value).ok()
    };
    let octets: Vec<u8> = pairs.iter().map(octet).collect::<Option<_>>()?;
    let mut reader = Reader::new(&octets);
    let (kind, contents) = reader.take_any()?;
    reader.end()?;
    Some(Value::from_der(kind, contents))
}

/// Encodes an object identifier in dotted decimal as contents octets (X.690 §8.19).
fn encode_oid(dotted: &str) -> Option<Vec<u8>> {
    let number = |text: &str| {
        let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
        plain.then(|| text.parse::<u64>().ok())?
    };
    let mut arcs = dotted.split('.').map(number);
    let (first, second) = (arcs.next()??, arcs.next()??);
    if first > 2 || (first < 2 && second >= 40) {
        return None;
    }
    let mut oid = Vec::new();
    push_base_128(&mut oid, (first * 40).checked_add(second)?);
    for arc in arcs {
        push_base_128(&mut oid, arc?);
    }
    Some(oid)
}

fn push_base_128(octets: &mut Vec<u8>, value: u64) {
    let groups = (64 - value.leading_zeros()).div_ceil(7).max(1);
    for group in (0..groups).rev() {
        let more = if group == 0 { 0 } else { 0x80 };
        octets.push((value >> (group * 7) & 0x7f) as u8 | more);
    }
}

impl fmt::Debug for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.relative.iter().rev().flatten().map(|attribute| match &attribute.value {
            Value::Text(text) => text.as_str(),
            Value::Other(..) => "#…",
        });
        f.write_str("DistinguishedName")?;
        f.debug_list().entries(values).finish()
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the name is empty",
            Self::TooLong => "the name is longer than 4096 bytes",
            Self::NoEquals => "an attribute has no \"=\" (as in CN=server,O=Example; a comma in a value is written \\,)",
            Self::Type => "an attribute's type is neither a known name (CN, O, OU, …) nor an object identifier (2.5.4.3)",
            Self::Escape => "a character that needs a \\ before it (one of \" + , ; < > \\) has none, or a \\ stands before nothing",
            Self::Encoding => "an escaped value is not UTF-8",
            Self::Hexadecimal => "what follows # is not a value in DER, in hexadecimal",
            Self::NoValue => "an attribute has no value",
        })
    }
}

impl std::error::Error for NameError {}

#[cfg(test)]
#[path = "name_tests.rs"]
mod tests;
