//! `[clients.…]`.

use std::time::Duration;

use super::{
    authentication,
    scopes::{Names, scopes},
};
use crate::{
    config::{
        error::ErrorKind,
        model::Client,
        reader::{Table, Value},
        settings::{clients::TOKEN_GENERATION, token_service::TOKEN_LIFETIME},
        warning::Lint,
    },
    oauth::{
        client::{Capabilities, ClientId},
        scope::Scopes,
    },
};

/// What clients need from other tables.
pub(super) struct Defaults {
    /// The lifetime of the token service.
    pub(super) token_lifetime: Duration,
    /// Whether `[server.tls]` has authorities for client certificates.
    pub(super) asks_for_certificates: bool,
}

#[derive(Clone, Copy)]
enum Capability {
    ClientCredentials,
    Introspection,
}

pub(super) fn client(id: &str, value: Value<'_>, names: &Names<'_>, defaults: &Defaults) -> Option<Client> {
    let client_id = client_id(id, &value);
    // In `clients.name = "…"`, the text may be the secret.
    let value = if value.inner().is_table() { value } else { value.secret() };
    let position = value.position();
    value.table("a table: [clients.NAME]", |table| {
        let authentication = authentication::authentication(table, id, defaults.asks_for_certificates);
        let (scopes, default_scopes) = both_scopes(table, names);
        Some(Client {
            id: client_id?,
            enabled: table.or("enabled", true, |value| value.boolean()),
            capabilities: table.or("capabilities", Capabilities::default(), |value| capabilities(&value)),
            scopes,
            default_scopes,
            token_lifetime: table.or(TOKEN_LIFETIME.bounds.name, defaults.token_lifetime, |value| {
                value.duration(&TOKEN_LIFETIME.bounds)
            }),
            rate_limit: table.or("rate_limit", None, |value| value.rate().map(Some)),
            certificate_bound_tokens: table.flag("certificate_bound_tokens"),
            dpop_bound_tokens: table.flag("dpop_bound_tokens"),
            token_generation: table
                .or(TOKEN_GENERATION.name, TOKEN_GENERATION.least, |value| value.counter(&TOKEN_GENERATION)),
            audiences: table.or("audiences", Vec::new(), |value| {
                value.set_of("audiences", |item| audience(item).map(str::to_owned))
            }),
            authentication: authentication?,
            position,
        })
    })?
}

fn client_id(text: &str, value: &Value<'_>) -> Option<ClientId> {
    let id = ClientId::new(text).filter(|_| text.len() <= 255);
    if id.is_none() {
        value.key_problem(
            ErrorKind::InvalidValue,
            "a client id is 1 to 255 visible ASCII characters, with spaces only inside",
        );
    }
    // As the registration endpoint makes them.
    if text.len() == 26 && text.starts_with("reg_") {
        value.warn(
            Lint::RegisteredId,
            "has the form of an id that the registration endpoint makes, and hides a registered client with the same id: \
             choose another",
        );
    }
    id
}

fn capabilities(value: &Value<'_>) -> Option<Capabilities> {
    let listed = value.set_of("capabilities", |item| {
        item.choice(&[
            ("client_credentials", Capability::ClientCredentials),
            ("introspection", Capability::Introspection),
        ])
    })?;
    let mut capabilities = Capabilities::default();
    for capability in listed {
        match capability {
            Capability::ClientCredentials => capabilities.client_credentials = true,
            Capability::Introspection => capabilities.introspection = true,
        }
    }
    Some(capabilities)
}

/// Reads the client's scopes and its default scopes.
pub(super) fn both_scopes(table: &mut Table<'_>, names: &Names<'_>) -> (Scopes, Scopes) {
    let own = table.take("scopes");
    // As written, so that a bad scope is not reported twice.
    let written: Vec<&str> = own
        .as_ref()
        .filter(|value| value.inner().as_array().is_some())
        .and_then(|value| value.list("scope names"))
        .map(|items| items.iter().filter_map(Value::peek).collect())
        .unwrap_or_default();
    let own = own.and_then(|value| scopes(&value, names)).unwrap_or_default();
    let default = table.or("default_scopes", Scopes::none(), |value| {
        let tokens = value.set_of("scope names", |item| {
            let token = item.string("a scope name")?;
            if written.contains(&token) {
                return Some(token);
            }
            item.fail(
                ErrorKind::Conflict,
                "is not one of the client's own `scopes`; add it there or remove it here",
            )
        })?;
        // Errors of the grammar were reported at `scopes`.
        Some(Scopes::from_tokens(tokens).unwrap_or_default())
    });
    (own, default)
}

/// Reads an audience: a resource (RFC 8707) or any other name.
pub(super) fn audience<'a>(value: &Value<'a>) -> Option<&'a str> {
    let text = value.text("an audience, such as \"https://api.example.com\"", 1024)?;
    if text.contains('#') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return value.invalid("must be visible ASCII without spaces and without a fragment (RFC 8707 §2)");
    }
    Some(text)
}
