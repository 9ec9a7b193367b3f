//! The DER that the authority reads: a certificate request and the certificate of a challenge.

use crate::support::any_certificate::{P256, public_key_info};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

/// Returns the first element with its head, its contents, and the rest.
fn element(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (head, length) = match *bytes.get(1)? {
        short @ 0..=0x7f => (2, usize::from(short)),
        0x81 => (3, usize::from(*bytes.get(2)?)),
        0x82 => (4, usize::from(*bytes.get(2)?) << 8 | usize::from(*bytes.get(3)?)),
        _ => return None,
    };
    let (whole, rest) = bytes.split_at_checked(head + length)?;
    Some((whole, &whole[head..], rest))
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Returns a subjectAltName with one DNS name (RFC 5280 §4.2.1.6).
fn only_name(domain: &str) -> Vec<u8> {
    let length = u8::try_from(domain.len()).expect("a short name");
    [&[0x04, length + 4, 0x30, length + 2, 0x82, length][..], domain.as_bytes()].concat()
}

/// Verifies a certificate request (PKCS #10) for a domain, and returns the public key.
pub(super) fn request(der: &[u8], domain: &str) -> Option<Vec<u8>> {
    let (_, outer, _) = element(der)?;
    let (signed, _, rest) = element(outer)?;
    let (_, _, rest) = element(rest)?;
    let (_, signature, _) = element(rest)?;
    let key = public_key_info(signed)?.get(P256.len()..)?;
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key).verify(signed, signature.get(1..)?).ok()?;
    has(signed, &only_name(domain)).then(|| key.to_vec())
}

/// Verifies the certificate of a challenge: its only name is this one, and a critical acmeIdentifier
/// extension has the digest (RFC 8737 §3).
pub(super) fn challenge(der: &[u8], domain: &str, digest: &[u8]) -> Result<(), &'static str> {
    // 1.3.6.1.5.5.7.1.31, TRUE, an OCTET STRING with an OCTET STRING of 32 bytes.
    let head = [0x06, 8, 0x2b, 6, 1, 5, 5, 7, 1, 31, 1, 1, 0xff, 0x04, 34, 0x04, 32];
    if !has(der, &head) {
        return Err("the certificate has no critical acmeIdentifier extension");
    }
    if !has(der, &[&head[..], digest].concat()) {
        return Err("the acmeIdentifier extension has another digest");
    }
    if has(der, &only_name(domain)) { Ok(()) } else { Err("the certificate has another name") }
}
