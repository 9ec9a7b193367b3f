//! Lists of methods.

use http::Method;

use crate::config::{model::Methods, reader::Value};

/// Reads a list of at least one method.
pub(super) fn methods(value: &Value<'_>) -> Option<Methods> {
    let methods = value.set_of("methods, such as \"GET\"", |item| {
        let text = item.string("a method, such as \"GET\"")?;
        if text.eq_ignore_ascii_case("TRACE") || text.eq_ignore_ascii_case("CONNECT") {
            return item.invalid("is refused on every route (405); remove it");
        }
        let upper = text.to_ascii_uppercase();
        match Method::from_bytes(text.as_bytes()) {
            Ok(_) if upper != text => item.invalid(format!("must be {upper:?}: methods are case-sensitive")),
            Ok(method) => Some(method),
            Err(_) => item.invalid("must be a method, such as \"GET\" (RFC 9110 §9.1)"),
        }
    })?;
    if methods.is_empty() {
        return value.invalid("is empty, so the route would match nothing: leave it out for all methods");
    }
    Some(Methods::Only(methods))
}
