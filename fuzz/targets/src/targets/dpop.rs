//! A DPoP proof of any bytes, in a header of any bytes.

use http::{HeaderMap, HeaderValue};
use tollgate::fuzzing::dpop::{self, BoundToken, Expect};
use tollgate::oauth::PublicOrigin;
use tollgate::oauth::Thumbprint;

/// Tries one input.
pub fn run(input: (&[u8], &str)) {
    let (proof, url) = input;
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_bytes(proof) {
        headers.insert(dpop::HEADER, value);
    }
    let Ok(Some(proof)) = dpop::from_headers(&headers) else { return };
    let origin = PublicOrigin::of_url(url);
    let origins = origin.clone().into_iter().collect();
    let at_token_endpoint = Expect {
        method: "POST",
        origins: &origins,
        requested: origin.as_ref(),
        path: url.splitn(4, '/').nth(3).unwrap_or_default(),
        now: 1_562_262_616,
        earliest: 0,
        max_age: 60,
        max_ahead: 5,
        token: None,
    };
    let _ = dpop::check(proof, &at_token_endpoint);
    // Nobody has a key of this thumbprint.
    let token = Some(BoundToken { access_token: "tg_x", key: Thumbprint::from_bytes([0; 32]) });
    assert!(dpop::check(proof, &Expect { token, ..at_token_endpoint }).is_err());
}
