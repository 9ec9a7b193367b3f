//! What routes ask, in words, and whether a client has it.

use crate::config::{Access, Client, Config, Methods, Route};
use crate::oauth::scope::{Requirement, Scopes};

/// What a route asks of a request.
pub(super) fn needs(route: &Route) -> String {
    let (requirement, audience) = match &route.access {
        Access::Public => return "no token (public)".to_owned(),
        Access::Token { requirement, audience } => (requirement, audience),
    };
    let scopes = match requirement {
        Requirement::AnyToken => "any valid token".to_owned(),
        Requirement::All(scopes) if scopes.iter().count() == 1 => format!("scope {scopes}"),
        Requirement::All(scopes) => format!("scopes {}", listed(scopes, "and")),
        Requirement::Any(scopes) if scopes.iter().count() == 1 => format!("scope {scopes}"),
        Requirement::Any(scopes) => format!("scope {}", listed(scopes, "or")),
    };
    match audience {
        None => scopes,
        Some(audience) => format!("{scopes}, for the audience {audience}"),
    }
}

fn listed(scopes: &Scopes, word: &str) -> String {
    let scopes: Vec<&str> = scopes.iter().collect();
    match scopes.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {word} {last}", rest.join(", ")),
        _ => scopes.concat(),
    }
}

/// What a token with these scopes lacks; of scopes one of which would do, all of them.
pub(super) fn missing<'r>(requirement: &'r Requirement, held: &Scopes) -> Vec<&'r str> {
    if requirement.is_met_by(held) {
        return Vec::new();
    }
    let needed = requirement.scopes().into_iter().flat_map(Scopes::iter);
    needed.filter(|scope| !held.contains(scope)).collect()
}

/// Why a client can have no token at all.
pub(super) fn shut_out(client: &Client) -> Option<&'static str> {
    if !client.enabled {
        Some("disabled")
    } else if !client.capabilities.client_credentials {
        Some("may not get tokens")
    } else {
        None
    }
}

/// What the sender of a token must show with each request, because the token is bound to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bound {
    /// A DPoP proof (RFC 9449).
    pub(super) key: bool,
    /// The client certificate that the token was asked for with (RFC 8705 §3).
    pub(super) certificate: bool,
}

impl Bound {
    /// What all tokens of a client are bound to. One may ask for a key on its own.
    pub(super) fn of(client: &Client) -> Self {
        Self { key: client.dpop_bound_tokens, certificate: client.certificate_bound_tokens }
    }

    /// By name, for scripts.
    pub(super) fn names(self) -> Vec<&'static str> {
        let names = [(self.key, "dpop"), (self.certificate, "certificate")];
        names.into_iter().filter_map(|(there, name)| there.then_some(name)).collect()
    }

    /// In words; nothing for a token that whoever has it may use.
    pub(super) fn words(self) -> Option<&'static str> {
        match (self.key, self.certificate) {
            (false, false) => None,
            (true, false) => Some("DPoP proof"),
            (false, true) => Some("client certificate"),
            (true, true) => Some("DPoP proof and client certificate"),
        }
    }
}

/// Whether a client can get through, with the best token it may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach<'r> {
    /// It can, showing what its tokens are bound to.
    Yes(Bound),
    /// It can have no token at all.
    No(&'static str),
    /// It may not ask for tokens for this audience.
    Audience(&'r str),
    /// It may not ask for these scopes; of several one would do, where it says so.
    Lacks(Vec<&'r str>, bool),
}

pub(super) fn reach<'r>(client: &Client, route: &'r Route) -> Reach<'r> {
    let Access::Token { requirement, audience } = &route.access else { return Reach::Yes(Bound::default()) };
    if let Some(reason) = shut_out(client) {
        return Reach::No(reason);
    }
    if let Some(audience) = audience.as_deref().filter(|wanted| !may_ask_for(client, wanted)) {
        return Reach::Audience(audience);
    }
    match missing(requirement, &client.scopes) {
        lacking if lacking.is_empty() => Reach::Yes(Bound::of(client)),
        lacking => Reach::Lacks(lacking, matches!(requirement, Requirement::Any(_))),
    }
}

/// Whether a client may ask for tokens for an audience (RFC 8707).
pub(super) fn may_ask_for(client: &Client, audience: &str) -> bool {
    client.audiences.iter().any(|known| known == audience)
}

/// Which requests a route takes: methods, host and pattern. `/…` at the end is a prefix.
pub(super) fn requests(route: &Route) -> (String, String) {
    let methods = match &route.methods {
        Methods::All => "any".to_owned(),
        Methods::Only(methods) => methods.iter().map(http::Method::as_str).collect::<Vec<_>>().join(","),
    };
    let host = route.host.as_ref().map(ToString::to_string).unwrap_or_default();
    let path = match route.path.as_str() {
        prefix if route.path.is_prefix() => format!("{host}{}/…", prefix.trim_end_matches('/')),
        path => format!("{host}{path}"),
    };
    (methods, path)
}

/// The name of a route's upstream.
pub(super) fn upstream<'c>(config: &'c Config, route: &Route) -> &'c str {
    config.upstream_of(route).map_or("?", |upstream| &upstream.name)
}
