//! `[token_service.registration]`.

use super::*;
use crate::config::{Lint, RegistrationMethod};

/// Returns a file with lines in the table, a template and lines in it, and lines in a token.
fn file(table: &str, template: &str, token: &str) -> String {
    let tokens = if token.is_empty() {
        String::new()
    } else {
        format!("[token_service.registration.tokens.ci]\n{token}")
    };
    format!(
        "[token_service.registration]\n{table}\n[token_service.registration.templates.partner]\n{template}\n{tokens}"
    )
}

const DIGEST: &str = "digest = \"sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"";

#[test]
fn registration() {
    let of = "token_service.registration";
    let key = |rest: &str| format!("{of}.{rest}");
    let token = |line: &str| file("", "", &format!("{DIGEST}\ntemplate = \"partner\"\n{line}"));
    let rules = [
        (file("endpoint = \"/oauth/v2/oauth-token\"", "", ""), 2, key("endpoint"), Duplicate, "its own"),
        (file("endpoint = \"register\"", "", ""), 2, key("endpoint"), InvalidValue, "must begin with /"),
        (file("max_clients = 0", "", ""), 2, key("max_clients"), InvalidValue, "1 to 20000"),
        (
            file("", "scopes = [\"missing\"]", ""),
            4,
            key("templates.partner.scopes[0]"),
            UnknownName,
            "[scopes]",
        ),
        (
            file("", "token_endpoint_auth_methods = [\"none\"]", ""),
            4,
            key("templates.partner.token_endpoint_auth_methods[0]"),
            InvalidValue,
            "private_key_jwt",
        ),
        (
            file("", "token_endpoint_auth_methods = []", ""),
            4,
            key("templates.partner.token_endpoint_auth_methods"),
            InvalidValue,
            "a way to authenticate",
        ),
        (
            file("", "unused_expiry = \"1s\"", ""),
            4,
            key("templates.partner.unused_expiry"),
            InvalidValue,
            "from 1m",
        ),
        (
            file("", "rate_limit = \"20/d\"", ""),
            4,
            key("templates.partner.rate_limit"),
            InvalidValue,
            "100/s",
        ),
        (token("max_uses = 0"), 8, key("tokens.ci.max_uses"), InvalidValue, "from 1"),
        (token("expires = 2026-12-01"), 8, key("tokens.ci.expires"), InvalidValue, "2026"),
        (
            file("", "", "digest = \"tgi_secret\"\ntemplate = \"partner\""),
            6,
            key("tokens.ci.digest"),
            InvalidValue,
            "tollgate registration token",
        ),
        (
            file("", "", &format!("{DIGEST}\ntemplate = \"partners\"")),
            7,
            key("tokens.ci.template"),
            UnknownName,
            "partner",
        ),
        ("[token_service.registration]\n".to_owned(), 1, of.to_owned(), MissingKey, "has no template"),
    ];
    for (text, line, key, kind, help) in &rules {
        check(&[(text, *line, key, *kind, help)]);
    }
    let error = only_error(&file("", "", "digest = \"tgi_secret\"\ntemplate = \"partner\"")).to_string();
    assert!(!error.contains("tgi_secret"), "{error}");
}

#[test]
fn a_template_has_modest_defaults_and_a_client_of_the_file_has_another_kind_of_id() {
    let config = good(&file("", "", ""));
    let registration = config.token_service.registration.unwrap();
    assert_eq!((registration.endpoint.as_str(), registration.tokens.len()), ("/oauth/v2/register", 0));
    let template = &registration.templates[0];
    assert_eq!(template.methods, [RegistrationMethod::SecretBasic]);
    assert!(template.scopes.is_empty() && !template.dpop_bound_tokens);
    let config = good("[clients.reg_AAAAAAAAAAAAAAAAAAAAAA]\nsecret = \"HASH\"\n");
    assert!(config.warnings.iter().any(|warning| warning.lint == Lint::RegisteredId));
}
