//! The `Authorization` header of a protected request (RFC 6750 §2.1).

#[cfg(any(test, feature = "remote", feature = "gateway"))]
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

use super::denial::Denial;

/// The authentication scheme of an access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    Bearer,
    /// `Authorization: DPoP …` (RFC 9449 §7.1).
    Dpop,
}

/// A token as it was presented.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Presented<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// Everything after the scheme and the spaces that follow it. See [`Presented::check_syntax`].
    pub token: &'a [u8],
}

impl Presented<'_> {
    /// Checks that the token is a single `b64token`. Every issued token is one, so a caller that has found
    /// the token in its store can skip the check.
    ///
    /// # Errors
    /// [`Denial::Malformed`] for a token that RFC 6750 §2.1 does not allow.
    pub fn check_syntax(&self) -> Result<(), Denial> {
        if is_b64token(self.token) {
            Ok(())
        } else {
            Err(Denial::Malformed("after the scheme come a space and one token, nothing else"))
        }
    }

    /// Returns the denial for a token that was not found.
    #[cold]
    pub(crate) fn unknown(&self) -> Denial {
        self.check_syntax().err().unwrap_or(Denial::InvalidToken)
    }
}

/// Returns the only credential of a request.
///
/// # Errors
/// [`Denial::Missing`] without an `Authorization` header or with another scheme, [`Denial::Malformed`] for a
/// second header.
#[cfg(any(test, feature = "remote", feature = "gateway"))]
#[inline]
pub fn presented(headers: &HeaderMap) -> Result<Presented<'_>, Denial> {
    only(headers.get_all(AUTHORIZATION).iter().map(HeaderValue::as_bytes))
}

/// Returns the only credential among these values of `Authorization`: see [`presented`].
#[inline]
pub(crate) fn only<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<Presented<'a>, Denial> {
    match (values.next(), values.next()) {
        (None, _) => Err(Denial::Missing),
        (Some(value), None) => parse(value),
        (Some(_), Some(_)) => Err(Denial::Malformed("more than one Authorization header")),
    }
}

#[inline]
fn parse(bytes: &[u8]) -> Result<Presented<'_>, Denial> {
    // How nearly everybody spells it. More spaces are skipped below.
    if let Some(token) = bytes.strip_prefix(b"Bearer ")
        && token.first() != Some(&b' ')
    {
        return Ok(Presented { scheme: Scheme::Bearer, token });
    }
    let (scheme, token) = match bytes.iter().position(|byte| *byte == b' ') {
        // RFC 9110 §11.4: one or more spaces.
        Some(space) => {
            let mut token = &bytes[space + 1..];
            while let [b' ', rest @ ..] = token {
                token = rest;
            }
            (&bytes[..space], token)
        }
        None => (bytes, &[][..]),
    };
    // RFC 9110 §11.1: the scheme is compared without regard to case.
    let scheme = if scheme.eq_ignore_ascii_case(b"bearer") {
        Scheme::Bearer
    } else if scheme.eq_ignore_ascii_case(b"dpop") {
        Scheme::Dpop
    } else {
        return Err(Denial::Missing);
    };
    Ok(Presented { scheme, token })
}

/// Returns whether an `Authorization` header has a token of this crate's form after its scheme, whatever the
/// scheme.
#[cfg(any(feature = "gateway", feature = "pingora"))]
pub(crate) fn carries_issued_token(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let scheme = value.iter().position(u8::is_ascii_whitespace).unwrap_or(0);
    let credentials = value.get(scheme..).unwrap_or_default().trim_ascii_start();
    credentials.starts_with(super::token::PREFIX.as_bytes())
}

/// `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="` (RFC 6750 §2.1).
fn is_b64token(token: &[u8]) -> bool {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let body = &token[..token.len() - padding];
    let allowed = |byte: &u8| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+' | b'/');
    !body.is_empty() && body.iter().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn headers(values: &[&[u8]]) -> HeaderMap {
        values.iter().map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value).unwrap())).collect()
    }

    #[test]
    fn table() {
        let missing = Err(Denial::Missing);
        let token = |scheme| Ok((scheme, "abc"));
        type Verdict = Result<(Scheme, &'static str), Denial>;
        let cases: Vec<(&[&[u8]], Option<Verdict>)> = vec![
            (&[], Some(missing.clone())),
            (&[b"Bearer abc"], Some(token(Scheme::Bearer))),
            (&[b"bEARER abc"], Some(token(Scheme::Bearer))),
            (&[b"DPoP abc"], Some(token(Scheme::Dpop))),
            (&[b"Basic abc"], Some(missing.clone())),
            (&[b"Bearerabc"], Some(missing.clone())),
            (&[b""], Some(missing.clone())),
            (&[b"Bearer\tabc"], Some(missing)),
            // `None` means malformed.
            (&[b"Bearer"], None),
            (&[b"Bearer "], None),
            (&[b"Bearer abc "], None),
            (&[b"Bearer abc def"], None),
            (&[b"Bearer abc,Bearer def"], None),
            (&[b"Bearer a=b"], None),
            (&[b"Bearer ="], None),
            (&[b"Bearer \"abc\""], None),
            (&[b"Bearer abc\xff"], None),
            (&[b"Bearer abc", b"Bearer abc"], None),
            (&[b"Basic eA==", b"Bearer abc"], None),
        ];
        for (values, expected) in cases {
            let headers = headers(values);
            let checked = |p: Presented<'_>| p.check_syntax().map(|()| (p.scheme, p.token.to_vec()));
            let got = presented(&headers).and_then(checked);
            match expected {
                Some(expected) => {
                    let expected = expected.map(|(scheme, token)| (scheme, token.as_bytes().to_vec()));
                    assert_eq!(got, expected, "{values:?}");
                }
                None => assert!(matches!(got, Err(Denial::Malformed(_))), "{values:?}: {got:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn every_b64token_is_accepted(token in "[A-Za-z0-9._~+/-]{1,60}={0,3}") {
            let headers = headers(&[format!("Bearer {token}").as_bytes()]);
            let presented = presented(&headers).unwrap();
            prop_assert_eq!(presented.token, token.as_bytes());
            prop_assert_eq!(presented.check_syntax(), Ok(()));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(prop_oneof![0x20_u8..0x7f, 0x80_u8..], 0..80)) {
            let _ = presented(&headers(&[&bytes])).map(|presented| presented.check_syntax());
        }
    }
}
