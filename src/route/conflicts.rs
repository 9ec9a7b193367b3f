//! Routes that some request would match equally well.

use std::collections::HashMap;

use http::Method;

use super::pattern::Pattern;

/// The part of a route that decides which of two routes is more specific.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The host, without a port, in any case, or `*.` and a name. `None` is any host.
    pub host: Option<&'a str>,
    /// The pattern of the paths.
    pub pattern: &'a Pattern,
    /// The methods. `None` matches all methods.
    pub methods: Option<&'a [Method]>,
    /// Whether the path matches in any ASCII case.
    pub case_insensitive: bool,
}

/// The claims of the routes added so far, each under a label of the caller's choice.
#[derive(Debug)]
pub struct Conflicts<L> {
    /// By host and pattern, both in lower case and without the names: only claims that agree in these can
    /// conflict.
    claims: HashMap<(Option<String>, bool, String), Vec<Known<L>>>,
}

#[derive(Debug)]
struct Known<L> {
    label: L,
    shape: String,
    case_insensitive: bool,
    methods: Option<Vec<Method>>,
}

impl<L: Copy> Conflicts<L> {
    /// Creates an empty set of claims.
    pub fn new() -> Self {
        Self { claims: HashMap::new() }
    }

    /// Adds a claim and returns the labels of the earlier claims that it conflicts with, in their order.
    pub fn add(&mut self, label: L, claim: Claim<'_>) -> Vec<L> {
        let shape = claim.pattern.shape();
        let host = claim.host.map(|host| host_key(host).to_ascii_lowercase());
        let key = (host, claim.pattern.is_prefix(), shape.to_ascii_lowercase());
        let new = Known {
            label,
            shape,
            case_insensitive: claim.case_insensitive,
            methods: claim.methods.map(<[Method]>::to_vec),
        };
        let known = self.claims.entry(key).or_default();
        let conflicts = known.iter().filter(|earlier| earlier.conflicts_with(&new));
        let labels = conflicts.map(|earlier| earlier.label).collect();
        known.push(new);
        labels
    }
}

impl<L> Known<L> {
    /// Compares two claims whose patterns differ only in case.
    fn conflicts_with(&self, other: &Self) -> bool {
        if self.case_insensitive != other.case_insensitive {
            // Methods cannot distinguish them: the case of the path would decide which of the two matches.
            return true;
        }
        let same = self.case_insensitive || self.shape == other.shape;
        same && match (&self.methods, &other.methods) {
            (Some(ours), Some(theirs)) => ours.iter().any(|method| theirs.contains(method)),
            _ => true,
        }
    }
}

/// Hosts are compared without the dot that ends a fully qualified name.
pub(super) fn host_key(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}
