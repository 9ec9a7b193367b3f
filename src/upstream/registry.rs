//! What is known about servers and names, carried over from one configuration to the next.

use std::collections::HashMap;
use std::sync::Arc;

use super::ejection::Record;
use super::health::verdict::HealthStatus;
use super::resolve::Resolver;
use super::state::{ChangeCounter, ServerState};

/// What is known of servers and names: one set of rules takes it over from the one before.
#[derive(Debug, Default)]
pub(crate) struct ServerRegistry {
    standings: HashMap<ServerKey, Arc<ServerState>>,
    news: HashMap<String, Arc<ChangeCounter>>,
    sites: HashMap<(String, u16), Arc<Resolver>>,
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
    pub(crate) fn standing(&mut self, before: Option<&Self>, post: ServerKey) -> Arc<ServerState> {
        let known = before.and_then(|before| before.standings.get(&post)).cloned();
        let standing = known.unwrap_or_else(|| {
            let news = before.and_then(|before| before.news.get(&post.upstream)).cloned();
            let news = self.news.entry(post.upstream.clone()).or_insert_with(|| news.unwrap_or_default());
            Arc::new(ServerState {
                verdict: HealthStatus::default(),
                record: Record::default(),
                news: Arc::clone(news),
            })
        });
        self.news.insert(post.upstream.clone(), Arc::clone(&standing.news));
        self.standings.insert(post, Arc::clone(&standing));
        standing
    }

    /// The site of a name.
    pub(crate) fn site(&mut self, before: Option<&Self>, host: &str, port: u16) -> Arc<Resolver> {
        let key = (host.to_owned(), port);
        let known = self.sites.get(&key).or_else(|| before?.sites.get(&key)).cloned();
        let site = known.unwrap_or_else(|| Arc::new(Resolver::new(host, port)));
        self.sites.insert(key, Arc::clone(&site));
        site
    }

    /// All sites.
    pub(crate) fn sites(&self) -> impl Iterator<Item = &Arc<Resolver>> {
        self.sites.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn post(at: usize, probed: bool) -> ServerKey {
        ServerKey { upstream: "a".to_owned(), origin: format!("http://10.0.0.{at}"), probed }
    }

    #[test]
    fn a_reload_keeps_what_is_known_of_servers_that_stay() {
        let mut first = ServerRegistry::default();
        let (stays, goes) = (first.standing(None, post(1, true)), first.standing(None, post(2, true)));
        assert!(Arc::ptr_eq(&stays.news, &goes.news));
        stays.verdict.become_bad();
        let site = first.site(None, "api.example.test", 80);

        let mut second = ServerRegistry::default();
        let comes = second.standing(Some(&first), post(3, true));
        let stayed = second.standing(Some(&first), post(1, true));
        assert!(stayed.verdict.is_bad() && !comes.verdict.is_bad());
        assert!(Arc::ptr_eq(&comes.news, &stayed.news), "the servers of an upstream tell in one place");
        assert!(Arc::ptr_eq(&second.site(Some(&first), "api.example.test", 80), &site));
        assert_eq!(second.standings.len(), 2, "what is gone is forgotten");
        // Probed no more: what the probes said counts no more.
        let unprobed = ServerRegistry::default().standing(Some(&second), post(1, false));
        assert!(!unprobed.verdict.is_bad());
    }
}
