//! A public key (RFC 7517, RFC 7518 §6, RFC 8037 §2).

use super::super::thumbprint::Thumbprint;
use super::json::{Member, Object};
use super::{Algorithm, base64url};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use serde_json::Value;
use std::fmt;
use std::ops::RangeInclusive;

/// A public key that verifies signatures.
///
/// Two values are equal if all their members are, so the same key with another `kid` is not equal. To compare
/// keys, compare [`Jwk::thumbprint`].
#[derive(Clone, PartialEq, Eq)]
pub struct Jwk {
    material: Material,
    kid: Option<Box<str>>,
    algorithm: Option<Algorithm>,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    /// The uncompressed point (SEC 1 §2.3.3): 0x04, x, y.
    P256([u8; 65]),
    Ed25519([u8; 32]),
    Rsa {
        modulus: Box<[u8]>,
        exponent: Box<[u8]>,
    },
}

/// The error for text that is not a supported public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JwkError {
    /// It is not a JSON object without repeated names.
    Malformed,
    /// It is longer than [`Jwk::MAX_LENGTH`] bytes.
    TooLong,
    /// It has this private member, so everyone who has the text could act as the client.
    Private(&'static str),
    /// `kty` is not `EC`, `OKP` or `RSA`.
    KeyType,
    /// `crv` is not `P-256` (with `EC`) or `Ed25519` (with `OKP`).
    Curve,
    /// `alg` is not in [`Algorithm::NAMES`], or does not fit the kind of key.
    Algorithm,
    /// `use` is not `sig`, or `key_ops` does not list `verify`.
    Use,
    /// This member is missing, has the wrong type, or is not the canonical base64url encoding of its value.
    Member(&'static str),
    /// The modulus does not have 2048 to 4096 bits.
    ModulusLength(usize),
    /// The public exponent is even, below 65537 or above 32 bits.
    Exponent,
}

/// Members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1, RFC 8037 §2).
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The longest `kid`, in bytes.
const MAX_KID: usize = 256;

/// The accepted lengths of an RSA modulus.
const MODULUS_BITS: RangeInclusive<usize> = 2048..=4096;
const MODULUS_BYTES: RangeInclusive<usize> = 256..=512;

/// The public keys of the examples in RFC 7515 (appendix A.3) and RFC 8037 (appendix A.2). Their private keys
/// are public, too.
const DECOY_P256: [u8; 65] = hex(b"047fcdce2770f6c45d4183cbee6fdb4b7b580733357be9ef13bacf6e3c7bd15445\
    c7f144cd1bbd9b7e872cdfedb9eeb9f4b3695d6ea90b24ad8a4623288588e5ad");
const DECOY_ED25519: [u8; 32] = hex(b"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");

impl Jwk {
    /// The longest text that [`Jwk::parse`] reads, in bytes. A key with a certificate chain in `x5c` fits.
    pub const MAX_LENGTH: usize = 16 * 1024;

    /// Parses a JWK.
    ///
    /// # Errors
    /// A [`JwkError`] if it is not a supported public key. Private keys are refused.
    pub fn parse(json: &[u8]) -> Result<Self, JwkError> {
        if json.len() > Self::MAX_LENGTH {
            return Err(JwkError::TooLong);
        }
        Self::from_object(&Object::parse(json).ok_or(JwkError::Malformed)?)
    }

    pub(super) fn from_value(value: Value) -> Result<Self, JwkError> {
        Self::from_object(&Object::from_value(value).ok_or(JwkError::Malformed)?)
    }

    fn from_object(object: &Object) -> Result<Self, JwkError> {
        if let Some(name) = PRIVATE.into_iter().find(|name| object.has(name)) {
            return Err(JwkError::Private(name));
        }
        let material = match object.string("kty").required(JwkError::Member("kty"))? {
            "EC" => p256(object)?,
            "OKP" => ed25519(object)?,
            "RSA" => rsa(object)?,
            _ => return Err(JwkError::KeyType),
        };
        check_use(object)?;
        let algorithm = match object.string("alg").optional(JwkError::Algorithm)? {
            None => None,
            Some(name) => Some(
                Algorithm::from_name(name)
                    .filter(|algorithm| material.fits(*algorithm))
                    .ok_or(JwkError::Algorithm)?,
            ),
        };
        let kid = match object.string("kid").optional(JwkError::Member("kid"))? {
            Some(kid) if kid.len() > MAX_KID => return Err(JwkError::Member("kid")),
            kid => kid.map(Box::from),
        };
        Ok(Self { material, kid, algorithm })
    }

    /// Returns the `kid`, if there is one.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// Returns the `alg`, if there is one.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.algorithm
    }

    /// Returns whether the key can verify a signature made with `algorithm`, by its type, its curve, and its
    /// `alg` if there is one (RFC 8725 §3.1).
    #[must_use]
    pub fn fits(&self, algorithm: Algorithm) -> bool {
        self.material.fits(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Returns the thumbprint (RFC 7638 §3) of the required members: `kid`, `alg` and `use` do not count.
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        // Base64url needs no escaping in JSON, and it was checked to be canonical when it was read.
        let encode = base64url::encode;
        let canonical = match &self.material {
            Material::P256(point) => {
                let (x, y) = point[1..].split_at(32);
                format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, encode(x), encode(y))
            }
            Material::Ed25519(x) => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, encode(x)),
            Material::Rsa { modulus, exponent } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, encode(exponent), encode(modulus))
            }
        };
        Thumbprint::of(canonical.as_bytes())
    }

    /// Returns whether the verification of `signature` takes the time of a computation. An RSA signature of
    /// another length than the modulus, or that is not below it, is refused at once (RFC 8017 §8.1.2,
    /// §5.2.2).
    pub(super) fn takes_time_for(&self, signature: &[u8]) -> bool {
        match &self.material {
            Material::P256(_) | Material::Ed25519(_) => true,
            Material::Rsa { modulus, .. } => signature.len() == modulus.len() && signature < &**modulus,
        }
    }

    /// Returns a key that nobody has, whose verifications take as long as those of a real key. `None` if no
    /// real key makes signatures of this length.
    pub(super) fn decoy(algorithm: Algorithm, signature_length: usize) -> Option<Self> {
        let material = match algorithm {
            Algorithm::Es256 => Material::P256(DECOY_P256),
            Algorithm::EdDsa => Material::Ed25519(DECOY_ED25519),
            Algorithm::Rs256 | Algorithm::Ps256 if MODULUS_BYTES.contains(&signature_length) => {
                Material::Rsa {
                    // The largest odd number of this length: no signature is refused at once.
                    modulus: vec![0xff; signature_length].into(),
                    exponent: Box::new([1, 0, 1]),
                }
            }
            Algorithm::Rs256 | Algorithm::Ps256 => return None,
        };
        Some(Self { material, kid: None, algorithm: None })
    }

    /// Returns whether `signature` is a signature of `message` by this key. It is not if the algorithm does
    /// not fit the key.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        if !self.fits(algorithm) {
            return false;
        }
        #[cfg(test)]
        if self.takes_time_for(signature) {
            tests::VERIFICATIONS.set(tests::VERIFICATIONS.get() + 1);
        }
        let verdict = match &self.material {
            Material::P256(point) => {
                UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point).verify(message, signature)
            }
            Material::Ed25519(x) => UnparsedPublicKey::new(&signature::ED25519, x).verify(message, signature),
            Material::Rsa { modulus, exponent } => {
                let scheme = match algorithm {
                    Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
                    _ => &signature::RSA_PKCS1_2048_8192_SHA256,
                };
                RsaPublicKeyComponents { n: modulus, e: exponent }.verify(scheme, message, signature)
            }
        };
        verdict.is_ok()
    }
}

