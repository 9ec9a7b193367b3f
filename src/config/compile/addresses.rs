//! Address ranges and URLs that many tables share.

use crate::config::{
    address::{AddressRange, Origin, Scheme},
    reader::Value,
    warning::Lint,
};

/// Reads a list of address ranges.
pub(super) fn address_ranges(value: &Value<'_>) -> Option<Vec<AddressRange>> {
    value.set_of("address ranges such as \"10.0.0.0/8\"", |item| {
        let text = item.string("a range of addresses such as \"10.0.0.0/8\"")?;
        let range = AddressRange::parse(text).map_or_else(|error| item.invalid(error.to_string()), Some)?;
        if let Some(instead) = range.as_ipv4_mapped() {
            item.warn(
                Lint::UnmatchableNetwork,
                format!(
                    "matches nobody: a client's IPv4 address is compared as IPv4, never as ::ffff:…; write \
                     \"{instead}\""
                ),
            );
        }
        Some(range)
    })
}

/// Reads a URL that is an identifier or names a document: `https`, or `http` on loopback; without a fragment.
pub(super) fn secure_url<'a>(value: &Value<'a>, what: &str, query_allowed: bool) -> Option<&'a str> {
    let text = value.string(format_args!("{what}, such as \"https://gateway.example.com\""))?;
    let (origin, rest) = match Origin::parse_with_rest(text) {
        Ok(parts) => parts,
        Err(error) => return value.invalid(format!("{error}: it must be {what}")),
    };
    if origin.scheme == Scheme::Http && !origin.host.is_loopback() {
        return value
            .invalid(format!("must be https:// (http:// is accepted on loopback only): it is {what}"));
    }
    if rest.contains('#') || (!query_allowed && rest.contains('?')) {
        let unwanted = if query_allowed { "fragment" } else { "query and no fragment (RFC 8414 §2)" };
        return value.invalid(format!("must have no {unwanted}: it is {what}"));
    }
    if origin.port == 0 {
        return value.invalid("must not have port 0");
    }
    Some(text)
}
