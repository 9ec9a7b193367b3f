//! Reads the validity of a certificate, and the fields by which its authority identifies it.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::der::{Reader, tag};

/// The object identifier 2.5.29.35 (`authorityKeyIdentifier`).
const AUTHORITY_KEY_IDENTIFIER: [u8; 3] = [0x55, 0x1d, 0x23];

/// The validity of a certificate, and what identifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Issued {
    /// The first second in which it is valid, since 1970.
    pub(crate) not_before: u64,
    /// The last second in which it is valid, since 1970.
    pub(crate) not_after: u64,
    /// The contents of the serial number in DER.
    pub(crate) serial: Vec<u8>,
    /// The identifier of the authority's key, if the certificate has one (RFC 5280 §4.2.1.1).
    pub(crate) authority_key: Option<Vec<u8>>,
}

impl Issued {
    /// Reads a certificate in DER. Returns `None` if it is malformed.
    pub(crate) fn parse(der: &[u8]) -> Option<Self> {
        let mut outer = Reader::new(der);
        let mut certificate = Reader::new(outer.take(tag::SEQUENCE)?);
        let mut fields = Reader::new(certificate.take(tag::SEQUENCE)?);
        fields.take_optional(tag::explicit(0))?; // version
        let serial = fields.take(tag::INTEGER)?.to_vec();
        fields.take(tag::SEQUENCE)?; // signature
        fields.take(tag::SEQUENCE)?; // issuer
        let mut validity = Reader::new(fields.take(tag::SEQUENCE)?);
        let (not_before, not_after) = (moment(&mut validity)?, moment(&mut validity)?);
        fields.take(tag::SEQUENCE)?; // subject
        fields.take(tag::SEQUENCE)?; // subjectPublicKeyInfo
        fields.take_optional(tag::implicit(1))?; // issuerUniqueID
        fields.take_optional(tag::implicit(2))?; // subjectUniqueID
        let mut authority_key = None;
        if let Some(extensions) = fields.take_optional(tag::explicit(3))? {
            let mut list = Reader::new(Reader::new(extensions).take(tag::SEQUENCE)?);
            while !list.is_empty() {
                let mut extension = Reader::new(list.take(tag::SEQUENCE)?);
                let oid = extension.take(tag::OID)?;
                extension.take_optional(tag::BOOLEAN)?; // critical
                let value = extension.take(tag::OCTET_STRING)?;
                if oid == AUTHORITY_KEY_IDENTIFIER {
                    let mut identifier = Reader::new(Reader::new(value).take(tag::SEQUENCE)?);
                    authority_key = identifier.take_optional(tag::implicit(0))?.map(<[u8]>::to_vec);
                }
            }
        }
        Some(Self { not_before, not_after, serial, authority_key })
    }
}

/// Reads a time (RFC 5280 §4.1.2.5), in seconds since 1970. A moment before 1970 counts as 1970.
fn moment(reader: &mut Reader<'_>) -> Option<u64> {
    let (kind, text) = reader.take_any()?;
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (year, rest) = match kind {
        tag::UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year = number(year)?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        tag::GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (number(year)?, rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2).and_then(number).and_then(|part| i8::try_from(part).ok());
    if rest.len() != 10 {
        return None;
    }
    let moment = DateTime::new(year, part(0)?, part(2)?, part(4)?, part(6)?, part(8)?, 0).ok()?;
    let seconds = TimeZone::UTC.to_timestamp(moment).ok()?.as_second();
    Some(u64::try_from(seconds).unwrap_or(0))
}

fn number(digits: &str) -> Option<i16> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn validity_and_identity_are_read_with_both_forms_of_time() {
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::default();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        ca.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![1, 2, 3]);
        let ca = rcgen::Issuer::new(ca, ca_key);
        // UTCTime cannot express years after 2049.
        for (not_before, not_after) in [(1_000_000_000, 1_800_000_000), (2_000_000_000, 2_600_000_000)] {
            let mut params = rcgen::CertificateParams::new(["a.test".to_owned()]).unwrap();
            params.not_before = (UNIX_EPOCH + Duration::from_secs(not_before)).into();
            params.not_after = (UNIX_EPOCH + Duration::from_secs(not_after)).into();
            params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x7f, 7]));
            params.use_authority_key_identifier_extension = true;
            let certificate = params.signed_by(&rcgen::KeyPair::generate().unwrap(), &ca).unwrap();
            let expected =
                Issued { not_before, not_after, serial: vec![0x7f, 7], authority_key: Some(vec![1, 2, 3]) };
            assert_eq!(Issued::parse(certificate.der()), Some(expected));
        }
    }

    #[test]
    fn other_times_are_not_read() {
        for text in ["991301000000Z", "9901010000Z", "990101000000", "99010100000+Z", "-90101000000Z"] {
            let der = [&[tag::UTC_TIME, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
            assert_eq!(moment(&mut Reader::new(&der)), None, "{text}");
        }
        assert_eq!(Issued::parse(b"\x30\x03\x30\x01\x02"), None);
    }
}
