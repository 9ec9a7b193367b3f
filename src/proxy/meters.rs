//! The meters of a configuration's routes and upstreams. A reload keeps the meters whose names remain.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{self, Config};
use crate::telemetry::{Meter, RouteCells, UpstreamCells};

/// Meters by the names of their routes and upstreams.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    threads: usize,
    routes: BTreeMap<String, Arc<Meter<RouteCells>>>,
    upstreams: BTreeMap<String, Arc<Meter<UpstreamCells>>>,
}

impl Meters {
    /// Creates meters for the number of threads that the configuration sets.
    pub(crate) fn new(config: &Config) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads: config.server.threads.map_or_else(cores, usize::from), ..Self::default() }
    }

    pub(crate) fn route(&mut self, before: Option<&Self>, route: &config::Route) -> Arc<Meter<RouteCells>> {
        let name = route.label();
        let kept = self.routes.get(&name).or_else(|| before?.routes.get(&name)).cloned();
        let meter = kept.unwrap_or_else(|| Arc::new(Meter::new(&*name, self.threads)));
        self.routes.insert(name, Arc::clone(&meter));
        meter
    }

    pub(crate) fn upstream(&mut self, before: Option<&Self>, name: &str) -> Arc<Meter<UpstreamCells>> {
        let kept = before.and_then(|before| before.upstreams.get(name)).cloned();
        let meter = kept.unwrap_or_else(|| Arc::new(Meter::new(name, self.threads)));
        self.upstreams.insert(name.to_owned(), Arc::clone(&meter));
        meter
    }

    pub(crate) fn routes(&self) -> Vec<Arc<Meter<RouteCells>>> {
        self.routes.values().cloned().collect()
    }

    pub(crate) fn upstreams(&self) -> Vec<Arc<Meter<UpstreamCells>>> {
        self.upstreams.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn route_names_are_distinct_and_meters_are_kept_by_name() {
        let text = "[scopes]\nread = \"r\"\n[upstreams.a]\nservers = [\"http://127.0.0.1:1\"]\n\
            [[routes]]\npath = \"/x/{id}\"\nupstream = \"a\"\n\
            [[routes]]\nprefix = \"/x\"\nmethods = [\"GET\", \"HEAD\"]\nupstream = \"a\"\n\
            [[routes]]\nprefix = \"/\"\nhost = \"Api.example\"\nupstream = \"a\"\n";
        let config = Config::parse(text, Path::new("gateway.toml"), Path::new("."), &|_| None).unwrap();
        let names: Vec<String> = config.routes.iter().map(config::Route::label).collect();
        assert_eq!(names, ["/x/{id}", "GET,HEAD /x/*", "api.example/*"]);
        let mut first = Meters::new(&config);
        let meters: Vec<_> = config.routes.iter().map(|route| first.route(None, route)).collect();
        let mut second = Meters::new(&config);
        for (route, meter) in config.routes.iter().zip(&meters) {
            assert!(Arc::ptr_eq(&second.route(Some(&first), route), meter));
        }
        let upstream = first.upstream(None, "a");
        assert!(Arc::ptr_eq(&second.upstream(Some(&first), "a"), &upstream));
        assert!(!Arc::ptr_eq(&second.upstream(Some(&first), "b"), &upstream));
    }
}
