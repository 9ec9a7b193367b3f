//! `[scopes]`, and the lists of scopes in other tables.

use crate::config::{
    error::ErrorKind,
    model::Scope,
    reader::Value,
    settings::admin::{READ_SCOPE, RESERVED_SCOPES, WRITE_SCOPE},
    suggest,
};
use crate::oauth::scope::Scopes;

/// The names that one table needs of the others, also of those that have errors.
pub(super) struct Names<'a> {
    pub(super) scopes: Vec<&'a str>,
    pub(super) upstreams: Vec<&'a str>,
}

impl Names<'_> {
    /// Returns whether a client can have this scope.
    fn has_scope(&self, token: &str) -> bool {
        self.scopes.contains(&token) || matches!(token, READ_SCOPE | WRITE_SCOPE)
    }
}

/// Reads one entry of `[scopes]`.
pub(super) fn scope(name: &str, value: &Value<'_>) -> Option<Scope> {
    if name.contains(' ') {
        value.key_problem(ErrorKind::InvalidValue, "a scope name has no spaces in it (RFC 6749 §3.3)");
    } else if let Err(error) = Scopes::parse(name) {
        value.key_problem(ErrorKind::InvalidValue, format!("not a scope name: {error}"));
    } else if name.starts_with(RESERVED_SCOPES) {
        value.key_problem(
            ErrorKind::Conflict,
            format!(
                "names that begin with {RESERVED_SCOPES:?} are the gateway's own: {READ_SCOPE:?} and {WRITE_SCOPE:?} are \
                 always defined"
            ),
        );
    }
    let description = value.string("a description of the scope, for people")?;
    Some(Scope { name: name.to_owned(), description: description.to_owned(), position: value.position() })
}

/// Reads the scopes that a route needs. The gateway's own scopes are for its API alone.
pub(super) fn scopes_of_route(value: &Value<'_>, names: &Names<'_>) -> Option<Scopes> {
    let scopes = scopes(value, names)?;
    if let Some(reserved) = scopes.iter().find(|scope| scope.starts_with(RESERVED_SCOPES)) {
        return value.fail(
            ErrorKind::Conflict,
            format!(
                "names {reserved:?}, which opens the gateway's own API and no route: use a scope of [scopes]"
            ),
        );
    }
    Some(scopes)
}

/// Reads a list of scope names, each of which must be in `[scopes]` or one of the gateway's own.
pub(super) fn scopes(value: &Value<'_>, names: &Names<'_>) -> Option<Scopes> {
    let tokens = value.set_of("scope names", |item| {
        let token = item.string("a scope name")?;
        if token.contains(' ') {
            return item
                .invalid("is several scopes in one string; write each in its own: [\"read\", \"write\"]");
        }
        if let Err(error) = Scopes::parse(token) {
            return item.invalid(error.to_string());
        }
        if !names.has_scope(token) {
            let hint = suggest::hint(token, names.scopes.iter().copied());
            return item.fail(
                ErrorKind::UnknownName,
                format!("is not in [scopes]: add it there, or remove it here{hint}"),
            );
        }
        Some(token)
    })?;
    Scopes::from_tokens(tokens).ok()
}
