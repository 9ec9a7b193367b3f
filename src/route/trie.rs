//! An index of patterns by segment: those with `{name}`, and prefixes.

use super::index::Index;
use super::pattern::{Pattern, Segment};

/// How specific a pattern is. Of the patterns that match a path, the greatest wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// By length in segments, then as [`Rank::Named`]. The mask has a bit for each literal, the first
    /// segment's highest, so that the leftmost literal decides.
    Prefix(u32, u64),
    /// Patterns that match the same path have the same length, so the mask decides.
    Named(u64),
    Exact,
}

impl Rank {
    /// Returns the bit of the mask for a literal at `depth`, which is counted from 0.
    fn literal(depth: u32) -> u64 {
        (1 << 63_u64) >> depth.min(63)
    }
}

/// The result of a search: how specific the pattern is, and the index of its group of routes.
pub(super) type Found = (Rank, u32);

/// All patterns of one host that are case-sensitive, or all that are not.
#[derive(Debug, Clone)]
pub(super) struct Arm {
    exact: Index<u32>,
    /// The first is the root. Empty if there are only exact patterns.
    nodes: Vec<Node>,
    folded: bool,
}

#[derive(Debug, Clone)]
struct Node {
    literals: Index<u32>,
    any: Option<u32>,
    /// The group of the pattern that ends here.
    leaf: Option<u32>,
    /// The group of the prefix that ends here.
    prefix: Option<u32>,
}

impl Arm {
    /// Creates an empty index. `folded` ignores ASCII case.
    pub(super) fn new(folded: bool) -> Self {
        Self { exact: Index::new(folded), nodes: Vec::new(), folded }
    }

    /// Returns the group of `pattern`; a new pattern gets the group `next`.
    pub(super) fn group(&mut self, pattern: &Pattern, next: u32) -> u32 {
        if let Some(path) = pattern.exact() {
            return *self.exact.entry(path, || next);
        }
        if self.nodes.is_empty() {
            self.nodes.push(Node::new(self.folded));
        }
        let mut at = 0;
        for segment in pattern.segments() {
            at = self.child(at, segment);
        }
        let node = &mut self.nodes[at];
        let place = if pattern.is_prefix() { &mut node.prefix } else { &mut node.leaf };
        *place.get_or_insert(next)
    }

    /// Returns the node after `segment`, and adds it if there is none. Every index of a node is within
    /// `nodes`.
    fn child(&mut self, at: usize, segment: &Segment) -> usize {
        let new = self.nodes.len();
        let number = u32::try_from(new).unwrap_or(u32::MAX);
        let node = &mut self.nodes[at];
        let child = match segment {
            Segment::Literal(text) => *node.literals.entry(text, || number),
            Segment::Any => *node.any.get_or_insert(number),
        };
        if child == number {
            self.nodes.push(Node::new(self.folded));
        }
        child as usize
    }

    /// Finds the most specific pattern that matches `path`.
    pub(super) fn find(&self, path: &str) -> Option<Found> {
        if let Some(group) = self.exact.get(path) {
            return Some((Rank::Exact, *group));
        }
        let root = self.nodes.first()?;
        let mut best = None;
        self.walk(root, path.strip_prefix('/'), 0, 0, &mut best);
        best
    }

    /// Searches below `node` for the rest of a path, of which `depth` segments with their `mask` were
    /// matched. Literals are tried before `{name}`, so the first leaf is the most specific one: it ends the
    /// search with `true`.
    ///
    /// The depth is at most that of the patterns (64), and each node is visited at most once, however long
    /// the path.
    fn walk(&self, node: &Node, rest: Option<&str>, depth: u32, mask: u64, best: &mut Option<Found>) -> bool {
        if let Some(group) = node.prefix {
            let rank = Rank::Prefix(depth, mask);
            if best.is_none_or(|(held, _)| held < rank) {
                *best = Some((rank, group));
            }
        }
        let Some(rest) = rest else {
            if let Some(group) = node.leaf {
                *best = Some((Rank::Named(mask), group));
            }
            return node.leaf.is_some();
        };
        let (segment, rest) = match rest.split_once('/') {
            Some((segment, rest)) => (segment, Some(rest)),
            None => (rest, None),
        };
        let below = |child: Option<&u32>| child.and_then(|child| self.nodes.get(*child as usize));
        if let Some(child) = below(node.literals.get(segment))
            && self.walk(child, rest, depth + 1, mask | Rank::literal(depth), best)
        {
            return true;
        }
        match below(node.any.as_ref()) {
            Some(child) if !segment.is_empty() => self.walk(child, rest, depth + 1, mask, best),
            _ => false,
        }
    }
}

impl Node {
    fn new(folded: bool) -> Self {
        Self { literals: Index::new(folded), any: None, leaf: None, prefix: None }
    }
}
