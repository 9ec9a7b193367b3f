//! Proposals for changes, so that a route in shadow mode can be enforced without an outage.

use std::collections::BTreeSet;

use serde::Serialize;

use super::refusal::Refusal;
use super::summary::{CallerSummary, RouteSummary, Summary, Who};
use crate::config::{Access, Client, Config, Mode, Route};
use crate::oauth::client::ClientId;
use crate::oauth::scope::{Requirement, Scopes};

/// The longest client id that is proposed, in characters.
const LONGEST_ID: usize = 40;
/// How long a route must have been observed before the removal of an unused scope is proposed.
const LONG_ENOUGH: u64 = 7 * DAY;
const DAY: u64 = 86_400;

/// A proposed change. Routes are named as in metrics and logs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Proposal {
    /// The route requires these scopes, and the client may not request them.
    AddScopes { client: String, route: String, scopes: Vec<String> },
    /// The route requires one of these scopes, and the client may not request any of them.
    ChooseScope { client: String, route: String, scopes: Vec<String> },
    /// The client may ask for these scopes and does not: give them to tokens that are asked for without
    /// scopes, or change the client.
    AddDefaultScopes { client: String, route: String, scopes: Vec<String> },
    /// The client may not ask for tokens for this audience (RFC 8707), and the route needs it.
    AddAudience { client: String, route: String, audience: String },
    /// The client may ask for tokens for this audience and does not. Only the client can be changed.
    RequestAudience { client: String, route: String, audience: String },
    /// The caller is no known client. The id is a suggestion, and the scopes are those that the route
    /// requires. If `choose` is set, one of them is enough.
    NewClient {
        id: String,
        route: String,
        address: String,
        user_agent: Option<String>,
        scopes: Vec<String>,
        choose: bool,
    },
    /// The client has never used these scopes on a route that needs them.
    RemoveScopes { client: String, scopes: Vec<String> },
    /// Nobody would have been refused within the last day.
    Enforce { route: String },
}

/// Proposes changes for all callers that would be refused, and then changes that narrow access.
pub(crate) fn proposals(summary: &Summary, config: &Config, now: u64) -> Vec<Proposal> {
    let mut all = Vec::new();
    let mut ids = BTreeSet::new();
    for learned in &summary.routes {
        let Some(route) = config.routes.get(learned.index) else { continue };
        let Access::Token { requirement, audience } = &route.access else { continue };
        for caller in learned.waiting() {
            match &caller.who {
                Who::Client(id) => {
                    let Some(client) = config.client(id) else { continue };
                    let needed = Needed { route: &learned.route, requirement, audience: audience.as_deref() };
                    all.extend(needed.for_client(client, caller));
                }
                Who::Address(address) => {
                    let id = new_id(config, &mut ids, address, caller.user_agent.as_deref());
                    all.push(Proposal::NewClient {
                        id,
                        route: learned.route.clone(),
                        address: address.clone(),
                        user_agent: caller.user_agent.clone(),
                        scopes: names(requirement.scopes().into_iter().flat_map(Scopes::iter)),
                        choose: matches!(requirement, Requirement::Any(scopes) if scopes.iter().count() > 1),
                    });
                }
                Who::Others(()) => {}
            }
        }
        if learned.passed > 0
            && !learned.callers.iter().any(|caller| caller.was_refused_since(now.saturating_sub(DAY)))
        {
            all.push(Proposal::Enforce { route: learned.route.clone() });
        }
    }
    all.extend(unused_scopes(summary, config, now));
    all
}

fn names<'s>(scopes: impl Iterator<Item = &'s str>) -> Vec<String> {
    scopes.map(str::to_owned).collect()
}

/// The requirement of a route.
struct Needed<'a> {
    route: &'a str,
    requirement: &'a Requirement,
    audience: Option<&'a str>,
}

