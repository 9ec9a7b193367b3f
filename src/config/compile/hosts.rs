//! `host` of a route.

use crate::config::{address::Host, error::ErrorKind, model::HostPattern, reader::Value};

const WANTED: &str =
    "a host such as \"api.example.com\", or \"*.example.com\" for all names below it: no scheme, no port";

/// Reads a host, or a list of hosts.
pub(super) fn hosts(value: &Value<'_>) -> Option<Vec<HostPattern>> {
    if value.inner().as_array().is_none() {
        return host(value).map(|host| vec![host]);
    }
    let mut seen: Vec<HostPattern> = Vec::new();
    let hosts = value.each("hosts", |item| {
        let host = host(&item)?;
        if seen.contains(&host) {
            return item.fail(ErrorKind::Duplicate, "is in this list twice; remove one");
        }
        seen.push(host.clone());
        Some(host)
    })?;
    if hosts.is_empty() {
        return value.invalid("is empty, so no request would match: leave it out for any host");
    }
    Some(hosts)
}

fn host(value: &Value<'_>) -> Option<HostPattern> {
    let text = value.string(WANTED)?;
    let pattern = match text.strip_prefix("*.") {
        Some(name) => match Host::parse(name) {
            Some(Host::Name(name)) => Some(HostPattern::Below(name)),
            Some(Host::Address(_)) | None => None,
        },
        None => Host::parse(text).map(HostPattern::Exact),
    };
    pattern.or_else(|| value.invalid(format!("must be {WANTED}")))
}
