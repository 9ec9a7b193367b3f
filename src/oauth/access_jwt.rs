//! The parts of JWT access tokens (RFC 9068) that need no key: the header, the claims, and the text that is
//! signed.

use serde::Serialize;

use super::jose::SigningAlgorithm;
use super::jose::base64url;

/// The claims of a JWT access token (RFC 9068 §2.2), in the order in which they are written.
#[derive(Debug, Serialize)]
pub(crate) struct AccessClaims<'a> {
    /// The issuer.
    pub(crate) iss: &'a str,
    /// The subject. RFC 9068 §2.2: without a resource owner, it identifies the client.
    pub(crate) sub: &'a str,
    /// The audience: the upstream.
    pub(crate) aud: &'a str,
    /// The client.
    pub(crate) client_id: &'a str,
    /// The scopes. The claim is left out if there are none, because it has no empty value (RFC 9068
    /// §2.2.3.1).
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(crate) scope: &'a str,
    /// When it was signed, in seconds since 1970.
    pub(crate) iat: u64,
    /// When it expires, in seconds since 1970.
    pub(crate) exp: u64,
    /// Its identifier, which no other JWT has.
    pub(crate) jti: &'a str,
}

/// Writes the header in base64url. The type is `at+jwt`, so that a verifier cannot mistake another kind of
/// JWT for an access token (RFC 9068 §2.1).
pub(crate) fn header(algorithm: SigningAlgorithm, kid: &str) -> String {
    #[derive(Serialize)]
    struct Header<'a> {
        typ: &'a str,
        alg: &'a str,
        kid: &'a str,
    }
    encoded(&Header { typ: "at+jwt", alg: algorithm.name(), kid })
}

/// Writes the text that is signed (RFC 7515 §5.1): the header, which is already in base64url, and the claims.
pub(crate) fn signing_input(header: &str, claims: &AccessClaims<'_>) -> String {
    let claims = encoded(claims);
    let mut input = String::with_capacity(header.len() + claims.len() + SIGNATURE);
    input.push_str(header);
    input.push('.');
    input.push_str(&claims);
    input
}

/// Room for the two dots and for a signature of 64 bytes in base64url.
const SIGNATURE: usize = 2 + 86;

/// Appends a signature to the text that was signed.
pub(crate) fn with_signature(mut input: String, signature: &[u8]) -> String {
    input.push('.');
    input.push_str(&base64url::encode(signature));
    input
}

/// Encodes random bytes of an identifier, or a part of a public key.
pub(crate) fn encode(bytes: &[u8]) -> String {
    base64url::encode(bytes)
}

fn encoded(value: &impl Serialize) -> String {
    // Serialization cannot fail: these structs have string keys.
    base64url::encode(&serde_json::to_vec(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(part: &str) -> String {
        String::from_utf8(base64url::decode(part).unwrap()).unwrap()
    }

    #[test]
    fn the_text_has_the_header_and_the_claims_of_rfc_9068() {
        let claims = AccessClaims {
            iss: "https://gateway.example.com",
            sub: "a \"b\"",
            aud: "orders",
            client_id: "a \"b\"",
            scope: "read write",
            iat: 1_800_000_000,
            exp: 1_800_000_299,
            jti: &encode(&[0; 16]),
        };
        let input = signing_input(&header(SigningAlgorithm::Es256, "k1"), &claims);
        let jwt = with_signature(input, &[0; 64]);
        let parts: Vec<&str> = jwt.split('.').collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(decoded(parts[0]), r#"{"typ":"at+jwt","alg":"ES256","kid":"k1"}"#);
        assert_eq!(
            decoded(parts[1]),
            r#"{"iss":"https://gateway.example.com","sub":"a \"b\"","aud":"orders","client_id":"a \"b\"","scope":"read write","iat":1800000000,"exp":1800000299,"jti":"AAAAAAAAAAAAAAAAAAAAAA"}"#
        );
        let without = AccessClaims { scope: "", ..claims };
        let input = signing_input("h", &without);
        assert!(!decoded(&input[2..]).contains("scope"));
    }
}
