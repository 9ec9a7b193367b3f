//! Issues the certificate of an order.

use super::State;
use crate::support::certificates::Authority;
use rcgen::{PublicKeyData, SerialNumber, SignatureAlgorithm};
use std::time::{Duration, SystemTime};

/// The public key of a certificate request.
struct Key(Vec<u8>);

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// Returns the chain for a domain and a public key, in PEM.
pub(super) fn chain(state: &State, issuer: &Authority, domain: &str, key: Vec<u8>) -> String {
    let mut params = rcgen::CertificateParams::new([domain.to_owned()]).expect("a DNS name");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.use_authority_key_identifier_extension = true;
    let serial = u64::try_from(state.orders.len()).expect("few orders") + 0x1000;
    params.serial_number = Some(SerialNumber::from(serial));
    // Certificates have whole seconds.
    let now = SystemTime::now();
    let since = now.duration_since(SystemTime::UNIX_EPOCH).expect("a clock").subsec_nanos();
    let now = now - Duration::from_nanos(since.into());
    params.not_before = now.into();
    params.not_after = (now + state.lifetime).into();
    format!("{}{}", issuer.certify(&params, &Key(key)), issuer.pem)
}
