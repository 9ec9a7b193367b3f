//! Compares what two configurations grant.
//!
//! The comparison is made on two compiled configurations, so that it does not depend on how a change was
//! made: by hand, by a command or by a rollback.

mod credentials;
mod gateway;
mod json;
mod looser;
mod registration;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::SystemTime;

use self::credentials::credentials;
use self::gateway::{ChangedTerms, changed_terms};
use self::registration::RegistrationChange;
use crate::access::describe;
use crate::access::reach::{Reach, SenderConstraint};
use crate::config::{Access, Client, Config, Mode, Route, ShownDuration};
use crate::sorting::{collect_sorted, sort_by_key};

/// One difference in access. A route is named by its methods and pattern, as in the access matrix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A route is public that did not exist before or required a token.
    BecomesPublic { route: String },
    /// A route that was public requires a token.
    BecomesProtected { route: String, needs: String },
    /// A route is in shadow mode that did not exist before or refused requests. It forwards requests without
    /// a valid token.
    BecomesShadow { route: String },
    /// A route that was in shadow mode refuses requests without a valid token.
    BecomesEnforced { route: String, needs: String },
    /// A route was removed. A less specific route may match its requests.
    RouteRemoved { route: String },
    /// A route goes to another upstream, or its upstream has other servers.
    Redirected { route: String, before: String, after: String },
    /// The conditions of a route changed: limits, addresses, origins, or what the upstream receives. `looser`
    /// says whether the route may accept something that was refused before.
    TermsChanged { route: String, added: Vec<String>, removed: Vec<String>, looser: bool },
    /// The conditions of a client changed: the lifetime of its tokens, or its rate limit.
    ClientTermsChanged { client: String, added: Vec<String>, removed: Vec<String>, looser: bool },
    /// The conditions of the gateway as a whole changed: limits, the throttle, the pages that may use the
    /// OAuth endpoints, or the trusted proxies.
    GatewayTermsChanged { added: Vec<String>, removed: Vec<String>, looser: bool },
    /// A client gets access to a route that requires a token.
    Gained { client: String, route: String },
    /// A client loses access to a route that requires a token.
    Lost { client: String, route: String },
    /// A client must present another proof with its tokens, or no longer needs one.
    SenderConstraint { client: String, before: SenderConstraint, after: SenderConstraint },
    /// A client may introspect the tokens of all clients.
    MayIntrospect { client: String },
    /// A client may no longer introspect tokens.
    MayNotIntrospect { client: String },
    /// A client can authenticate with this credential.
    CredentialAdded { client: String, credential: String },
    /// A client can no longer authenticate with this credential.
    CredentialRemoved { client: String, credential: String },
    /// What clients may register changed, or who may register them, or a registered client is disabled,
    /// enabled or removed.
    Registration(RegistrationChange),
}

impl Change {
    /// Returns whether the gateway may accept something that was refused before.
    ///
    /// Another upstream counts as wider access. So do conditions that cannot be ordered, because a person has
    /// to judge whether they are looser.
    pub(crate) fn widens(&self) -> bool {
        match self {
            Self::BecomesPublic { .. }
            | Self::BecomesShadow { .. }
            | Self::Redirected { .. }
            | Self::Gained { .. }
            | Self::MayIntrospect { .. }
            | Self::CredentialAdded { .. } => true,
            Self::TermsChanged { looser, .. }
            | Self::ClientTermsChanged { looser, .. }
            | Self::GatewayTermsChanged { looser, .. } => *looser,
            Self::Registration(change) => change.widens,
            Self::SenderConstraint { before, after, .. } => {
                before.key && !after.key || before.certificate && !after.certificate
            }
            Self::BecomesProtected { .. }
            | Self::BecomesEnforced { .. }
            | Self::RouteRemoved { .. }
            | Self::Lost { .. }
            | Self::MayNotIntrospect { .. }
            | Self::CredentialRemoved { .. } => false,
        }
    }
}

