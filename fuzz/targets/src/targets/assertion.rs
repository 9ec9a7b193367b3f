//! A client assertion of any bytes: nothing panics, and nothing passes that was not signed.

use std::sync::LazyLock;
use tollgate::fuzzing::assertion::{self, Expect};
use tollgate::oauth::Jwks;

/// The public key of RFC 7515 appendix A.3.
static KEYS: LazyLock<Jwks> = LazyLock::new(|| {
    let key = br#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    Jwks::parse(key).unwrap()
});

/// Tries one input.
pub fn run(text: &str) {
    let client = assertion::peek_client(text);
    let expect = Expect {
        client_id: client.as_deref().unwrap_or("server"),
        audiences: &["https://localhost:8443"],
        now: 1_800_000_000,
        earliest: 0,
        max_lifetime: 600,
        max_undated_lifetime: 60,
        leeway: 30,
    };
    assert!(assertion::check(text, &KEYS, &expect).is_err());
    let _ = assertion::refuse(text);
}
