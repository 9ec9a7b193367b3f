//! Header names and values.

use http::{HeaderName, HeaderValue};

use crate::config::{
    error::ErrorKind,
    model::HeaderChanges,
    reader::{Table, Value, read_all},
};

/// Headers of one connection (RFC 9110 §7.6.1), and those that frame a message.
pub(in crate::config) const CONNECTION: [&str; 11] = [
    "connection",
    "content-length",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Headers that the gateway sets itself, or that decide about routing.
pub(in crate::config) const GATEWAY: [&str; 12] = [
    "forwarded",
    "host",
    "proxy",
    "via",
    "x-client-id",
    "x-client-scope",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-original-url",
    "x-real-ip",
    "x-rewrite-url",
];

/// Reads the name of a header for credentials. `Authorization` is accepted: many legacy APIs need it.
pub(super) fn credential_name(value: &Value<'_>) -> Option<HeaderName> {
    let name = name(value)?;
    // Some servers treat `_` and `-` alike.
    let canonical = name.as_str().replace('_', "-");
    if CONNECTION.contains(&canonical.as_str()) {
        return value
            .invalid("is a header of the connection, which cannot carry credentials: use another header");
    }
    if GATEWAY.contains(&canonical.as_str()) {
        return value.invalid(
            "is a header that the gateway sets or removes itself, which cannot carry credentials: \
                use another header",
        );
    }
    Some(name)
}

/// Reads a header name.
pub(super) fn name(value: &Value<'_>) -> Option<HeaderName> {
    let text = value.string("a header name")?;
    match HeaderName::from_bytes(text.as_bytes()) {
        Ok(name) => Some(name),
        Err(_) => value.invalid("must be a header name: letters, digits and hyphens"),
    }
}

/// Returns whether a text can be the value of a header: no control characters, no spaces at its ends.
pub(super) fn fits_a_value(text: &str) -> bool {
    HeaderValue::from_str(text).is_ok() && text.trim_matches([' ', '\t']) == text
}

/// Reads `{ remove = [..], set = {..} }`.
pub(super) fn response_headers(value: &Value<'_>) -> Option<HeaderChanges> {
    changes(value, |name| {
        CONNECTION
            .contains(&name)
            .then_some("is a header of the connection, which the gateway sets itself: remove it")
    })
}

/// Reads `{ remove = [..], set = {..} }` for requests.
pub(super) fn request_headers(value: &Value<'_>) -> Option<HeaderChanges> {
    changes(value, |name| {
        // Some servers treat `_` and `-` alike.
        let name = name.replace('_', "-");
        (CONNECTION.contains(&&*name) || GATEWAY.contains(&&*name))
            .then_some("is a header that the gateway sets or removes itself: remove it from here")
    })
}

fn changes(
    value: &Value<'_>,
    refused: impl Fn(&str) -> Option<&'static str> + Copy,
) -> Option<HeaderChanges> {
    value.table("{ remove = [\"…\"], set = { \"…\" = \"…\" } }", |table| {
        let remove = table.or("remove", Vec::new(), |value| {
            value.set_of("header names", |value| {
                let name = name(value)?;
                match refused(name.as_str()) {
                    Some(message) => value.invalid(message),
                    None => Some(name),
                }
            })
        });
        let set = table.or("set", Vec::new(), |value| {
            let entries =
                value.table("a table of headers: { \"X-Frame-Options\" = \"DENY\" }", Table::take_all)?;
            read_all(entries, |key, value| set_header(key, &value, refused))
        });
        HeaderChanges { remove, set }
    })
}

fn set_header(
    key: &str,
    value: &Value<'_>,
    refused: impl Fn(&str) -> Option<&'static str>,
) -> Option<(HeaderName, HeaderValue)> {
    let refuse = |message: &str| {
        value.key_problem(ErrorKind::InvalidValue, message);
        None
    };
    let name = match HeaderName::from_bytes(key.as_bytes()) {
        Ok(name) => match refused(name.as_str()) {
            Some(message) => return refuse(message),
            None => name,
        },
        Err(_) => return refuse("must be a header name: letters, digits and hyphens"),
    };
    let text = value.string("a header value")?;
    match HeaderValue::from_str(text) {
        Ok(header) if fits_a_value(text) => Some((name, header)),
        _ => value.invalid("must be a header value: no control characters, no spaces at its ends"),
    }
}
