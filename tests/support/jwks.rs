//! What an upstream does with a JWT: it fetches the keys and verifies (RFC 7515, RFC 9068 §4).

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::Value;

use super::client::{get, raw};

/// The path of the key set.
pub(crate) const KEY_SET: &str = "/.well-known/jwks.json";

/// A verified JWT.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Jwt {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

/// Fetches the keys of a gateway.
#[track_caller]
pub(crate) fn fetch(gateway: SocketAddr) -> Value {
    raw(gateway, get(KEY_SET, &[])).status(200).json()
}

/// Verifies a JWT by a key set. Returns `None` if the set has no such key.
#[track_caller]
pub(crate) fn verify(jwt: &str, keys: &Value) -> Option<Jwt> {
    let (signed, signature) = jwt.rsplit_once('.').expect("a signature");
    let (header, claims) = signed.split_once('.').expect("claims");
    let [header, claims] = [header, claims].map(|part| -> Value {
        serde_json::from_slice(&decode(part)).unwrap_or_else(|error| panic!("{error}: {jwt}"))
    });
    let keys = keys["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == header["kid"])?;
    assert_eq!((&key["alg"], &key["use"]), (&header["alg"], &Value::from("sig")), "{key}");
    let member = |name: &str| decode(key[name].as_str().expect("a member"));
    let signature = decode(signature);
    match header["alg"].as_str() {
        Some("ES256") => {
            let point = [vec![4], member("x"), member("y")].concat();
            UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature)
        }
        Some("EdDSA") => UnparsedPublicKey::new(&ED25519, member("x")).verify(signed.as_bytes(), &signature),
        other => panic!("the algorithm {other:?}"),
    }
    .expect("a good signature");
    Some(Jwt { header, claims })
}

fn decode(part: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(part).expect("base64url")
}
