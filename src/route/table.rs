//! The route table: finds the route for a host, a path and a method.
//!
//! Of the routes whose host and pattern match, the most specific wins:
//!
//! 1. routes of exactly the request's host, before routes of `*.example.com`, the longest such name first,
//!    before routes without a host: if one of them matches, the others do not count. `*` stands for one or
//!    more labels;
//! 2. exact paths, before
//! 3. paths with `{name}`: if two match, the literal wins in the first segment in which they differ
//!    (`/a/{x}/c` before `/{y}/b/c`), before
//! 4. prefixes: the one with more segments first, then as in 3.
//!
//! The method comes last. The most specific pattern decides. If none of its routes accepts the method, the
//! response is
//! 405. A less specific pattern is never tried, because its routes might require less. Several routes may
//!      share a
//! pattern if their methods differ. HEAD is not implied by GET. TRACE and CONNECT match no route.
//!
//! A case-insensitive route is as specific as a case-sensitive one: `/Orders` in any case wins over the
//! prefix `/`. Two patterns that differ only in case conflict if exactly one of them is case-insensitive,
//! whatever their methods.

use http::{HeaderValue, Method};

use super::conflicts::{Claim, Conflicts, host_key};
use super::index::Index;
use super::marks::Marks;
use super::path::{Canonical, PathError};
use super::pattern::Pattern;
use super::readings::other_readings;
use super::trie::Arm;
use super::windows::{Alias, alias};

/// A route from which the table is built.
#[derive(Debug, Clone)]
pub struct Entry<T> {
    /// The host without a port, in any case: a name, or `*.` and a name for everything below it. `None`
    /// matches any host.
    pub host: Option<String>,
    /// The pattern of the paths.
    pub pattern: Pattern,
    /// The methods, which are case-sensitive. `None` matches all except TRACE and CONNECT.
    pub methods: Option<Vec<Method>>,
    /// Whether the path matches in any ASCII case, as at the upstream.
    pub case_insensitive: bool,
    /// The marks of a path that the route accepts.
    pub allowed: Marks,
    /// What the table returns for the route.
    pub value: T,
}

/// Two entries, by their positions in the list, that some request would match equally well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// The first of the two.
    pub first: usize,
    /// The second of the two.
    pub second: usize,
}

/// The result of a look-up.
#[derive(Debug, PartialEq, Eq)]
pub enum Match<'t, T> {
    /// The route.
    Found(&'t T),
    /// The path has routes, but none accepts the method: 405.
    MethodNotAllowed {
        /// The `Allow` header of the response.
        allow: &'t HeaderValue,
    },
    /// No route matches the path: 404.
    NotFound,
    /// The route does not accept such a path, or several routes might match it: 400.
    PathRefused(PathError),
}

/// All routes, indexed. A look-up of a plain path allocates nothing, and its time depends on the length of
/// the path and the depth of the patterns, not on the number of routes.
#[derive(Debug, Clone)]
pub struct RouteTable<T> {
    /// The routes with a host. `None` if no route has one.
    hosts: Option<Box<Hosts>>,
    any_host: HostTable,
    groups: Vec<Group<T>>,
    /// [`Marks::FOLDED`] if a route matches in any case, which needs a look at paths without marks too.
    folded: Marks,
}

/// The tables of the hosts that routes name.
#[derive(Debug, Clone)]
struct Hosts {
    exact: Index<HostTable>,
    /// The routes of wildcard hosts, by the name after `*.`.
    wildcards: Index<HostTable>,
}

#[derive(Debug, Clone)]
struct HostTable {
    sensitive: Arm,
    folded: Option<Box<Arm>>,
}

/// The routes of one pattern.
#[derive(Debug, Clone)]
struct Group<T> {
    routes: Vec<Route<T>>,
    allow: HeaderValue,
    /// Whether its routes match in any case.
    folded: bool,
}

#[derive(Debug, Clone)]
struct Route<T> {
    methods: Option<Box<[Method]>>,
    allowed: Marks,
    value: T,
}

