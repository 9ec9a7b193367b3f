//! jsonwebtoken: a resource server that verifies the gateway's JWTs by its key set.

use std::env;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;

fn main() {
    let variable = |name: &str| env::var(name).unwrap_or_else(|error| panic!("{name}: {error}"));
    let (jwt, algorithm) = (variable("JWT"), variable("ALGORITHM"));
    let header = decode_header(&jwt).expect("a header");
    assert_eq!(header.typ.as_deref(), Some("at+jwt"));
    let keys: JwkSet = serde_json::from_str(&variable("KEY_SET")).expect("a key set");
    let key = keys.find(header.kid.as_deref().expect("a kid")).expect("the key is published");
    let key = DecodingKey::from_jwk(key).expect("a key");
    let algorithm: Algorithm = algorithm.parse().expect("an algorithm");
    let verified = |audience: &str| {
        let mut validation = Validation::new(algorithm);
        validation.set_audience(&[audience]);
        validation.set_issuer(&[variable("ISSUER")]);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        decode::<Value>(&jwt, &key, &validation)
    };
    let claims = verified(&variable("AUDIENCE")).expect("a good JWT").claims;
    assert_eq!((&claims["sub"], &claims["client_id"]), (&"server".into(), &"server".into()));
    assert_eq!(claims["scope"], "read");
    let refused = verified("another upstream").expect_err("another audience");
    assert_eq!(refused.kind(), &ErrorKind::InvalidAudience);
}
