//! A form of any bytes: read as RFC 6749 §3.2 and appendix B say, or refused, and never otherwise.

use crate::readers::{form_decoded, form_encoded};
use tollgate::fuzzing::{Form, decode};

/// The parameters in their order.
fn reference(bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let mut parameters: Vec<(String, String)> = Vec::new();
    for pair in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let mut part = || form_decoded(parts.next().unwrap_or_default());
        let (name, value) = (part()?, part()?);
        if parameters.iter().any(|(known, _)| *known == name) {
            return None;
        }
        parameters.push((name, value));
    }
    (parameters.len() <= 64).then_some(parameters)
}

#[track_caller]
fn holds(form: &Form<'_>, parameters: &[(String, String)]) {
    assert!(form.names().eq(parameters.iter().map(|(name, _)| name)));
    for (name, value) in parameters {
        assert_eq!(form.value(name), Some(&**value).filter(|value| !value.is_empty()));
    }
}

/// Tries one input.
pub fn run(bytes: &[u8]) {
    assert_eq!(decode(bytes).ok().as_deref(), form_decoded(bytes).as_deref());
    let parameters = reference(bytes);
    let form = Form::parse(bytes);
    assert_eq!(form.is_ok(), parameters.is_some());
    if let (Ok(form), Some(parameters)) = (form, parameters) {
        holds(&form, &parameters);
        let encoded =
            |(name, value): &(String, String)| format!("{}={}", form_encoded(name), form_encoded(value));
        let again = parameters.iter().map(encoded).collect::<Vec<_>>().join("&");
        holds(&Form::parse(again.as_bytes()).unwrap(), &parameters);
    }
}
