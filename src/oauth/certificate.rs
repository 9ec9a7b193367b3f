//! Client authentication and token binding by a TLS client certificate (RFC 8705).
//!
//! The TLS layer decides whether a certificate is trusted. This module reads certificates that it has
//! accepted: the thumbprint, for bound tokens (§3) and self-signed clients (§2.2), and the names, which a
//! client is registered with (§2.1.2).

mod der;
#[cfg(feature = "gateway")]
pub(crate) mod issued;
mod name;

use super::thumbprint::Thumbprint;
pub use name::{DistinguishedName, NameError};

use der::{Reader, tag};
use std::fmt;
use std::net::IpAddr;

/// The names in a client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    thumbprint: Thumbprint,
    subject: DistinguishedName,
    alternatives: Vec<Alternative>,
    is_version_3: bool,
}

/// A subject alternative name (RFC 5280 §4.2.1.6) of a kind that RFC 8705 uses.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Alternative {
    Dns(Box<str>),
    Uri(Box<str>),
    Ip(IpAddr),
    Email(Box<str>),
}

/// The name that a certificate must have: exactly one of the `tls_client_auth_…` parameters (RFC 8705
/// §2.1.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// `tls_client_auth_subject_dn`.
    Dn(DistinguishedName),
    /// `tls_client_auth_san_dns`, compared without case. A wildcard only matches itself.
    Dns(Box<str>),
    /// `tls_client_auth_san_uri`, compared byte for byte.
    Uri(Box<str>),
    /// `tls_client_auth_san_ip`.
    Ip(IpAddr),
    /// `tls_client_auth_san_email`. The domain is compared without case, the mailbox with case (RFC 5280
    /// §7.5).
    Email(Box<str>),
}

/// The error for bytes that cannot be read as a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CertificateError {
    /// They are more than [`Certificate::MAX_LENGTH`].
    TooLong,
    /// They are not a certificate in DER (RFC 5280 §4.1).
    Malformed,
    /// There are more than [`Certificate::MAX_NAMES`] alternative names.
    TooManyNames,
}

/// 2.5.29.17
const SUBJECT_ALTERNATIVE_NAME: [u8; 3] = [0x55, 0x1d, 0x11];

impl Certificate {
    /// The longest certificate that is read, in bytes.
    pub const MAX_LENGTH: usize = 64 * 1024;
    /// The largest number of alternative names that are read.
    pub const MAX_NAMES: usize = 256;

    /// Reads a certificate in DER, as TLS transmits it. Its signature and dates are not checked.
    ///
    /// # Errors
    /// A [`CertificateError`] if it is malformed or too large.
    pub fn parse(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > Self::MAX_LENGTH {
            return Err(CertificateError::TooLong);
        }
        let Names { subject, alternatives, is_version_3 } =
            read(der).ok_or(CertificateError::Malformed)??;
        Ok(Self { thumbprint: Thumbprint::of(der), subject, alternatives, is_version_3 })
    }

    /// Returns the thumbprint, `x5t#S256`.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn thumbprint(&self) -> Thumbprint {
        self.thumbprint
    }

    /// Returns the name of the subject, which may be empty.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// Returns the DNS names among the alternative names, wildcards included.
    #[cfg(any(test, feature = "gateway"))]
    pub(crate) fn dns_names(&self) -> impl Iterator<Item = &str> {
        self.alternatives.iter().filter_map(|name| match name {
            Alternative::Dns(name) => Some(&**name),
            Alternative::Uri(_) | Alternative::Ip(_) | Alternative::Email(_) => None,
        })
    }

    /// Returns whether the certificate is of X.509 version 3, the only one with extensions (RFC 5280
    /// §4.1.2.1).
    #[cfg(any(test, feature = "gateway"))]
    #[must_use]
    pub(crate) fn is_version_3(&self) -> bool {
        self.is_version_3
    }

    /// Returns whether the certificate has the name `subject`. An empty name matches nothing.
    #[must_use]
    pub fn is_of(&self, subject: &Subject) -> bool {
        let any = |matches: &dyn Fn(&Alternative) -> bool| self.alternatives.iter().any(matches);
        match subject {
            Subject::Dn(expected) => !expected.is_empty() && self.subject == *expected,
            Subject::Dns(expected) => {
                any(&|held| matches!(held, Alternative::Dns(dns) if dns.eq_ignore_ascii_case(expected)))
            }
            Subject::Uri(expected) => any(&|held| matches!(held, Alternative::Uri(uri) if uri == expected)),
            Subject::Ip(expected) => any(&|held| matches!(held, Alternative::Ip(ip) if ip == expected)),
            Subject::Email(expected) => {
                any(&|held| matches!(held, Alternative::Email(email) if same_mailbox(email, expected)))
            }
        }
    }
}

/// The parts of a certificate that are used.
struct Names {
    subject: DistinguishedName,
    alternatives: Vec<Alternative>,
    is_version_3: bool,
}

