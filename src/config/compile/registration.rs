//! `[token_service.registration]`.

use std::num::NonZeroU32;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::authentication::instant;
use super::clients::{audience, both_scopes};
use super::scopes::Names;
use crate::config::{
    error::ErrorKind,
    model::{InitialAccessToken, Registration, RegistrationMethod, RegistrationTemplate},
    reader::{Table, Value, read_all},
    settings::registration::{
        MAX_CLIENTS, MAX_CLIENTS_OF_TEMPLATE, MAX_LISTED, MAX_PER_MINUTE, MAX_TEMPLATES, MAX_TOKENS,
        MAX_USES, UNUSED_EXPIRY,
    },
    settings::token_service::TOKEN_LIFETIME,
    suggest,
};

const METHODS: [(&str, RegistrationMethod); 3] = [
    (RegistrationMethod::SecretBasic.as_str(), RegistrationMethod::SecretBasic),
    (RegistrationMethod::SecretPost.as_str(), RegistrationMethod::SecretPost),
    (RegistrationMethod::PrivateKeyJwt.as_str(), RegistrationMethod::PrivateKeyJwt),
];

/// Reads the table. `endpoint` reads the path of the endpoint, and checks that no other endpoint has it.
pub(super) fn registration<'a>(
    value: &Value<'a>,
    names: &Names<'_>,
    endpoint: impl FnOnce(&mut Table<'a>) -> String,
) -> Option<Registration> {
    value.table("a table: [token_service.registration]", |table| {
        let endpoint = endpoint(table);
        let max_clients = table.positive(&MAX_CLIENTS);
        let max_per_minute = table.positive(&MAX_PER_MINUTE);
        let templates =
            named(table, "templates", "a table of templates: [token_service.registration.templates.NAME]");
        if templates.is_empty() {
            table.missing(
                "has no template: [token_service.registration.templates.NAME] says what clients may register",
            );
        }
        if templates.len() > MAX_TEMPLATES {
            table.problem(ErrorKind::TooMany, format!("has more than {MAX_TEMPLATES} templates"));
        }
        let known: Vec<&str> = templates.iter().map(|(name, _)| *name).collect();
        let templates = read_all(templates, |name, value| template(name, &value, names));
        let tokens = named(table, "tokens", "a table of tokens: [token_service.registration.tokens.NAME]");
        if tokens.len() > MAX_TOKENS {
            table.problem(ErrorKind::TooMany, format!("has more than {MAX_TOKENS} initial access tokens"));
        }
        let tokens = read_all(tokens, |name, value| token(name, &value, &known));
        let disabled_clients = table.or("disabled_clients", Vec::new(), |value| ids(&value));
        let removed_clients = table.or("removed_clients", Vec::new(), |value| ids(&value));
        Some(Registration {
            endpoint,
            max_clients,
            max_per_minute,
            templates: templates?,
            tokens: tokens?,
            disabled_clients,
            removed_clients,
        })
    })?
}

fn named<'a>(table: &mut Table<'a>, key: &'static str, wanted: &str) -> Vec<(&'a str, Value<'a>)> {
    table.take(key).and_then(|value| value.table(wanted, Table::take_all)).unwrap_or_default()
}

fn template(name: &str, value: &Value<'_>, names: &Names<'_>) -> Option<RegistrationTemplate> {
    check_name(name, value);
    value.table("a table: [token_service.registration.templates.NAME]", |table| {
        let (scopes, default_scopes) = both_scopes(table, names);
        let methods =
            table.or("token_endpoint_auth_methods", vec![RegistrationMethod::SecretBasic], |value| {
                let methods = value.set_of("authentication methods", |item| item.choice(&METHODS))?;
                if methods.is_empty() {
                    return value.invalid("is empty; a client needs a way to authenticate");
                }
                Some(methods)
            });
        RegistrationTemplate {
            name: name.to_owned(),
            scopes,
            default_scopes,
            token_lifetime: table.duration(&TOKEN_LIFETIME),
            methods,
            audiences: table.or("audiences", Vec::new(), |value| {
                value.set_of("audiences", |item| audience(item).map(str::to_owned))
            }),
            dpop_bound_tokens: table.flag("dpop_bound_tokens"),
            rate_limit: table.or("rate_limit", None, |value| value.rate().map(Some)),
            max_clients: table.positive(&MAX_CLIENTS_OF_TEMPLATE),
            unused_expiry: table.duration(&UNUSED_EXPIRY),
        }
    })
}

fn token(name: &str, value: &Value<'_>, templates: &[&str]) -> Option<InitialAccessToken> {
    check_name(name, value);
    value.table("a table: [token_service.registration.tokens.NAME]", |table| {
        let digest = table.need(
            "digest",
            "the SHA-256 of the token; `tollgate registration token NAME` makes a token and puts its digest \
             here",
        );
        let digest = digest.and_then(|value| digest_of(value.secret()));
        let template = table.need("template", "the name of a template");
        let template = template.and_then(|value| {
            let text = value.string("the name of a template")?;
            if templates.contains(&text) {
                return Some(text.to_owned());
            }
            let hint = suggest::hint(text, templates.iter().copied());
            value.fail(ErrorKind::UnknownName, format!("is not the name of a template{hint}"))
        });
        let expires = match table.take("expires") {
            Some(value) => instant(&value).map(Some),
            None => Some(None),
        };
        let max_uses =
            table.take(MAX_USES.name).map(|value| value.number(&MAX_USES).and_then(NonZeroU32::new));
        Some(InitialAccessToken {
            name: name.to_owned(),
            digest: digest?,
            template: template?,
            expires: expires?,
            max_uses: max_uses.map_or(Some(None), |uses| uses.map(Some))?,
        })
    })?
}

/// Reads a digest. Errors do not show the value, because it may be the token itself.
fn digest_of(value: Value<'_>) -> Option<[u8; 32]> {
    let text = value.string("the digest of a token: \"sha256:…\"")?;
    let digest = text.strip_prefix("sha256:").and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    digest.and_then(|digest| digest.try_into().ok()).map_or_else(
        || {
            value.invalid(
                "must be \"sha256:\" and the SHA-256 of the token in base64url; `tollgate registration token \
                 NAME` makes both. The token itself must not be in the file",
            )
        },
        Some,
    )
}

fn ids(value: &Value<'_>) -> Option<Vec<String>> {
    let ids = value.set_of("client ids", |item| item.text("a client id", 255).map(str::to_owned))?;
    if ids.len() > MAX_LISTED {
        return value.fail(ErrorKind::TooMany, format!("has more than {MAX_LISTED} client ids"));
    }
    Some(ids)
}

fn check_name(name: &str, value: &Value<'_>) {
    if !Registration::is_name(name) {
        value.key_problem(
            ErrorKind::InvalidValue,
            "a name here is 1 to 64 letters, digits, dots, hyphens and underscores",
        );
    }
}