impl<T> Entry<T> {
    fn claim(&self) -> Claim<'_> {
        Claim {
            host: self.host.as_deref(),
            pattern: &self.pattern,
            methods: self.methods.as_deref(),
            case_insensitive: self.case_insensitive,
        }
    }
}

impl<T> RouteTable<T> {
    /// Builds the table.
    ///
    /// # Errors
    /// Every pair of entries that conflict.
    pub fn build(entries: impl IntoIterator<Item = Entry<T>>) -> Result<Self, Vec<Conflict>> {
        let mut table =
            Self { hosts: None, any_host: HostTable::new(), groups: Vec::new(), folded: Marks::NONE };
        let (mut claims, mut conflicts) = (Conflicts::new(), Vec::new());
        for (second, entry) in entries.into_iter().enumerate() {
            let earlier = claims.add(second, entry.claim());
            conflicts.extend(earlier.into_iter().map(|first| Conflict { first, second }));
            table.add(entry);
        }
        if conflicts.is_empty() { Ok(table) } else { Err(conflicts) }
    }

    /// Finds the route for a request. `host` is without a port, in any case.
    ///
    /// A path that servers may read in several ways (parameters, encoded slashes, `%3F`, `%3A` for `:`) is
    /// looked up in each of them. If they lead to different patterns, it is refused: the upstream might serve
    /// the resource of another route than the one that was checked. If only one of them leads to a pattern,
    /// that pattern decides.
    pub fn find(&self, host: &str, path: &Canonical<'_>, method: &Method) -> Match<'_, T> {
        let found = self.locate(host, path.as_str());
        if (path.marks() | self.folded).is_empty() {
            return match found {
                Some(group) => group.choose(method),
                None => Match::NotFound,
            };
        }
        self.find_in_all_readings(host, path, method, found)
    }

    fn find_in_all_readings<'t>(
        &'t self,
        host: &str,
        path: &Canonical<'_>,
        method: &Method,
        mut found: Option<&'t Group<T>>,
    ) -> Match<'t, T> {
        let others = if path.marks().is_empty() { Vec::new() } else { other_readings(path) };
        for reading in others {
            let Some(other) = self.locate(host, &reading) else { continue };
            if !std::ptr::eq(*found.get_or_insert(other), other) {
                return Match::PathRefused(PathError::Ambiguous);
            }
        }
        let Some(group) = found else {
            // A path that no route accepts is refused, so that the answer does not reveal which paths exist.
            return refusal(path, Marks::NONE).map_or(Match::NotFound, Match::PathRefused);
        };
        let allowed = match group.route(method) {
            Some(route) => route.allowed,
            None => group.routes.iter().fold(Marks::NONE, |all, route| all | route.allowed),
        };
        let refused = refusal(path, allowed).or_else(|| if group.folded { on_windows(path) } else { None });
        refused.map_or_else(|| group.choose(method), Match::PathRefused)
    }

    /// Finds the routes of the most specific pattern.
    fn locate(&self, host: &str, path: &str) -> Option<&Group<T>> {
        let of_host = self.hosts.as_ref().and_then(|hosts| hosts.find(host, path));
        let group = of_host.or_else(|| self.any_host.find(path))?;
        self.groups.get(group as usize)
    }

    fn add(&mut self, entry: Entry<T>) {
        let Entry { host, pattern, methods, case_insensitive, allowed, value } = entry;
        self.folded |= Marks::FOLDED.when(case_insensitive);
        let table = match host {
            Some(host) => self.hosts.get_or_insert_with(Box::default).entry(host_key(&host)),
            None => &mut self.any_host,
        };
        let arm = if case_insensitive {
            table.folded.get_or_insert_with(|| Box::new(Arm::new(true)))
        } else {
            &mut table.sensitive
        };
        let next = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        let group = arm.group(&pattern, next);
        if group == next {
            let allow = HeaderValue::from_static("");
            self.groups.push(Group { routes: Vec::new(), allow, folded: case_insensitive });
        }
        if let Some(group) = self.groups.get_mut(group as usize) {
            let methods = methods.map(Vec::into_boxed_slice);
            group.routes.push(Route { methods, allowed, value });
            group.allow = allow_header(&group.routes);
        }
    }
}

