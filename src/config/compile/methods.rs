//! Lists of methods.

use http::Method;

use crate::config::{model::Methods, reader::Value, suggest, warning::Lint};

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
            Ok(method) => {
                warn_if_unknown(item, text);
                Some(method)
            }
            Err(_) => item.invalid("must be a method, such as \"GET\" (RFC 9110 §9.1)"),
        }
    })?;
    if methods.is_empty() {
        return value.invalid("is empty, so the route would match nothing: leave it out for all methods");
    }
    Some(Methods::Only(methods))
}

/// The methods of the IANA registry (without TRACE, CONNECT and PRI), and those of well-known servers.
const KNOWN: [&str; 46] = [
    "ACL",
    "BAN",
    "BASELINE-CONTROL",
    "BIND",
    "CHECKIN",
    "CHECKOUT",
    "COPY",
    "DELETE",
    "GET",
    "HEAD",
    "LABEL",
    "LINK",
    "LOCK",
    "M-SEARCH",
    "MERGE",
    "MKACTIVITY",
    "MKCALENDAR",
    "MKCOL",
    "MKREDIRECTREF",
    "MKWORKSPACE",
    "MOVE",
    "NOTIFY",
    "OPTIONS",
    "ORDERPATCH",
    "PATCH",
    "POST",
    "PROPFIND",
    "PROPPATCH",
    "PURGE",
    "PUT",
    "QUERY",
    "REBIND",
    "REFRESH",
    "REPORT",
    "RPC_IN_DATA",
    "RPC_OUT_DATA",
    "SEARCH",
    "SUBSCRIBE",
    "UNBIND",
    "UNCHECKOUT",
    "UNLINK",
    "UNLOCK",
    "UNSUBSCRIBE",
    "UPDATE",
    "UPDATEREDIRECTREF",
    "VERSION-CONTROL",
];

/// Warns about a method that requests will not have.
fn warn_if_unknown(item: &Value<'_>, text: &str) {
    if KNOWN.contains(&text) {
        return;
    }
    if matches!(text, "*" | "ANY" | "ALL") {
        item.warn(
            Lint::UnknownMethod,
            "matches requests whose method is literally this word: for every method, leave `methods` out",
        );
        return;
    }
    let hint = suggest::hint(text, KNOWN);
    item.warn(
        Lint::UnknownMethod,
        format!("is not a known HTTP method{hint}; methods are matched letter by letter"),
    );
}