impl Needed<'_> {
    /// Proposes changes that let a client pass. Proposes nothing if the client's next token will be accepted.
    fn for_client(&self, client: &Client, caller: &CallerSummary) -> Vec<Proposal> {
        let mut all = Vec::new();
        let named = || (client.id.to_string(), self.route.to_owned());
        if caller.was_refused_for(Refusal::WrongAudience)
            && let Some(audience) = self.audience
        {
            let ((client_id, route), audience) = (named(), audience.to_owned());
            all.push(match client.audiences.contains(&audience) {
                true => Proposal::RequestAudience { client: client_id, route, audience },
                false => Proposal::AddAudience { client: client_id, route, audience },
            });
        }
        if !caller.was_refused_for(Refusal::MissingScope) {
            return all;
        }
        let (missing, (client_id, route)) = (self.requirement.missing(&client.scopes), named());
        let scopes = names(missing.iter().copied());
        match self.requirement {
            _ if missing.is_empty() => {
                let asked = self.requirement.missing(&client.default_scopes);
                let held = asked.into_iter().filter(|scope| client.scopes.contains(scope));
                let scopes = match self.requirement {
                    // One scope is enough, and the client has it.
                    Requirement::Any(_) => names(held.take(1)),
                    _ => names(held),
                };
                if !scopes.is_empty() {
                    all.push(Proposal::AddDefaultScopes { client: client_id, route, scopes });
                }
            }
            Requirement::Any(_) if missing.len() > 1 => {
                all.push(Proposal::ChooseScope { client: client_id, route, scopes });
            }
            _ => all.push(Proposal::AddScopes { client: client_id, route, scopes }),
        }
        all
    }
}

/// Suggests the id of a new client, based on its `User-Agent` or its address.
fn new_id(config: &Config, taken: &mut BTreeSet<String>, address: &str, user_agent: Option<&str>) -> String {
    let product = user_agent.and_then(|text| text.split(['/', ' ', '(']).next());
    let word = |text: &str| -> String {
        let text: String = text
            .chars()
            .map(
                |character| {
                    if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' }
                },
            )
            .take(LONGEST_ID)
            .collect();
        text.trim_matches('-').to_owned()
    };
    let base = product.map(word).filter(|word| !word.is_empty());
    let base = base.unwrap_or_else(|| format!("caller-{}", word(address.trim_end_matches("/64"))));
    let free = |id: &str| config.client(id).is_none() && !taken.contains(id) && ClientId::new(id).is_some();
    let numbered = (2..).map(|number: u32| format!("{base}-{number}"));
    let id = std::iter::once(base.clone()).chain(numbered).find(|id| free(id)).unwrap_or(base);
    taken.insert(id.clone());
    id
}

/// Finds scopes of clients that no request has needed. Every route that requires such a scope must have been
/// in shadow mode for long enough, because uses on other routes are not observed.
fn unused_scopes(summary: &Summary, config: &Config, now: u64) -> Vec<Proposal> {
    let learned = |index: usize| summary.routes.iter().find(|route| route.index == index);
    let long_enough =
        |route: &RouteSummary| route.since.is_some_and(|since| since.saturating_add(LONG_ENOUGH) <= now);
    let needs = |route: &Route, scope: &str| match &route.access {
        Access::Token { requirement, .. } => {
            requirement.scopes().is_some_and(|scopes| scopes.contains(scope))
        }
        Access::Public => false,
    };
    let uses = |route: &RouteSummary, client: &Client| {
        route.callers.iter().any(|caller| {
            matches!(&caller.who, Who::Client(id) if id == client.id.as_str())
                || matches!(caller.who, Who::Others(()))
        })
    };
    let mut all = Vec::new();
    for client in &config.clients {
        let unused = |scope: &&str| {
            let routes = config.routes.iter().enumerate().filter(|(_, route)| needs(route, scope));
            let mut needing = routes.peekable();
            needing.peek().is_some()
                && needing.all(|(index, route)| {
                    route.mode == Mode::Shadow
                        && learned(index).is_some_and(|route| long_enough(route) && !uses(route, client))
                })
        };
        let scopes = names(client.scopes.iter().filter(unused));
        if !scopes.is_empty() {
            all.push(Proposal::RemoveScopes { client: client.id.to_string(), scopes });
        }
    }
    all
}

#[cfg(test)]
#[path = "proposal_tests.rs"]
mod tests;
