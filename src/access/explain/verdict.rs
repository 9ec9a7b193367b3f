//! Describes a decision in words, with the details that the gateway does not send to clients.

use http::Method;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, ALLOW};

use crate::access::describe;
use crate::access::explain::explanation::Verdict;
use crate::access::explain::request::SampleRequest;
use crate::config::{Access, BodyLimit, Config, Route, ShownSize};
use crate::gate::Endpoint;
use crate::oauth::scope::Requirement;
use crate::proxy::refusal::Refusal;
use crate::proxy::route;
use crate::response;
use crate::telemetry::Reason;

/// Describes a request that is forwarded. `path` is its canonical path.
pub(super) fn passes(config: &Config, route: Option<&Route>, path: &str, to: &route::Route) -> Verdict {
    let upstream = route.map_or("?", |route| describe::upstream(config, route)).to_owned();
    let sent = to.transform.as_ref().and_then(|transform| transform.path(path));
    let path = sent.map_or_else(|| path.to_owned(), |sent| sent.into_owned());
    Verdict::Passes { upstream, path }
}

/// Returns the name of an endpoint of the gateway.
pub(super) fn endpoint_name(endpoint: Endpoint) -> &'static str {
    match endpoint {
        Endpoint::Token => "the token endpoint",
        Endpoint::Introspection => "the introspection endpoint",
        Endpoint::Revocation => "the revocation endpoint",
        Endpoint::AuthorizationServer => "the authorization server metadata (RFC 8414)",
        Endpoint::ProtectedResource => "the protected resource metadata (RFC 9728)",
        Endpoint::Registration => "the registration endpoint (RFC 7591)",
        Endpoint::KeySet => "the keys that verify JWTs (RFC 7517)",
    }
}

/// Describes the gateway's own answer to a request that is not forwarded.
pub(super) fn refused(
    config: &Config,
    request: &SampleRequest,
    route: Option<&Route>,
    refusal: &Refusal,
) -> Verdict {
    let headers = refusal.response.headers();
    // The response to a preflight is not a refusal.
    let Some(cause) = refusal.reason else {
        return Verdict::Preflight { allowed: headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) };
    };
    let error = match cause {
        Reason::InvalidToken
        | Reason::InvalidRequest
        | Reason::InvalidDpopProof
        | Reason::InsufficientScope => Some(cause.as_str()),
        _ => None,
    };
    let reason = match (cause, route) {
        (Reason::MethodNotAllowed, _) if matches!(request.method, Method::TRACE | Method::CONNECT) => {
            Some("TRACE and CONNECT are allowed on no route".to_owned())
        }
        (Reason::MethodNotAllowed, _) => {
            let allow = headers.get(ALLOW).and_then(|allow| allow.to_str().ok()).unwrap_or_default();
            Some(format!("the routes for the path allow other methods: {allow}"))
        }
        (Reason::NoRoute, _) => Some("no route matches the path".to_owned()),
        (Reason::NoToken, _) => Some("the route needs a token, and the request has none".to_owned()),
        (Reason::Address, _) => {
            request.from.map(|from| format!("the route accepts no requests from {from}, whatever the token"))
        }
        (Reason::InvalidToken, Some(route)) => invalid_token(config, request, route),
        (Reason::InvalidDpopProof, Some(_)) => Some(format!(
            "the token is bound to a key, and a DPoP proof cannot name {}: that is neither the origin of the issuer nor the \
             host of a route. Add it to `public_origins` of [token_service]",
            request.origin_of_target()
        )),
        (Reason::InsufficientScope, Some(route)) => insufficient_scope(config, request, route),
        (Reason::BodyTooLarge, Some(Route { max_body_size: BodyLimit::Bytes(most), .. })) => {
            Some(format!("the route accepts bodies of at most {}", ShownSize(*most)))
        }
        _ => None,
    };
    // The text for the client describes the error in the request itself.
    let reason = reason.unwrap_or_else(|| response::detail(&refusal.response));
    let setting = refusal.setting;
    Verdict::Refused { status: refusal.response.status().as_u16(), error, reason, setting }
}

fn invalid_token(config: &Config, request: &SampleRequest, route: &Route) -> Option<String> {
    let credential = &request.credential;
    if let Some(reason) = credential.why_invalid(config) {
        return Some(reason);
    }
    let token = credential.token(config, route)?;
    if token.constraint.certificate && !request.is_secure() {
        let reason =
            "the token is bound to a client certificate (RFC 8705), which cannot be shown without TLS";
        return Some(reason.to_owned());
    }
    let needed = match (&route.access, &token.audience) {
        (Access::Token { audience: Some(needed), .. }, _) => needed,
        (Access::Token { audience: None, .. }, Some(other)) => {
            return Some(format!(
                "the token is for \"{other}\" (RFC 8707), and the route names no `audience`; \
                 `restricted_tokens = \"any_route\"` in [token_service] would let it through"
            ));
        }
        _ => return None,
    };
    let other = match token.audience {
        None => "no resource in particular".to_owned(),
        Some(other) => format!("\"{other}\""),
    };
    Some(format!("the route needs a token for \"{needed}\" (RFC 8707), and this one is for {other}"))
}

fn insufficient_scope(config: &Config, request: &SampleRequest, route: &Route) -> Option<String> {
    let Access::Token { requirement, .. } = &route.access else { return None };
    let token = request.credential.token(config, route)?;
    let missing = requirement.missing(token.scopes).join(", ");
    Some(match requirement {
        Requirement::Any(_) => format!("the token has none of {missing}"),
        _ => format!("the token lacks {missing}"),
    })
}
