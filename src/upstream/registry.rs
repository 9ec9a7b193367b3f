//! What is known about servers and names, carried over from one configuration to the next.

use std::collections::HashMap;
use std::sync::Arc;

use super::ejection::EjectionState;
use super::health::status::HealthStatus;
use super::resolve::Resolver;
use super::state::{ChangeCounter, ServerState};

/// What is known of servers and names: one set of rules takes it over from the one before.
#[derive(Debug, Default)]
pub(crate) struct ServerRegistry {
    states: HashMap<ServerKey, Arc<ServerState>>,
    changes: HashMap<String, Arc<ChangeCounter>>,
    resolvers: HashMap<(String, u16), Arc<Resolver>>,
}

/// A server of an upstream.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServerKey {
    pub(crate) upstream: String,
    /// Its URL.
    pub(crate) origin: String,
    /// Whether it is probed: what probes once said must not outlive them.
    pub(crate) probed: bool,
}

impl ServerRegistry {
    /// The standing of a server: the one before, if there was one.
    pub(crate) fn state(&mut self, before: Option<&Self>, key: ServerKey) -> Arc<ServerState> {
        let known = before.and_then(|before| before.states.get(&key)).cloned();
        let state = known.unwrap_or_else(|| {
            let changes = before.and_then(|before| before.changes.get(&key.upstream)).cloned();
            let changes =
                self.changes.entry(key.upstream.clone()).or_insert_with(|| changes.unwrap_or_default());
            Arc::new(ServerState {
                health: HealthStatus::default(),
                ejection: EjectionState::default(),
                changes: Arc::clone(changes),
            })
        });
        self.changes.insert(key.upstream.clone(), Arc::clone(&state.changes));
        self.states.insert(key, Arc::clone(&state));
        state
    }

    /// The resolver of a name.
    pub(crate) fn resolver(&mut self, before: Option<&Self>, host: &str, port: u16) -> Arc<Resolver> {
        let key = (host.to_owned(), port);
        let known = self.resolvers.get(&key).or_else(|| before?.resolvers.get(&key)).cloned();
        let resolver = known.unwrap_or_else(|| Arc::new(Resolver::new(host, port)));
        self.resolvers.insert(key, Arc::clone(&resolver));
        resolver
    }

    /// All resolvers.
    pub(crate) fn resolvers(&self) -> impl Iterator<Item = &Arc<Resolver>> {
        self.resolvers.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(at: usize, probed: bool) -> ServerKey {
        ServerKey { upstream: "a".to_owned(), origin: format!("http://10.0.0.{at}"), probed }
    }

    #[test]
    fn a_reload_keeps_what_is_known_of_servers_that_stay() {
        let mut first = ServerRegistry::default();
        let (stays, goes) = (first.state(None, key(1, true)), first.state(None, key(2, true)));
        assert!(Arc::ptr_eq(&stays.changes, &goes.changes));
        stays.health.set_unhealthy();
        let resolver = first.resolver(None, "api.example.test", 80);

        let mut second = ServerRegistry::default();
        let comes = second.state(Some(&first), key(3, true));
        let stayed = second.state(Some(&first), key(1, true));
        assert!(stayed.health.is_unhealthy() && !comes.health.is_unhealthy());
        assert!(Arc::ptr_eq(&comes.changes, &stayed.changes), "the servers of an upstream tell in one place");
        assert!(Arc::ptr_eq(&second.resolver(Some(&first), "api.example.test", 80), &resolver));
        assert_eq!(second.states.len(), 2, "what is gone is forgotten");
        // Probed no more: what the probes said counts no more.
        let unprobed = ServerRegistry::default().state(Some(&second), key(1, false));
        assert!(!unprobed.health.is_unhealthy());
    }
}