impl Material {
    fn fits(&self, algorithm: Algorithm) -> bool {
        match algorithm {
            Algorithm::Es256 => matches!(self, Self::P256(_)),
            Algorithm::EdDsa => matches!(self, Self::Ed25519(_)),
            Algorithm::Rs256 | Algorithm::Ps256 => matches!(self, Self::Rsa { .. }),
        }
    }
}

fn p256(object: &Object) -> Result<Material, JwkError> {
    if object.string("crv") != Member::Is("P-256") {
        return Err(JwkError::Curve);
    }
    // RFC 7518 §6.2.1.2: each coordinate has the full 32 octets, including leading zeros.
    let (x, y) = (octets::<32>(object, "x")?, octets::<32>(object, "y")?);
    let mut point = [4; 65];
    point[1..33].copy_from_slice(&x);
    point[33..].copy_from_slice(&y);
    Ok(Material::P256(point))
}

fn ed25519(object: &Object) -> Result<Material, JwkError> {
    if object.string("crv") != Member::Is("Ed25519") {
        return Err(JwkError::Curve);
    }
    Ok(Material::Ed25519(octets(object, "x")?))
}

fn rsa(object: &Object) -> Result<Material, JwkError> {
    let modulus = integer(object, "n")?;
    let exponent = integer(object, "e")?;
    let bits = match modulus.first() {
        Some(first) => modulus.len() * 8 - first.leading_zeros() as usize,
        None => 0,
    };
    // Above 4096 bits, a verification is too expensive for a request from anyone.
    if !MODULUS_BITS.contains(&bits) {
        return Err(JwkError::ModulusLength(bits));
    }
    if modulus.last().is_some_and(|last| last % 2 == 0) {
        return Err(JwkError::Member("n"));
    }
    let value = exponent.iter().fold(0u64, |value, octet| value.wrapping_shl(8) | u64::from(*octet));
    if exponent.len() > 4 || value < 65_537 || value.is_multiple_of(2) {
        return Err(JwkError::Exponent);
    }
    Ok(Material::Rsa { modulus, exponent })
}

