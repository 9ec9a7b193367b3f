//! `[scopes]`, and the lists of scopes in other tables.

use crate::config::{error::ErrorKind, model::Scope, reader::Value, suggest};
use crate::oauth::scope::Scopes;

/// The names that one table needs of the others, also of those that have errors.
pub(super) struct Names<'a> {
    pub(super) scopes: Vec<&'a str>,
    pub(super) upstreams: Vec<&'a str>,
}

/// Reads one entry of `[scopes]`.
pub(super) fn scope(name: &str, value: &Value<'_>) -> Option<Scope> {
    if name.contains(' ') {
        value.key_problem(ErrorKind::InvalidValue, "a scope name has no spaces in it (RFC 6749 §3.3)");
    } else if let Err(error) = Scopes::parse(name) {
        value.key_problem(ErrorKind::InvalidValue, format!("not a scope name: {error}"));
    }
    let description = value.string("a description of the scope, for people")?;
    Some(Scope { name: name.to_owned(), description: description.to_owned(), position: value.position() })
}

/// Reads a list of scope names, each of which must be in `[scopes]`.
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
        if !names.scopes.contains(&token) {
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
