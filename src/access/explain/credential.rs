//! The credential of a request: a token of a client, a token with given scopes, or a token that a running
//! gateway has described.

use crate::access::reach::{self, SenderConstraint, ShutOut};
use crate::config::{Access, Client, Config, Route};
use crate::oauth::scope::Scopes;

/// The credential that a request carries.
#[derive(Debug)]
pub(crate) enum Credential {
    /// No token.
    None,
    /// A token of a configured client, with these scopes. Without an audience, the token has the audience
    /// that the route requires if the client may request it.
    Client { id: String, scopes: Scopes, audience: Option<String> },
    /// A token with these scopes, of an unspecified client.
    Scopes { scopes: Scopes, audience: Option<String> },
    /// A token that a running gateway has described.
    Live { client: String, scopes: Scopes, audience: Option<String>, constraint: SenderConstraint },
    /// A token that is not valid, and why.
    Invalid(&'static str),
}

/// The client, the scopes and the audience of a token.
#[derive(Debug)]
pub(crate) struct Token<'a> {
    pub(crate) scopes: &'a Scopes,
    pub(crate) audience: Option<String>,
    pub(crate) constraint: SenderConstraint,
}

impl Credential {
    /// Describes what the request carries.
    pub(crate) fn describe(&self, config: &Config) -> String {
        let list = |held: &Scopes| if held.is_empty() { "no scope".to_owned() } else { held.to_string() };
        match self {
            Self::None => "no token".to_owned(),
            Self::Scopes { scopes, .. } => list(scopes),
            Self::Client { id, scopes, .. } => {
                let all = config.client(id).is_some_and(|client| client.scopes == *scopes);
                let most = if all { ", all it may ask for" } else { "" };
                format!("{} (client \"{id}\"{most})", list(scopes))
            }
            Self::Live { client, scopes, .. } => format!("{} (a live token of \"{client}\")", list(scopes)),
            Self::Invalid(reason) => (*reason).to_owned(),
        }
    }

    /// Returns the token that a request to `route` carries, or `None` if it carries none.
    pub(crate) fn token(&self, config: &Config, route: &Route) -> Option<Token<'_>> {
        match self {
            Self::None | Self::Invalid(_) => None,
            Self::Scopes { scopes, audience } => {
                Some(Token { scopes, audience: audience.clone(), constraint: SenderConstraint::default() })
            }
            Self::Live { scopes, audience, constraint, .. } => {
                Some(Token { scopes, audience: audience.clone(), constraint: *constraint })
            }
            Self::Client { id, scopes, audience } => {
                let client = config.client(id)?;
                let audience = audience.as_deref().or_else(|| best_audience(client, route));
                let constraint = SenderConstraint::of(client);
                Some(Token { scopes, audience: audience.map(str::to_owned), constraint })
            }
        }
    }

    /// Returns the scopes of the token.
    pub(crate) fn scopes(&self) -> Option<&Scopes> {
        match self {
            Self::None | Self::Invalid(_) => None,
            Self::Client { scopes, .. } | Self::Scopes { scopes, .. } | Self::Live { scopes, .. } => {
                Some(scopes)
            }
        }
    }

    /// Returns the client that the token was issued to.
    pub(crate) fn client(&self) -> Option<&str> {
        match self {
            Self::Client { id, .. } => Some(id),
            Self::Live { client, .. } => Some(client),
            Self::None | Self::Scopes { .. } | Self::Invalid(_) => None,
        }
    }

    /// Returns the known reason why the token is not valid on any route.
    pub(super) fn why_invalid(&self, config: &Config) -> Option<String> {
        match self {
            Self::Invalid(reason) => Some((*reason).to_owned()),
            Self::Client { id, .. } => {
                let what = match ShutOut::of(config.client(id)?)? {
                    ShutOut::Disabled => "disabled",
                    ShutOut::NoCapability => "not allowed to get tokens (capabilities)",
                };
                Some(format!("the client \"{id}\" has no valid token: it is {what}"))
            }
            Self::None | Self::Scopes { .. } | Self::Live { .. } => None,
        }
    }
}

/// Returns the audience that the client requests for a route: the required one, if the client may request it.
fn best_audience<'r>(client: &Client, route: &'r Route) -> Option<&'r str> {
    let Access::Token { audience, .. } = &route.access else { return None };
    audience.as_deref().filter(|wanted| reach::may_ask_for(client, wanted))
}
