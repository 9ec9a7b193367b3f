//! A route table and requests made of small alphabets, against a matcher as plain as can be.

use arbitrary::{Arbitrary, Unstructured};
use http::Method;
use tollgate::fuzzing::{Entry, Marks, Match, Pattern, RouteTable, canonical, strip_prefix};

const HOSTS: [&str; 3] = ["a", "b", "c"];
const METHODS: [Method; 3] = [Method::GET, Method::POST, Method::PUT];
/// Segments of routes, in canonical form.
const LITERALS: [&str; 10] = ["a", "A", "b", "ab", "a.b", "a:b", "%C3%A9", "a;b", "a%2Fb", "x"];
/// Segments of requests.
const SEGMENTS: [&str; 20] = [
    "a",
    "A",
    "b",
    "ab",
    "a.b",
    "a:b",
    "%C3%A9",
    "a;b",
    "a%2Fb",
    "x",
    "%61",
    "a%3Ab",
    "a%3Bb",
    "%c3%a9",
    "b;",
    "%2Fa",
    "a%2f",
    "a;x%2Fb",
    "x%2Fa%2Fb",
    "%41",
];

#[derive(Debug, Clone)]
pub struct Route {
    host: Option<u8>,
    prefix: bool,
    /// Beyond the literals: any name.
    segments: Vec<u8>,
    slash: bool,
    /// A bit for each; none of them: all.
    methods: u8,
    folded: bool,
    semicolon: bool,
    encoded_slash: bool,
    stripped: u8,
}

#[derive(Debug)]
pub struct Request {
    host: u8,
    segments: Vec<u8>,
    slash: bool,
    method: u8,
}

impl Arbitrary<'_> for Route {
    fn arbitrary(u: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(Self {
            host: u.arbitrary()?,
            prefix: u.arbitrary()?,
            segments: u.arbitrary()?,
            slash: u.arbitrary()?,
            methods: u.arbitrary()?,
            folded: u.arbitrary()?,
            semicolon: u.arbitrary()?,
            encoded_slash: u.arbitrary()?,
            stripped: u.arbitrary()?,
        })
    }
}

impl Arbitrary<'_> for Request {
    fn arbitrary(u: &mut Unstructured<'_>) -> arbitrary::Result<Self> {
        Ok(Self {
            host: u.arbitrary()?,
            segments: u.arbitrary()?,
            slash: u.arbitrary()?,
            method: u.arbitrary()?,
        })
    }
}

impl Route {
    fn host(&self) -> Option<&'static str> {
        self.host.map(|host| HOSTS[usize::from(host) % 2])
    }

    fn segments(&self) -> Vec<&'static str> {
        let literal = |segment: &u8| LITERALS.get(usize::from(*segment) % 13).copied().unwrap_or("{x}");
        let mut segments: Vec<_> = self.segments.iter().take(6).map(literal).collect();
        if !self.prefix && (self.slash || segments.is_empty()) {
            segments.push("");
        }
        segments
    }

    fn takes(&self, method: &Method) -> bool {
        let at = METHODS.iter().position(|known| known == method).unwrap();
        self.methods & 7 == 0 || self.methods >> at & 1 == 1
    }

    fn entry(&self, value: usize) -> Entry<usize> {
        let text = pattern_text(&self.segments());
        let pattern = if self.prefix { Pattern::prefix(&text) } else { Pattern::path(&text) };
        let methods = METHODS.iter().filter(|method| self.takes(method)).cloned().collect();
        Entry {
            host: self.host().map(str::to_owned),
            pattern: pattern.expect("a pattern"),
            methods: Some(methods),
            case_insensitive: self.folded,
            allowed: Marks::SEMICOLON.when(self.semicolon) | Marks::ENCODED_SLASH.when(self.encoded_slash),
            value,
        }
    }

    fn matches(&self, host: &str, path: &str) -> bool {
        self.host().is_none_or(|ours| ours == host) && self.matches_from(0, path)
    }

    /// Whether the path is one for the segments from `at` on.
    fn matches_from(&self, at: usize, path: &str) -> bool {
        let ours = &self.segments()[at..];
        let theirs: Vec<&str> = path.split('/').skip(1).collect();
        let same = |(ours, theirs): (&&str, &&str)| match *ours {
            "{x}" => !theirs.is_empty(),
            _ if self.folded => ours.eq_ignore_ascii_case(theirs),
            _ => ours == theirs,
        };
        (theirs.len() == ours.len()
            || self.prefix && theirs.len() > ours.len()
            || ours.is_empty() && path == "/")
            && ours.iter().zip(&theirs).all(same)
    }

    /// The greater, the more specific.
    fn rank(&self) -> (bool, u8, usize, Vec<bool>) {
        let literals: Vec<bool> = self.segments().iter().map(|segment| *segment != "{x}").collect();
        let (kind, length) = match (self.prefix, literals.contains(&false)) {
            (true, _) => (0, literals.len()),
            (false, true) => (1, 0),
            (false, false) => (2, 0),
        };
        (self.host.is_some(), kind, length, literals)
    }
}

