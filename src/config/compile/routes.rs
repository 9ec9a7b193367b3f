//! `[[routes]]`.

use super::{
    addresses::address_ranges,
    clients, cors, forwarding, headers, hosts, jwt,
    methods::methods,
    resilience::max_in_flight,
    scopes::{Names, scopes_of_route},
    server,
};
use crate::{
    config::{
        error::ErrorKind,
        model::{
            Access, AddressRules, Config, Credentials, HeaderChanges, IdentityHeaders, Methods, Mode,
            Protocol, Route, Server, TokenForwarding, Upstream, UpstreamIndex,
        },
        reader::{Table, Value},
        settings::routes::BUFFER_REQUEST,
        suggest,
        warning::Lint,
    },
    oauth::scope::Requirement,
    route::{
        conflicts::{Claim, Conflicts},
        marks::Marks,
        pattern::{Pattern, PatternError},
    },
};

/// Reads all routes, and finds those that conflict.
pub(super) fn routes(
    value: &Value<'_>,
    names: &Names<'_>,
    upstreams: &[Upstream],
    endpoints: &[(String, &'static str)],
    server: &Server,
) -> Option<Vec<Route>> {
    let count = value.inner().as_array().map_or(0, |array| array.len());
    if count > Config::MAX_ROUTES {
        return value.fail(
            ErrorKind::TooMany,
            format!("has {count} routes: at most {} are possible", Config::MAX_ROUTES),
        );
    }
    let mut conflicts = Conflicts::new();
    value.each("routes: [[routes]]", |item| {
        let route =
            item.table("a table: [[routes]]", |table| route(table, names, upstreams, endpoints, server))??;
        let mut others = Vec::new();
        for host in route.table_hosts() {
            let claim = Claim {
                host: host.as_deref(),
                pattern: &route.path,
                methods: route.methods.only(),
                case_insensitive: upstreams
                    .get(route.upstream.0)
                    .is_some_and(|upstream| upstream.case_insensitive),
            };
            others.extend(conflicts.add(route.position, claim));
        }
        match others.first() {
            None => Some(route),
            Some(other) => item.fail(
                ErrorKind::RouteConflict,
                format!(
                    "{:?} matches the same requests as the route {}, and neither is more specific: change \
                     the path, host or methods of one of them, or remove one",
                    route.path.as_str(),
                    item.cx.seen_from(route.position, *other),
                ),
            ),
        }
    })
}

fn route(
    table: &mut Table<'_>,
    names: &Names<'_>,
    upstreams: &[Upstream],
    endpoints: &[(String, &'static str)],
    gateway: &Server,
) -> Option<Route> {
    let position = table.position();
    let allow_semicolon = table.flag("allow_semicolon");
    let allow_encoded_slash = table.flag("allow_encoded_slash");
    let allow_encoded_delimiters = table.flag("allow_encoded_delimiters");
    let allow_empty_segments = table.flag("allow_empty_segments");
    let allowed = Marks::SEMICOLON.when(allow_semicolon)
        | Marks::ENCODED_SLASH.when(allow_encoded_slash)
        | Marks::ENCODED_DELIMITER.when(allow_encoded_delimiters);
    let upstream =
        table.need("upstream", "the name of one of [upstreams]").and_then(|value| upstream(&value, names));
    let known = upstream.and_then(|index| upstreams.get(index.0));
    let case_insensitive = known.is_some_and(|upstream| upstream.case_insensitive);
    let check = |value: &Value<'_>, parsed: Result<Pattern, PatternError>| {
        parsed
            .and_then(|pattern| {
                pattern.check_allowed(allowed)?;
                if case_insensitive {
                    pattern.check_folded()?;
                }
                Ok(pattern)
            })
            .map_or_else(|error| value.invalid(error.to_string()), Some)
    };
    let path = path(table, &check, endpoints);
    let methods = table.or("methods", Methods::All, |value| methods(&value));
    let hosts = table.or("host", Vec::new(), |value| hosts::hosts(&value));
    let strip_prefix = table.or("strip_prefix", None, |value| {
        let text = value.string("the front of the route's own path")?;
        check(&value, Pattern::prefix(text))?;
        let own = path.as_ref().map(Pattern::as_str);
        strip(&value, text, own).map(Some)
    });
    let upstream_path = table.or("upstream_path", None, |value| {
        if strip_prefix.is_some() {
            return value.fail(
                ErrorKind::Conflict,
                "is beside `strip_prefix`: write the whole path for the upstream here, and remove the other",
            );
        }
        forwarding::upstream_path(&value, path.as_ref()).map(Some)
    });
    let forwarding_value = table.take("forward_token");
    let forward_token = forwarding_value.as_ref().and_then(jwt::forwarding).unwrap_or_default();
    let into_authorization = match known.and_then(|upstream| upstream.credentials.as_ref()) {
        Some(Credentials::Basic { .. }) => true,
        Some(Credentials::Header { name, .. }) => *name == http::header::AUTHORIZATION,
        None => false,
    };
    if forward_token == TokenForwarding::Kept && into_authorization {
        let message = "has `forward_token = true`, and the upstream's credentials need the same \
            `Authorization` header: remove one of the two";
        table.problem(ErrorKind::Conflict, message);
    }
    let access = access(table, names);
    let is_public = access == Some(Access::Public);
    if let Some(value) = forwarding_value.filter(|_| forward_token == TokenForwarding::Jwt && is_public) {
        value.problem(
            ErrorKind::Conflict,
            "is on a route with access = \"public\", where no token says who the client is: remove one of the two",
        );
    }
    let has_certificate = known.is_some_and(|upstream| upstream.tls.client_certificate.is_some());
    let mode = mode(table, access.as_ref(), gateway.mode, has_certificate);
    let token_header = table.or("token_header", None, |value| {
        if access == Some(Access::Public) {
            return value.fail(
                ErrorKind::Conflict,
                "is on a route with access = \"public\", which needs no token: remove one of the two",
            );
        }
        if into_authorization {
            return value.fail(
                ErrorKind::Conflict,
                "passes the client's `Authorization` on, and the upstream's credentials need the same header: \
                 remove one of the two",
            );
        }
        forwarding::token_header(&value).map(Some)
    });
    // A JWT takes the place of the token, which is another header with `token_header`.
    let jwt_in_authorization = forward_token == TokenForwarding::Jwt && token_header.is_none();
    if jwt_in_authorization && into_authorization {
        let message = "has `forward_token = \"jwt\"`, and the upstream's credentials need the same \
            `Authorization` header: remove one of the two";
        table.problem(ErrorKind::Conflict, message);
    }
    let identity_headers = table
        .or("identity_headers", IdentityHeaders::default(), |value| forwarding::identity_headers(&value));
    let buffer_request = table.or(BUFFER_REQUEST.name, None, |value| {
        if known.is_some_and(|upstream| upstream.protocol == Protocol::Http2) {
            return value.fail(
                ErrorKind::Conflict,
                "is for servers of HTTP/1.1, and the upstream's protocol is \"http2\": HTTP/2 needs no length",
            );
        }
        value.size(&BUFFER_REQUEST).map(Some)
    });
    let request_headers = table.or("request_headers", HeaderChanges::default(), |value| {
        let changes = headers::request_headers(&value)?;
        let in_authorization = forward_token == TokenForwarding::Kept || jwt_in_authorization;
        if in_authorization && changes.names().any(|name| *name == http::header::AUTHORIZATION) {
            return value.fail(
                ErrorKind::Conflict,
                "changes `Authorization`, and `forward_token` sends the token or the JWT in it: remove one of the two",
            );
        }
        if let Some(header) = token_header.as_ref().filter(|_| forward_token == TokenForwarding::Jwt)
            && changes.names().any(|name| name == header)
        {
            return value.fail(
                ErrorKind::Conflict,
                format!("changes {header}, in which `forward_token` sends the JWT: remove one of the two"),
            );
        }
        Some(changes)
    });
    let map_response_urls = table.or("map_response_urls", true, |value| value.boolean());
    let max_body_size = server::body_limit(table, gateway.limits.max_body_size);
    let rate_limit = table.or("rate_limit", None, |value| value.rate().map(Some));
    let rate_limit_by_address = table.or("rate_limit_by_address", None, |value| value.rate().map(Some));
    let response_headers =
        table.or("response_headers", Default::default(), |value| headers::response_headers(&value));
    let addresses = AddressRules {
        allow: table.or("allow", Vec::new(), |value| address_ranges(&value)),
        deny: table.or("deny", Vec::new(), |value| address_ranges(&value)),
    };
    let cors = table.or("cors", None, |value| cors::cors(&value, &methods).map(Some));
    let max_in_flight = max_in_flight(table);
    Some(Route {
        path: path?,
        hosts,
        methods,
        access: access?,
        mode,
        upstream: upstream?,
        strip_prefix,
        upstream_path,
        forward_token,
        allow_semicolon,
        allow_encoded_slash,
        allow_encoded_delimiters,
        allow_empty_segments,
        token_header,
        identity_headers,
        buffer_request,
        request_headers,
        map_response_urls,
        max_body_size,
        rate_limit,
        rate_limit_by_address,
        max_in_flight,
        response_headers,
        addresses,
        cors,
        position,
    })
}

/// Reads `mode`. A public route has nothing to enforce. The client certificate of an upstream is part of the
/// connection, so it cannot be left out for requests without a token as other credentials are.
fn mode(table: &mut Table<'_>, access: Option<&Access>, default: Mode, has_certificate: bool) -> Mode {
    let (mode, value) = server::mode(table, default);
    if access != Some(&Access::Public) {
        if mode == Mode::Shadow && has_certificate {
            let message = "is \"shadow\", and the upstream has a `tls.client_certificate`, with which requests \
                without a token would be authenticated: write mode = \"enforce\" here, or name an upstream \
                without a client certificate";
            match value {
                Some(value) => value.problem(ErrorKind::Conflict, message),
                None => {
                    table.problem(ErrorKind::Conflict, format!("has the `mode` of [server], which {message}"))
                }
            }
        }
        return mode;
    }
    if let Some(value) = value {
        value.problem(
            ErrorKind::Conflict,
            "is on a route with access = \"public\", which refuses nobody: remove one of the two",
        );
    }
    Mode::Enforce
}

/// Reads `path` or `prefix`.
fn path(
    table: &mut Table<'_>,
    check: &impl Fn(&Value<'_>, Result<Pattern, PatternError>) -> Option<Pattern>,
    endpoints: &[(String, &'static str)],
) -> Option<Pattern> {
    let (value, is_prefix) = match (table.take("path"), table.take("prefix")) {
        (Some(path), None) => (path, false),
        (None, Some(prefix)) => (prefix, true),
        (None, None) => {
            table.missing(
                "`path` is missing: a route has a `path` (\"/hello_world\") or a `prefix` (\"/orders\")",
            );
            return None;
        }
        (Some(_), Some(prefix)) => {
            return prefix.fail(ErrorKind::Conflict, "is beside `path`: a route has exactly one of the two");
        }
    };
    let text = value.string("a path such as \"/hello_world\"")?;
    let pattern = check(&value, if is_prefix { Pattern::prefix(text) } else { Pattern::path(text) })?;
    if let Some((_, what)) = endpoints.iter().find(|(path, _)| path == text) {
        return value.fail(
            ErrorKind::ShadowsEndpoint,
            format!("is the path of {what}, which the gateway answers itself; a route cannot take it"),
        );
    }
    Some(pattern)
}

fn upstream(value: &Value<'_>, names: &Names<'_>) -> Option<UpstreamIndex> {
    let name = value.string("the name of one of [upstreams]")?;
    match names.upstreams.iter().position(|known| *known == name) {
        Some(index) => Some(UpstreamIndex(index)),
        None => {
            let hint = suggest::hint(name, names.upstreams.iter().copied());
            value.fail(ErrorKind::UnknownName, format!("there is no [upstreams.{name}]{hint}"))
        }
    }
}

fn strip(value: &Value<'_>, text: &str, own: Option<&str>) -> Option<String> {
    if text == "/" {
        return value.invalid("removes nothing: leave it out, or name at least one segment, such as \"/v1\"");
    }
    // The error of the path was reported.
    let Some(own) = own else { return Some(text.to_owned()) };
    let whole_segments = own.strip_prefix(text).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if !whole_segments {
        return value.fail(
            ErrorKind::Conflict,
            format!("must be whole segments from the front of the route's own path, which is {own:?}"),
        );
    }
    Some(text.to_owned())
}

#[derive(Clone, Copy)]
enum AccessWord {
    Token,
    Public,
}

fn access(table: &mut Table<'_>, names: &Names<'_>) -> Option<Access> {
    let word = table.or("access", AccessWord::Token, |value| {
        value.choice(&[("token", AccessWord::Token), ("public", AccessWord::Public)])
    });
    let (all, any, audience) = (table.take("scopes"), table.take("any_scope"), table.take("audience"));
    if let AccessWord::Public = word {
        let mut good = true;
        for value in [all, any, audience].into_iter().flatten() {
            value.problem(
                ErrorKind::Conflict,
                "is on a route with access = \"public\", which needs no token: remove one of the two",
            );
            good = false;
        }
        return good.then_some(Access::Public);
    }
    let requirement = match (all, any) {
        (Some(all), Some(any)) => {
            scopes_of_route(&all, names);
            scopes_of_route(&any, names);
            any.fail(
                ErrorKind::Conflict,
                "is beside `scopes`: a route needs all of `scopes` or one of `any_scope`",
            )
        }
        (Some(all), None) => scopes_of_route(&all, names).map(|scopes| match scopes.is_empty() {
            true => Requirement::AnyToken,
            false => Requirement::All(scopes),
        }),
        (None, Some(any)) => match scopes_of_route(&any, names) {
            Some(scopes) if scopes.is_empty() => {
                any.invalid("is empty, so no token would be accepted: leave it out for any valid token")
            }
            other => other.map(Requirement::Any),
        },
        (None, None) => {
            if audience.is_none() {
                table.warn(
                    Lint::NoScopes,
                    "every client's token opens this route, because it names no scopes: add `scopes`, or write \
                     `scopes = []` if that is meant",
                );
            }
            Some(Requirement::AnyToken)
        }
    };
    let audience = match audience {
        Some(value) => Some(Some(clients::audience(&value)?.to_owned())),
        None => Some(None),
    };
    Some(Access::Token { requirement: requirement?, audience: audience? })
}
