//! An `Authorization` header of any bytes: one token to the letter of RFC 6750 §2.1, or a refusal.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tollgate::fuzzing::{Scheme, presented};
use tollgate::oauth::Denial;
use tollgate::oauth::{AccessToken, TokenDigest};

/// The scheme and the `b64token`; an error where the scheme is right and the rest is not.
fn reference(value: &[u8]) -> Option<Result<(Scheme, &[u8]), ()>> {
    let mut parts = value.splitn(2, |byte| *byte == b' ');
    let scheme = match parts.next()?.to_ascii_lowercase().as_slice() {
        b"bearer" => Scheme::Bearer,
        b"dpop" => Scheme::Dpop,
        _ => return None,
    };
    // One or more spaces.
    let rest = parts.next().unwrap_or_default();
    let token = &rest[rest.iter().take_while(|byte| **byte == b' ').count()..];
    let unpadded = token.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte);
    let good = unpadded > 0 && token[..unpadded].iter().all(allowed);
    Some(if good { Ok((scheme, token)) } else { Err(()) })
}

/// Tries one input.
pub fn run(input: (&[u8], [u8; 32], u8, u8)) {
    let (bytes, random, at, byte) = input;
    for value in [bytes.to_vec(), [b"Bearer ", bytes].concat()] {
        let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
        let mut headers = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
        let taken = presented(&headers)
            .and_then(|presented| presented.check_syntax().map(|()| (presented.scheme, presented.token)));
        match (reference(value.as_bytes()), taken) {
            (Some(Ok(expected)), Ok(taken)) => assert_eq!(taken, expected),
            (Some(Err(())), Err(Denial::Malformed(_))) | (None, Err(Denial::Missing)) => {}
            (expected, taken) => panic!("{taken:?} instead of {expected:?}"),
        }
        headers.append(AUTHORIZATION, value);
        assert!(matches!(presented(&headers), Err(Denial::Malformed(_))));
    }
    // The text of a token is known by its digest, and no other text of its length but one byte is.
    let token = AccessToken::from_random(&random);
    let mut text = token.expose().as_bytes().to_vec();
    assert_eq!(TokenDigest::of_presented(&text), Some(token.digest()));
    let at = usize::from(at) % text.len();
    let changed = text[at] != byte;
    text[at] = byte;
    assert_eq!(TokenDigest::of_presented(&text).is_none(), changed);
    assert!(TokenDigest::of_presented(bytes).is_none_or(|_| bytes.len() == text.len()));
}
