//! A certificate of any bytes against a name of any text.

use tollgate::fuzzing::Certificate;
use tollgate::oauth::Subject;

/// Tries one input.
pub fn run(input: (&[u8], &str)) {
    let (der, text) = input;
    let subjects =
        [Subject::dn(text).ok(), Some(Subject::Dns(text.into())), Some(Subject::Email(text.into()))];
    if let Ok(certificate) = Certificate::parse(der) {
        for subject in subjects.iter().flatten() {
            let _ = certificate.is_of(subject);
        }
    }
}