/// Lists what changes from one configuration to another, the changes that widen access first.
///
/// A secret or an initial access token is compared if it is valid at `now`.
pub(crate) fn difference(before: &Config, after: &Config, now: SystemTime) -> Vec<Change> {
    let mut changes = Vec::new();
    let (old_routes, new_routes) = (Routes::of(before), Routes::of(after));
    let clients = clients(before, after);
    for route in &before.routes {
        if new_routes.same(route).is_none() {
            changes.push(Change::RouteRemoved { route: name(route) });
            cells(&clients, Some(route), None, &mut changes);
        }
    }
    for route in &after.routes {
        let old = old_routes.same(route);
        exposure(old, route, &mut changes);
        if let Some(old) = old {
            direction((before, old), (after, route), &mut changes);
        }
        cells(&clients, old, Some(route), &mut changes);
    }
    for (id, (old, new)) in clients {
        authentication(id, old, new, now, &mut changes);
    }
    if let Some(ChangedTerms { added, removed, looser }) = changed_terms(before, after) {
        changes.push(Change::GatewayTermsChanged { added, removed, looser });
    }
    changes.extend(registration::differences(before, after, now).into_iter().map(Change::Registration));
    sort_by_key(&mut changes, |change| !change.widens());
    changes
}

/// Returns a route's methods and pattern.
fn name(route: &Route) -> String {
    let (methods, path) = describe::requests(route);
    format!("{methods} {path}")
}

/// The routes of a configuration by name.
struct Routes<'c>(HashMap<String, Vec<&'c Route>>);

impl<'c> Routes<'c> {
    fn of(config: &'c Config) -> Self {
        let mut routes = HashMap::<_, Vec<_>>::new();
        for route in &config.routes {
            routes.entry(name(route)).or_default().push(route);
        }
        Self(routes)
    }

    /// Returns the route that matches the same requests.
    fn same(&self, route: &Route) -> Option<&'c Route> {
        let mut routes = self.0.get(&name(route))?.iter();
        routes
            .find(|other| {
                other.hosts == route.hosts && other.path == route.path && other.methods == route.methods
            })
            .copied()
    }
}

/// A client before and after the change.
type Pair<'c> = (Option<&'c Client>, Option<&'c Client>);

/// Returns all clients by id.
fn clients<'c>(before: &'c Config, after: &'c Config) -> BTreeMap<&'c str, Pair<'c>> {
    let mut clients = BTreeMap::<_, Pair<'_>>::new();
    for client in &before.clients {
        clients.entry(client.id.as_str()).or_default().0 = Some(client);
    }
    for client in &after.clients {
        clients.entry(client.id.as_str()).or_default().1 = Some(client);
    }
    clients
}

fn exposure(old: Option<&Route>, new: &Route, changes: &mut Vec<Change>) {
    let was_public = old.is_some_and(|old| old.access == Access::Public);
    let is_public = new.access == Access::Public;
    if is_public && !was_public {
        changes.push(Change::BecomesPublic { route: name(new) });
    } else if was_public && !is_public {
        changes.push(Change::BecomesProtected { route: name(new), needs: describe::needs(new) });
    }
    let was_shadow = old.is_some_and(|old| old.mode == Mode::Shadow);
    match new.mode {
        Mode::Shadow if !was_shadow && !was_public => {
            changes.push(Change::BecomesShadow { route: name(new) });
        }
        Mode::Enforce if was_shadow && !is_public => {
            changes.push(Change::BecomesEnforced { route: name(new), needs: describe::needs(new) });
        }
        Mode::Shadow | Mode::Enforce => {}
    }
}

