//! Keys of a route and of an upstream that say how requests go upstream.

use http::{HeaderName, header};

use super::headers;
use crate::{
    config::{
        address::Origin,
        error::ErrorKind,
        model::{IdentityHeader, IdentityHeaders, UpstreamHost},
        reader::{Table, Value},
    },
    route::{
        marks::Marks,
        pattern::{Pattern, PatternError},
        template::Template,
    },
};

/// Reads what follows the host and port in the URL of a server: nothing, or a path.
pub(super) fn base_path(value: &Value<'_>, rest: &str) -> Option<String> {
    if rest.is_empty() || rest == "/" {
        return Some(String::new());
    }
    let parsed = Pattern::prefix(rest).and_then(|pattern| {
        pattern.check_allowed(Marks::NONE)?;
        if pattern.has_names() { Err(PatternError::Brace) } else { Ok(()) }
    });
    match parsed {
        Ok(()) => Some(rest.to_owned()),
        Err(PatternError::TrailingSlash(_)) => value.invalid(format!(
            "ends with a slash: write {:?}",
            value.inner().as_str().unwrap_or_default().trim_end_matches('/')
        )),
        Err(error) => value.invalid(format!("has a path that is not one for every server: it {error}")),
    }
}

/// Reads `host`.
pub(super) fn host(value: &Value<'_>) -> Option<UpstreamHost> {
    const WANTED: &str = "\"preserve\", \"upstream\", or a host such as \"orders.internal\"";
    match value.string(WANTED)? {
        "preserve" => Some(UpstreamHost::Preserve),
        "upstream" => Some(UpstreamHost::Upstream),
        name => match Origin::parse(&format!("http://{name}")) {
            Ok(origin) if origin.port != 0 => Some(UpstreamHost::Name(name.to_ascii_lowercase())),
            _ => value.invalid(format!("must be {WANTED}, with a port if it needs one")),
        },
    }
}

/// Reads `upstream_path`. `own` is the path of the route, if that is good.
pub(super) fn upstream_path(value: &Value<'_>, own: Option<&Pattern>) -> Option<Template> {
    let text = value.string("a path such as \"/registered/{id}\"")?;
    let template = Template::parse(own?, text).map_err(|error| error.to_string());
    let allowed = if own?.is_prefix() { Pattern::prefix(text) } else { Pattern::path(text) }
        .and_then(|pattern| pattern.check_allowed(Marks::NONE));
    match template.and_then(|template| allowed.map(|()| template).map_err(|error| error.to_string())) {
        Ok(template) => Some(template),
        Err(error) => value.invalid(error),
    }
}

/// Reads `token_header`.
pub(super) fn token_header(value: &Value<'_>) -> Option<HeaderName> {
    let name = headers::credential_name(value)?;
    if name == header::AUTHORIZATION {
        return value.invalid("is where tokens are without this key: leave it out, or name another header");
    }
    Some(name)
}

/// Reads `{ client_id = "…", scope = false }`.
pub(super) fn identity_headers(value: &Value<'_>) -> Option<IdentityHeaders> {
    value.table("{ client_id = \"X-Consumer\", scope = false }", |table| {
        let client_id = identity_header(table, "client_id", "x-client-id");
        let scope = identity_header(table, "scope", "x-client-scope");
        if let (IdentityHeader::Named(one), IdentityHeader::Named(other)) = (&client_id, &scope)
            && one == other
        {
            table.problem(ErrorKind::Conflict, "has the same header for both: name two headers");
        }
        IdentityHeaders { client_id, scope }
    })
}

fn identity_header(table: &mut Table<'_>, key: &'static str, usual: &str) -> IdentityHeader {
    table.or(key, IdentityHeader::Usual, |value| match value.inner().as_bool() {
        Some(false) => Some(IdentityHeader::Off),
        Some(true) => Some(IdentityHeader::Usual),
        None if value.inner().as_str().is_some_and(|name| name.eq_ignore_ascii_case(usual)) => {
            Some(IdentityHeader::Usual)
        }
        None => headers::credential_name(&value).map(IdentityHeader::Named),
    })
}
