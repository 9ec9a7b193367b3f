//! Compares the route table with a simple matcher, over small alphabets.

use proptest::prelude::*;

use super::*;
use crate::route::path::canonical;

/// A route of the simple matcher.
#[derive(Debug, Clone)]
struct Naive {
    host: Option<&'static str>,
    prefix: bool,
    segments: Vec<&'static str>,
    methods: Option<Vec<Method>>,
    folded: bool,
}

impl Naive {
    fn matches(&self, host: &str, path: &str) -> bool {
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        let same = |(ours, theirs): (&&str, &&str)| match *ours {
            "{x}" => !theirs.is_empty(),
            _ if self.folded => ours.to_lowercase() == theirs.to_lowercase(),
            _ => ours == theirs,
        };
        self.takes_host(host)
            && (segments.len() == self.segments.len() || self.prefix && segments.len() > self.segments.len())
            && self.segments.iter().zip(&segments).all(same)
    }

    fn takes_host(&self, host: &str) -> bool {
        match self.host.map(|ours| (ours, ours.strip_prefix('*'))) {
            None => true,
            Some((_, Some(behind))) => host.len() > behind.len() && host.ends_with(behind),
            Some((ours, None)) => ours == host,
        }
    }

    fn host_rank(&self) -> (u8, usize) {
        match self.host {
            None => (0, 0),
            Some(host) if host.starts_with('*') => (1, host.len()),
            Some(_) => (2, 0),
        }
    }

    fn rank(&self) -> ((u8, usize), u8, usize, Vec<bool>) {
        let literals: Vec<bool> = self.segments.iter().map(|segment| *segment != "{x}").collect();
        let (kind, length) = match (self.prefix, literals.contains(&false)) {
            (true, _) => (0, literals.len()),
            (false, true) => (1, 0),
            (false, false) => (2, 0),
        };
        (self.host_rank(), kind, length, literals)
    }

    fn takes(&self, method: &Method) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(method))
    }

    fn conflicts_with(&self, other: &Self) -> bool {
        let overlap = self.folded != other.folded
            || [Method::GET, Method::POST, Method::PUT]
                .iter()
                .any(|method| self.takes(method) && other.takes(method));
        let both =
            |path: &String| HOSTS.iter().any(|host| self.matches(host, path) && other.matches(host, path));
        overlap && self.rank() == other.rank() && all_paths().iter().any(both)
    }

    fn entry(&self, value: usize) -> Entry<usize> {
        let numbered = |(at, segment): (usize, &&str)| match *segment {
            "{x}" => format!("/{{x{at}}}"),
            literal => format!("/{literal}"),
        };
        let text = if self.segments.is_empty() {
            "/".to_owned()
        } else {
            self.segments.iter().enumerate().map(numbered).collect()
        };
        Entry {
            host: self.host.map(str::to_owned),
            pattern: if self.prefix { Pattern::prefix(&text) } else { Pattern::path(&text) }
                .expect("a pattern"),
            methods: self.methods.clone(),
            case_insensitive: self.folded,
            allowed: Marks::NONE,
            value,
        }
    }
}

/// Hosts of requests.
const HOSTS: [&str; 6] = ["a", "b", "x.b", "y.x.b", "z.y.x.b", "xb"];

/// All paths of up to three segments over a small alphabet, and some longer ones.
fn all_paths() -> Vec<String> {
    let mut paths = vec![String::new()];
    let mut last = paths.clone();
    for _ in 0..3 {
        last = last
            .iter()
            .flat_map(|path| ["a", "A", "b", "c"].map(|segment| format!("{path}/{segment}")))
            .collect();
        paths.extend(last.clone());
    }
    paths.extend(last.iter().step_by(5).map(|path| format!("{path}/b/c")));
    let slashed: Vec<_> = paths.iter().map(|path| format!("{path}/")).collect();
    paths.retain(|path| !path.is_empty());
    paths.extend(slashed);
    paths
}

fn naive() -> impl Strategy<Value = Naive> {
    let segment = prop::sample::select(vec!["a", "A", "b", "{x}"]);
    let methods =
        prop::sample::select(vec![None, Some(vec![Method::GET]), Some(vec![Method::POST, Method::PUT])]);
    let host = prop::sample::select(vec![
        None,
        None,
        Some("a"),
        Some("x.b"),
        Some("*.b"),
        Some("*.x.b"),
        Some("*.y.x.b"),
    ]);
    (
        host,
        any::<bool>(),
        prop::collection::vec(segment, 0..4),
        methods,
        prop::bool::weighted(0.3),
        any::<bool>(),
    )
        .prop_map(|(host, prefix, mut segments, methods, folded, slash)| {
            if !prefix && (slash || segments.is_empty()) {
                segments.push("");
            }
            Naive { host, prefix, segments, methods, folded }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn agrees_with_a_naive_matcher(mut routes in prop::collection::vec(naive(), 1..9)) {
        let conflict = |routes: &[Naive]| {
            let later = |(at, second): (usize, &Naive)| routes[..at].iter().position(|first| first.conflicts_with(second)).map(|first| (first, at));
            routes.iter().enumerate().find_map(later)
        };
        let build = |routes: &[Naive]| RouteTable::build(routes.iter().enumerate().map(|(at, route)| route.entry(at)));
        while let Some((first, second)) = conflict(&routes) {
            let reported = build(&routes).expect_err("a conflict");
            prop_assert!(reported.contains(&Conflict { first, second }), "{:?} reported, {:?}", reported, (first, second));
            for found in reported {
                prop_assert!(routes[found.first].conflicts_with(&routes[found.second]));
            }
            routes.remove(second);
        }
        let table = build(&routes).expect("no conflicts");
        for path in all_paths() {
            let canonical = canonical(&path).expect("a path");
            for host in HOSTS {
                let best = routes.iter().filter(|route| route.matches(host, &path)).map(Naive::rank).max();
                for method in [Method::GET, Method::PUT] {
                    let chosen = routes.iter().position(|route| {
                        route.matches(host, &path) && Some(route.rank()) == best && route.takes(&method)
                    });
                    let found = match table.find(host, &canonical, &method) {
                        Match::Found(value) => (true, Some(*value)),
                        Match::MethodNotAllowed { .. } => (true, None),
                        Match::NotFound => (false, None),
                        Match::PathRefused(error) => panic!("{path}: {error}"),
                    };
                    prop_assert_eq!(found, (best.is_some(), chosen), "{} {} {}", method, host, path);
                }
            }
        }
    }
}