/// Decodes hexadecimal digits when the program is compiled.
const fn hex<const N: usize>(text: &[u8]) -> [u8; N] {
    const fn digit(byte: u8) -> u8 {
        match byte {
            b'0'..=b'9' => byte - b'0',
            _ => byte - b'a' + 10,
        }
    }
    assert!(text.len() == 2 * N, "two digits for each byte");
    let mut bytes = [0; N];
    let mut at = 0;
    while at < N {
        bytes[at] = digit(text[2 * at]) << 4 | digit(text[2 * at + 1]);
        at += 1;
    }
    bytes
}

/// Reads a value of fixed length.
fn octets<const N: usize>(object: &Object, name: &'static str) -> Result<[u8; N], JwkError> {
    let text = object.string(name).required(JwkError::Member(name))?;
    base64url::decode_array(text).ok_or(JwkError::Member(name))
}

/// Reads a `Base64urlUInt` (RFC 7518 §2), which has the fewest octets. Otherwise a key would have several
/// thumbprints.
fn integer(object: &Object, name: &'static str) -> Result<Box<[u8]>, JwkError> {
    let text = object.string(name).required(JwkError::Member(name))?;
    let octets = base64url::decode(text).ok_or(JwkError::Member(name))?;
    match octets.first() {
        None | Some(0) => Err(JwkError::Member(name)),
        Some(_) => Ok(octets.into_boxed_slice()),
    }
}

/// Checks the declared use of the key (RFC 7517 §4.2 and §4.3).
fn check_use(object: &Object) -> Result<(), JwkError> {
    if object.string("use").optional(JwkError::Use)?.is_some_and(|purpose| purpose != "sig") {
        return Err(JwkError::Use);
    }
    match object.value("key_ops") {
        None => Ok(()),
        Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
        Some(_) => Err(JwkError::Use),
    }
}

impl fmt::Debug for Jwk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.material {
            Material::P256(_) => "P-256",
            Material::Ed25519(_) => "Ed25519",
            Material::Rsa { .. } => "RSA",
        };
        f.debug_struct("Jwk").field("kind", &kind).field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl fmt::Display for JwkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("not a JSON object in which each name occurs once"),
            Self::TooLong => write!(f, "longer than {} bytes", Jwk::MAX_LENGTH),
            Self::Private(name) => write!(
                f,
                "a private or symmetric key (it has \"{name}\"): only the public key belongs here, and this one should be replaced"
            ),
            Self::KeyType => f.write_str("\"kty\" is not \"EC\", \"OKP\" or \"RSA\""),
            Self::Curve => f.write_str("\"crv\" is not \"P-256\" (EC) or \"Ed25519\" (OKP)"),
            Self::Algorithm => write!(
                f,
                "\"alg\" is not one that this kind of key verifies (known: {})",
                Algorithm::NAMES.join(", ")
            ),
            Self::Use => f.write_str("not meant for signatures (\"use\" or \"key_ops\")"),
            Self::Member(name) => write!(f, "\"{name}\" is missing or malformed"),
            Self::ModulusLength(bits) => {
                write!(f, "an RSA modulus of {bits} bits (2048 to 4096 are accepted)")
            }
            Self::Exponent => f.write_str("the RSA exponent is not odd and between 65537 and 32 bits"),
        }
    }
}

impl std::error::Error for JwkError {}

#[cfg(test)]
#[path = "jwk_tests.rs"]
pub(super) mod tests;
