//! `[server.tls.acme]`.

use super::super::{good, only_error};
use crate::config::{Config, ErrorKind, Lint};

const ACME: &str = "[server.tls.acme]\nagree_to_terms = true\n";

fn domains(config: &Config) -> Vec<String> {
    config.server.tls.certificate.acme().expect("acme").domains.clone()
}

#[test]
fn what_no_authority_accepts_is_refused() {
    for (lines, kind, message) in [
        ("", ErrorKind::MissingKey, "agree_to_terms"),
        ("agree_to_terms = false", ErrorKind::InvalidValue, "terms of service"),
        ("agree_to_terms = true\ndomains = []", ErrorKind::InvalidValue, "leave it out"),
        ("agree_to_terms = true\ndomains = [\"*.a.test\"]", ErrorKind::InvalidValue, "wildcard"),
        ("agree_to_terms = true\ndomains = [\"192.0.2.1\"]", ErrorKind::InvalidValue, "is an address"),
        ("agree_to_terms = true\ndomains = [\"[::1]\"]", ErrorKind::InvalidValue, "is an address"),
        ("agree_to_terms = true\ndomains = [\"a_b.test\"]", ErrorKind::InvalidValue, "DNS name"),
        ("agree_to_terms = true\ndomains = [\"a.test\", \"a.test\"]", ErrorKind::Duplicate, "twice"),
        (
            "agree_to_terms = true\ndomains = [\"a.test\"]\ndirectory = \"http://ca.test/dir\"",
            ErrorKind::InvalidValue,
            "must be https://",
        ),
        (
            "agree_to_terms = true\ndomains = [\"a.test\"]\ncontact = [\"mailto:nobody\"]",
            ErrorKind::InvalidValue,
            "mailto:operators@example.com",
        ),
        (
            "agree_to_terms = true\ndomains = [\"a.test\"]\nexternal_account = { kid = \"1\", hmac_secret = \"!\" }",
            ErrorKind::InvalidValue,
            "base64url",
        ),
    ] {
        let error = only_error(&format!("[server.tls.acme]\n{lines}\n"));
        assert!(error.kind == kind && error.message.contains(message), "{lines}\n{error}");
        assert!(error.key.starts_with("server.tls.acme") && error.position.is_some(), "{lines}\n{error}");
        assert!(!error.to_string().contains("\"!\""), "a secret is shown: {error}");
    }
}

#[test]
fn domains_come_from_the_issuer_and_the_routes_unless_they_are_named() {
    let routes = "[token_service]\nissuer = \"https://Login.a.test/x\"\n[upstreams.a]\nservers = [\"http://127.0.0.1:1\"]\n\
        [[routes]]\npath = \"/\"\nupstream = \"a\"\nhost = [\"api.a.test\", \"*.b.test\", \"192.0.2.1\", \"localhost\"]\n\
        [[routes]]\npath = \"/x\"\nupstream = \"a\"\nhost = \"api.a.test\"\n";
    assert_eq!(domains(&good(&format!("{ACME}{routes}"))), ["login.a.test", "api.a.test"]);
    let named = good(&format!("{ACME}domains = [\"C.test\", \"c.test\"]\n{routes}"));
    assert_eq!(domains(&named), ["c.test"]);
    let error = only_error(ACME);
    assert!(error.kind == ErrorKind::MissingKey && error.message.contains("Set `domains`"), "{error}");
    assert_eq!((&*error.key, error.position.unwrap().line), ("server.tls.acme", 1));
}

#[test]
fn a_directory_without_tls_is_warned_about() {
    let config = good(&format!("{ACME}domains = [\"a.test\"]\ndirectory = \"http://127.0.0.1:14000/dir\"\n"));
    assert_eq!(config.warnings.iter().map(|warning| warning.lint).collect::<Vec<_>>(), [Lint::PlainHttp]);
}