fn direction((before, old): (&Config, &Route), (after, new): (&Config, &Route), changes: &mut Vec<Change>) {
    let target = |config: &Config, route: &Route| {
        let servers = config.upstream_of(route).map(|upstream| &upstream.servers);
        let origins = servers.into_iter().flatten().map(|server| server.to_string());
        format!("{} ({})", describe::upstream(config, route), origins.collect::<Vec<_>>().join(", "))
    };
    let (from, to) = (target(before, old), target(after, new));
    if from != to {
        changes.push(Change::Redirected { route: name(new), before: from, after: to });
    }
    let terms = |config: &Config, route: &Route| -> BTreeSet<String> {
        collect_sorted(describe::terms(config, route).into_iter().chain([describe::body_limit(route)]))
    };
    let (from, to) = (terms(before, old), terms(after, new));
    if from != to {
        let (added, removed) = (to.difference(&from), from.difference(&to));
        let (added, removed) = (added.cloned().collect(), removed.cloned().collect());
        let looser = looser::route((before, old), (after, new));
        changes.push(Change::TermsChanged { route: name(new), added, removed, looser });
    }
}

/// Compares a row of the access matrix. A public route has no cells, because it accepts every client and
/// requests without a token.
fn cells(
    clients: &BTreeMap<&str, Pair<'_>>,
    old: Option<&Route>,
    new: Option<&Route>,
    changes: &mut Vec<Change>,
) {
    let is_public = |route: Option<&Route>| route.is_some_and(|route| route.access == Access::Public);
    let Some(name) = new.or(old).map(name).filter(|_| !is_public(old) && !is_public(new)) else { return };
    let passes = |client: Option<&Client>, route: Option<&Route>| {
        client.zip(route).is_some_and(|(client, route)| Reach::of(client, route).is_allowed())
    };
    for (id, (before, after)) in clients {
        let names = || ((*id).to_owned(), name.clone());
        match (passes(*before, old), passes(*after, new)) {
            (false, true) => {
                let (client, route) = names();
                changes.push(Change::Gained { client, route });
            }
            (true, false) => {
                let (client, route) = names();
                changes.push(Change::Lost { client, route });
            }
            (true, true) | (false, false) => {}
        }
    }
}

/// Describes the conditions of a client: the lifetime of its tokens, and its rate limit.
fn client_terms(client: &Client) -> Vec<String> {
    let lifetime = format!("tokens live for {}", ShownDuration(client.token_lifetime));
    std::iter::once(lifetime).chain(client.rate_limit.map(|rate| rate.to_string())).collect()
}

fn authentication(
    id: &str,
    old: Option<&Client>,
    new: Option<&Client>,
    now: SystemTime,
    changes: &mut Vec<Change>,
) {
    let client = || id.to_owned();
    if let (Some(old), Some(new)) = (old, new) {
        let (before, after) = (SenderConstraint::of(old), SenderConstraint::of(new));
        if before != after {
            changes.push(Change::SenderConstraint { client: client(), before, after });
        }
        let (before, after) = (client_terms(old), client_terms(new));
        if before != after {
            let new_ones = |these: &[String], those: &[String]| {
                these.iter().filter(|term| !those.contains(term)).cloned().collect::<Vec<_>>()
            };
            let (added, removed) = (new_ones(&after, &before), new_ones(&before, &after));
            let looser = looser::client(old, new);
            changes.push(Change::ClientTermsChanged { client: client(), added, removed, looser });
        }
    }
    let may_introspect = |client: Option<&Client>| {
        client.is_some_and(|client| client.enabled && client.capabilities.introspection)
    };
    match (may_introspect(old), may_introspect(new)) {
        (false, true) => changes.push(Change::MayIntrospect { client: client() }),
        (true, false) => changes.push(Change::MayNotIntrospect { client: client() }),
        (true, true) | (false, false) => {}
    }
    let before = old.map(|client| credentials(client, now)).unwrap_or_default();
    let after = new.map(|client| credentials(client, now)).unwrap_or_default();
    for credential in after.iter().filter(|credential| !before.contains(credential)) {
        changes.push(Change::CredentialAdded { client: client(), credential: credential.label.clone() });
    }
    for credential in before.iter().filter(|credential| !after.contains(credential)) {
        changes.push(Change::CredentialRemoved { client: client(), credential: credential.label.clone() });
    }
}

#[cfg(test)]
mod tests;
