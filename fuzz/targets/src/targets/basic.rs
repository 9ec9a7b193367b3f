//! A Basic header of any bytes beside a form of any bytes: one way of client authentication, or none (RFC
//! 6749 §2.3).

use crate::readers::{form_decoded, form_encoded};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use tollgate::fuzzing::ClientAuth;
use tollgate::fuzzing::Form;
use tollgate::oauth::SecretMethod;

/// The client id and secret in a header's value (RFC 7617 §2, RFC 6749 §2.3.1).
fn reference(value: &[u8]) -> Option<(String, String)> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let pair = STANDARD.decode(rest.trim_ascii()).ok()?;
    let mut parts = pair.splitn(2, |byte| *byte == b':');
    let (id, secret) = (form_decoded(parts.next()?)?, form_decoded(parts.next()?)?);
    (!id.is_empty()).then_some((id, secret))
}

fn found(value: &HeaderValue, form: &Form<'_>) -> Option<(String, String)> {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value.clone())]);
    match ClientAuth::of(&headers, form) {
        Ok(ClientAuth::Secret { client_id, secret, method: SecretMethod::Basic }) => {
            Some((client_id, secret.expose().to_owned()))
        }
        Ok(other) => panic!("with a header, {other:?}"),
        Err(_) => None,
    }
}

/// Tries one input.
pub fn run(input: (&[u8], &str, &[u8])) {
    let (pair, text, body) = input;
    let bare = Form::default();
    // As it stands, and what is behind the encoding.
    for value in [pair.to_vec(), [b"Basic ", STANDARD.encode(pair).as_bytes()].concat()] {
        let Ok(value) = HeaderValue::from_bytes(&value) else { continue };
        let credentials = found(&value, &bare);
        assert_eq!(credentials, reference(value.as_bytes()));
        let Ok(form) = Form::parse(body) else { continue };
        let with_body = found(&value, &form);
        let another = ["client_secret", "client_assertion", "client_assertion_type"];
        if another.iter().any(|name| form.value(name).is_some()) {
            assert_eq!(with_body, None);
        } else if let (Some((id, _)), Some(named)) = (&credentials, form.value("client_id")) {
            assert_eq!(with_body.is_some(), id == named);
        } else {
            assert_eq!(with_body, credentials);
        }
    }
    // What a client encodes is what is read.
    let (id, secret) =
        text.split_at((0..=text.len() / 2).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
    let encoded = STANDARD.encode(format!("{}:{}", form_encoded(id), form_encoded(secret)));
    let expected = (!id.is_empty()).then(|| (id.to_owned(), secret.to_owned()));
    assert_eq!(found(&HeaderValue::from_str(&format!("bASIC {encoded}")).unwrap(), &bare), expected);
}