impl Default for Hosts {
    fn default() -> Self {
        Self { exact: Index::new(true), wildcards: Index::new(true) }
    }
}

impl Hosts {
    fn entry(&mut self, host: &str) -> &mut HostTable {
        match host.strip_prefix("*.") {
            Some(parent) => self.wildcards.entry(parent, HostTable::new),
            None => self.exact.entry(host, HostTable::new),
        }
    }

    fn find(&self, host: &str, path: &str) -> Option<u32> {
        let of_host = self.exact.get(host).and_then(|table| table.find(path));
        of_host.or_else(|| self.find_in_wildcards(host, path))
    }

    /// Tries the names above `host`, the longest first.
    fn find_in_wildcards(&self, host: &str, path: &str) -> Option<u32> {
        if self.wildcards.is_empty() {
            return None;
        }
        let parents = host.match_indices('.').filter_map(|(dot, _)| host.get(dot + 1..));
        parents.filter_map(|parent| self.wildcards.get(parent)).find_map(|table| table.find(path))
    }
}

impl HostTable {
    fn new() -> Self {
        Self { sensitive: Arm::new(false), folded: None }
    }

    fn find(&self, path: &str) -> Option<u32> {
        let sensitive = self.sensitive.find(path);
        let found = match &self.folded {
            None => sensitive,
            // The two are never equal: such patterns conflict.
            Some(folded) => sensitive.max(folded.find(path)),
        };
        found.map(|(_, group)| group)
    }
}

impl<T> Group<T> {
    fn choose(&self, method: &Method) -> Match<'_, T> {
        match self.route(method) {
            Some(route) => Match::Found(&route.value),
            None => Match::MethodNotAllowed { allow: &self.allow },
        }
    }

    fn route(&self, method: &Method) -> Option<&Route<T>> {
        self.routes.iter().find(|route| route.takes(method))
    }
}

impl<T> Route<T> {
    fn takes(&self, method: &Method) -> bool {
        if matches!(*method, Method::TRACE | Method::CONNECT) {
            return false;
        }
        self.methods.as_ref().is_none_or(|methods| methods.contains(method))
    }
}

fn refusal(path: &Canonical<'_>, allowed: Marks) -> Option<PathError> {
    let refused = |(mark, _): &(Marks, PathError)| path.marks().has(*mark) && !allowed.has(*mark);
    let errors = [
        (Marks::SEMICOLON, PathError::Semicolon),
        (Marks::ENCODED_SLASH, PathError::EncodedSlash),
        (Marks::ENCODED_DELIMITER, PathError::EncodedDelimiter),
        (Marks::EMPTY_SEGMENT, PathError::EmptySegment),
    ];
    errors.into_iter().find(refused).map(|(_, error)| error)
}

fn on_windows(path: &Canonical<'_>) -> Option<PathError> {
    Some(match alias(path.as_str())? {
        Alias::TrailingDot => PathError::TrailingDot,
        Alias::Lookalike => PathError::Lookalike,
    })
}

/// Lists all methods of a pattern, in the order of the configuration.
fn allow_header<T>(routes: &[Route<T>]) -> HeaderValue {
    let all = || {
        &[
            Method::GET,
            Method::HEAD,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ]
    };
    let methods = routes.iter().flat_map(|route| route.methods.as_deref().unwrap_or(all()));
    let mut names: Vec<&str> = Vec::new();
    for method in methods.filter(|method| !matches!(**method, Method::TRACE | Method::CONNECT)) {
        if !names.contains(&method.as_str()) {
            names.push(method.as_str());
        }
    }
    // Method names are tokens, which are valid in a header.
    HeaderValue::try_from(names.join(", ")).unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod reference;
#[cfg(test)]
mod tests;
