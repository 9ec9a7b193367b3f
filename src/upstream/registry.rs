//! The states of servers and the addresses of names, carried over from one configuration to the next.

use std::collections::HashMap;
use std::sync::Arc;

use super::ejection::EjectionState;
use super::health::status::HealthStatus;
use super::last_fault::LastFault;
use super::resolve::Resolver;
use super::state::{ChangeCounter, ServerState};

/// The server states and resolvers of a configuration.
#[derive(Debug, Default)]
pub(crate) struct ServerRegistry {
    states: HashMap<ServerKey, Arc<ServerState>>,
    changes: HashMap<String, Arc<ChangeCounter>>,
    resolvers: HashMap<(String, u16), Arc<Resolver>>,
}

/// Identifies a server across reloads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServerKey {
    pub(crate) upstream: String,
    /// The server's URL.
    pub(crate) origin: String,
    /// Whether the server is probed. The result of a probe must not outlive the health check.
    pub(crate) probed: bool,
}

impl ServerRegistry {
    /// Returns the state of a server: the previous one if there is one.
    pub(crate) fn state(&mut self, before: Option<&Self>, key: ServerKey) -> Arc<ServerState> {
        let known = before.and_then(|before| before.states.get(&key)).cloned();
        let state = known.unwrap_or_else(|| {
            let changes = before.and_then(|before| before.changes.get(&key.upstream)).cloned();
            let changes =
                self.changes.entry(key.upstream.clone()).or_insert_with(|| changes.unwrap_or_default());
            Arc::new(ServerState {
                health: HealthStatus::default(),
                ejection: EjectionState::default(),
                last_fault: LastFault::default(),
                changes: Arc::clone(changes),
            })
        });
        self.changes.insert(key.upstream.clone(), Arc::clone(&state.changes));
        self.states.insert(key, Arc::clone(&state));
        state
    }

    /// Returns the resolver of a name: the previous one if there is one.
    pub(crate) fn resolver(&mut self, before: Option<&Self>, host: &str, port: u16) -> Arc<Resolver> {
        let key = (host.to_owned(), port);
        let known = self.resolvers.get(&key).or_else(|| before?.resolvers.get(&key)).cloned();
        let resolver = known.unwrap_or_else(|| Arc::new(Resolver::new(host, port)));
        self.resolvers.insert(key, Arc::clone(&resolver));
        resolver
    }

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
    fn a_reload_keeps_the_states_of_servers_that_remain() {
        let mut first = ServerRegistry::default();
        let (stays, goes) = (first.state(None, key(1, true)), first.state(None, key(2, true)));
        assert!(Arc::ptr_eq(&stays.changes, &goes.changes));
        stays.health.set_unhealthy();
        let resolver = first.resolver(None, "api.example.test", 80);

        let mut second = ServerRegistry::default();
        let comes = second.state(Some(&first), key(3, true));
        let stayed = second.state(Some(&first), key(1, true));
        assert!(stayed.health.is_unhealthy() && !comes.health.is_unhealthy());
        assert!(
            Arc::ptr_eq(&comes.changes, &stayed.changes),
            "the servers of an upstream share a change counter"
        );
        assert!(Arc::ptr_eq(&second.resolver(Some(&first), "api.example.test", 80), &resolver));
        assert_eq!(second.states.len(), 2, "removed servers are forgotten");
        // Without a health check, the result of earlier probes no longer counts.
        let unprobed = ServerRegistry::default().state(Some(&second), key(1, false));
        assert!(!unprobed.health.is_unhealthy());
    }
}
