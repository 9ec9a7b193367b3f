//! A certificate of any bytes against a name of any text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tollgate::oauth::certificate::{Certificate, Subject};

fuzz_target!(|input: (&[u8], &str)| {
    let (der, text) = input;
    let subjects =
        [Subject::dn(text).ok(), Some(Subject::Dns(text.into())), Some(Subject::Email(text.into()))];
    if let Ok(certificate) = Certificate::parse(der) {
        for subject in subjects.iter().flatten() {
            let _ = certificate.is_of(subject);
        }
    }
});