/// The segments as a pattern, in which no two names are the same.
fn pattern_text(segments: &[&str]) -> String {
    if segments.is_empty() {
        return "/".to_owned();
    }
    let numbered = |(at, segment): (usize, &&str)| match *segment {
        "{x}" => format!("/{{x{at}}}"),
        literal => format!("/{literal}"),
    };
    segments.iter().enumerate().map(numbered).collect()
}

/// The most specific routes for a path.
fn best(routes: &[Route], host: &str, path: &str) -> Vec<usize> {
    let rank = routes.iter().filter(|route| route.matches(host, path)).map(Route::rank).max();
    let is_best = |at: &usize| routes[*at].matches(host, path) && Some(routes[*at].rank()) == rank;
    (0..routes.len()).filter(is_best).collect()
}

/// What servers make of a path, itself among it.
fn readings(path: &str) -> Vec<String> {
    let cut = |path: &str| -> String {
        let names = path.split('/').map(|segment| {
            let end = [segment.find(';'), segment.find("%3B")].into_iter().flatten().min();
            &segment[..end.unwrap_or(segment.len())]
        });
        names.collect::<Vec<_>>().join("/")
    };
    let slashes = |path: &str| {
        let mut path = path.replace("%2F", "/");
        while path.contains("//") {
            path = path.replace("//", "/");
        }
        path
    };
    let reserved = |path: &str| path.replace("%3A", ":").replace("%3B", ";");
    // Any of the steps, in the orders that servers are known for.
    let steps: [&dyn Fn(&str) -> String; 4] = [&reserved, &cut, &slashes, &cut];
    let mut readings = vec![path.to_owned()];
    for step in steps {
        let others: Vec<String> = readings.iter().map(|path| step(path)).collect();
        readings.extend(others);
    }
    readings
}

/// Tries one input.
pub fn run(input: (Vec<Route>, Vec<Request>)) {
    let (mut routes, requests) = input;
    routes.truncate(8);
    let table = loop {
        match RouteTable::build(routes.iter().enumerate().map(|(at, route)| route.entry(at))) {
            Ok(table) => break table,
            Err(conflicts) => {
                let conflict = conflicts[0];
                assert!(conflict.first < conflict.second);
                assert!(routes[conflict.first].rank() == routes[conflict.second].rank());
                routes.remove(conflict.second);
            }
        }
    };
    for request in requests.iter().take(16) {
        let segments: Vec<_> =
            request.segments.iter().take(8).map(|at| SEGMENTS[usize::from(*at) % SEGMENTS.len()]).collect();
        let slash = if request.slash && !segments.is_empty() { "/" } else { "" };
        let raw = format!("/{}{slash}", segments.join("/"));
        let (host, method) =
            (HOSTS[usize::from(request.host) % 3], &METHODS[usize::from(request.method) % 3]);
        let Ok(path) = canonical(&raw) else { continue };
        let text = path.as_str();
        let plain = !(path.has_semicolon() || path.has_encoded_slash() || path.has_reserved_escape());
        let readings = if plain { vec![text.to_owned()] } else { readings(text) };
        let groups: Vec<Vec<usize>> =
            readings.iter().map(|path| best(&routes, host, path)).filter(|group| !group.is_empty()).collect();
        match table.find(host, &path, method) {
            Match::Found(found) => {
                let route = &routes[*found];
                assert!(groups.iter().all(|group| group.contains(found)), "{raw} reads as another route's");
                assert!(!groups.is_empty() && route.takes(method));
                let taking = groups[0].iter().filter(|at| routes[**at].takes(method)).count();
                assert_eq!(taking, 1, "a conflict that was not reported");
                assert!(route.semicolon || !path.has_semicolon());
                assert!(route.encoded_slash || !path.has_encoded_slash());
                sent(route, text);
            }
            Match::MethodNotAllowed { .. } => {
                assert!(!groups.is_empty());
                assert!(groups.iter().flatten().all(|at| !routes[*at].takes(method)));
            }
            Match::NotFound => assert!(groups.is_empty()),
            Match::PathRefused(error) => assert!(!plain, "{error}"),
        }
    }
}

/// What goes upstream is canonical, and is the part of the path that the route's own is without its prefix.
fn sent(route: &Route, path: &str) {
    let segments = route.segments();
    let most = segments.iter().filter(|segment| !segment.is_empty()).count();
    let count = usize::from(route.stripped) % (most + 1);
    let prefix = (count > 0).then(|| format!("/{}", segments[..count].join("/")));
    let Some(prefix) = prefix else { return };
    let Some(sent) = strip_prefix(path, &prefix) else {
        assert!(path.contains("%2F"));
        return;
    };
    assert!(sent == "/" || path.ends_with(sent));
    assert_eq!(canonical(sent).expect("a path").as_str(), sent);
    assert!(readings(sent).iter().any(|path| route.matches_from(count, path)), "{sent} of {path}");
}