/// Reads the fields. Returns `None` if the DER is not that of a certificate.
fn read(der: &[u8]) -> Option<Result<Names, CertificateError>> {
    let mut outer = Reader::new(der);
    let mut certificate = Reader::new(outer.take(tag::SEQUENCE)?);
    outer.end()?;
    let mut fields = Reader::new(certificate.take(tag::SEQUENCE)?);
    certificate.take(tag::SEQUENCE)?; // signatureAlgorithm
    certificate.take(tag::BIT_STRING)?;
    certificate.end()?;

    // INTEGER 2 is version 3; without the field it is version 1.
    let is_version_3 = fields.take_optional(tag::explicit(0))? == Some(&[tag::INTEGER, 1, 2]);
    fields.take(tag::INTEGER)?; // serialNumber
    fields.take(tag::SEQUENCE)?; // signature
    fields.take(tag::SEQUENCE)?; // issuer
    fields.take(tag::SEQUENCE)?; // validity
    let subject = DistinguishedName::from_der(fields.take(tag::SEQUENCE)?)?;
    fields.take(tag::SEQUENCE)?; // subjectPublicKeyInfo
    fields.take_optional(tag::implicit(1))?; // issuerUniqueID
    fields.take_optional(tag::implicit(2))?; // subjectUniqueID
    let extensions = fields.take_optional(tag::explicit(3))?;
    fields.end()?;

    let mut alternatives = None;
    if let Some(extensions) = extensions {
        let mut wrapper = Reader::new(extensions);
        let mut list = Reader::new(wrapper.take(tag::SEQUENCE)?);
        wrapper.end()?;
        while !list.is_empty() {
            let mut extension = Reader::new(list.take(tag::SEQUENCE)?);
            let oid = extension.take(tag::OID)?;
            extension.take_optional(tag::BOOLEAN)?; // critical
            let value = extension.take(tag::OCTET_STRING)?;
            extension.end()?;
            // RFC 5280 §4.2: an extension occurs at most once.
            if oid == SUBJECT_ALTERNATIVE_NAME && alternatives.replace(value).is_some() {
                return None;
            }
        }
    }
    let alternatives = match alternatives.map(read_alternatives) {
        None => Vec::new(),
        Some(read) => match read? {
            Ok(alternatives) => alternatives,
            Err(error) => return Some(Err(error)),
        },
    };
    Some(Ok(Names { subject, alternatives, is_version_3 }))
}

fn read_alternatives(value: &[u8]) -> Option<Result<Vec<Alternative>, CertificateError>> {
    let mut outer = Reader::new(value);
    let mut names = Reader::new(outer.take(tag::SEQUENCE)?);
    outer.end()?;
    let mut alternatives = Vec::new();
    while !names.is_empty() {
        let (kind, value) = names.take_any()?;
        let read: Option<Alternative> = match kind {
            tag::RFC822_NAME => Some(Alternative::Email(ia5(value)?)),
            tag::DNS_NAME => Some(Alternative::Dns(ia5(value)?)),
            tag::URI => Some(Alternative::Uri(ia5(value)?)),
            tag::IP_ADDRESS => Some(Alternative::Ip(address(value)?)),
            _ => None,
        };
        alternatives.extend(read);
        if alternatives.len() > Certificate::MAX_NAMES {
            return Some(Err(CertificateError::TooManyNames));
        }
    }
    Some(Ok(alternatives))
}

/// Reads an IA5String, which is ASCII. Some readers stop at a NUL and take `a\0.evil` for `a`; this one does
/// not, and no name has one.
fn ia5(value: &[u8]) -> Option<Box<str>> {
    let text = std::str::from_utf8(value).ok()?;
    text.bytes().all(|byte| (0x20..0x7f).contains(&byte)).then(|| text.into())
}

fn address(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        16 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    }
}

fn same_mailbox(one: &str, other: &str) -> bool {
    match (one.rsplit_once('@'), other.rsplit_once('@')) {
        (Some((mailbox, domain)), Some((other_mailbox, other_domain))) => {
            mailbox == other_mailbox && domain.eq_ignore_ascii_case(other_domain)
        }
        _ => false,
    }
}

impl Subject {
    /// Parses the name of a subject as RFC 4514 writes it, such as `CN=server,O=Example`.
    ///
    /// # Errors
    /// A [`NameError`] if it is malformed or empty.
    pub fn dn(text: &str) -> Result<Self, NameError> {
        let name = DistinguishedName::parse(text)?;
        if name.is_empty() { Err(NameError::Empty) } else { Ok(Self::Dn(name)) }
    }
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "a certificate longer than {} bytes", Certificate::MAX_LENGTH),
            Self::Malformed => f.write_str("not a certificate in DER"),
            Self::TooManyNames => write!(f, "more than {} alternative names", Certificate::MAX_NAMES),
        }
    }
}

impl std::error::Error for CertificateError {}

#[cfg(test)]
#[path = "certificate_tests.rs"]
mod tests;
