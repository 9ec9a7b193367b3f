//! Searches all paths for one with a property. There are infinitely many paths, but patterns distinguish only
//! finitely many.
//!
//! A path is built piece by piece, from the texts in the patterns and one text that no pattern contains. For
//! each [reading](super::readings) of the path, the search keeps the patterns that the path can still match.
//! Two prefixes with the same remaining patterns have the same continuations, so only the first one is
//! continued.
//!
//! Some paths need no search, because another one matches the same patterns and is accepted wherever they
//! are:
//! - reserved characters that are escaped (`%3A`) match what they match without the escape: no pattern has
//!   one;
//! - empty segments match what the path matches without them: no pattern has one.

mod pieces;
mod shape;
mod view;

use std::collections::{HashSet, VecDeque};

use self::pieces::{fresh_text, next_pieces};
pub use self::shape::Shape;
use self::view::{Reading, Separator, View};
use super::marks::Marks;
use super::pattern::Pattern;
use super::windows::alias;

/// The maximum number of steps of a search. Real route tables need some thousands.
const MAX_STEPS: usize = 5_000_000;
/// The maximum number of prefixes that a search keeps.
const MAX_BEGINNINGS: usize = 30_000;

/// The result of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A path was accepted.
    Accepted,
    /// No path is accepted.
    Exhausted,
    /// The search was not finished within its limits.
    TooLarge,
}

/// Offers paths to `accept` until it accepts one. The paths are canonical, or refused by
/// [`canonical`](super::path::canonical).
///
/// `accept` may accept only paths with a reading that matches a goal. If no path is accepted, `accept` would
/// accept no path at all that can be read as one of `wanted`. `accept` must depend only on which patterns of
/// `wanted` and `others` the readings of a path match, on the path's marks, and on which of its first
/// `marked_depth` segments have them. `marks` are those that a path may have to be accepted.
pub fn find_path(
    wanted: &Pattern,
    others: &[Shape<'_>],
    marks: Marks,
    marked_depth: usize,
    mut accept: impl FnMut(&str) -> bool,
) -> Outcome {
    let folds = others.iter().any(|shape| shape.folded);
    let wanted = [
        Shape { pattern: wanted, folded: false, is_goal: false },
        Shape { pattern: wanted, folded: true, is_goal: false },
    ];
    let wanted = wanted.into_iter().take(if folds { 2 } else { 1 });
    let most_wanted = if folds { 2 } else { 1 };
    let shapes: Vec<Shape<'_>> = wanted.chain(others.iter().copied()).collect();
    let separators = Separator::of(marks);
    let readings = Reading::all(marks);
    let fresh = fresh_text(&shapes);
    let start = View::start(&shapes);
    let first = Beginning { path: "/".to_owned(), views: vec![start; readings.len()], marked: 0 };
    let (mut queue, mut seen, mut steps) = (VecDeque::from([first]), HashSet::new(), 0);
    while let Some(beginning) = queue.pop_front() {
        for piece in next_pieces(&shapes, &beginning.views, &separators, &fresh) {
            let path = format!("{}{piece}", beginning.path);
            steps += 1;
            if accept(&path) {
                return Outcome::Accepted;
            }
            for separator in &separators {
                if !beginning.can_continue(&piece, *separator) {
                    continue;
                }
                let mut views = beginning.views.clone();
                for (view, reading) in views.iter_mut().zip(&readings) {
                    steps += view.size() + 1;
                    view.advance(&shapes, *reading, &piece, *separator);
                }
                if steps > MAX_STEPS || seen.len() > MAX_BEGINNINGS {
                    return Outcome::TooLarge;
                }
                let is_hopeless = !views.iter().any(|view| view.may_match(most_wanted))
                    || !views.iter().any(|view| view.may_reach_goal(&shapes));
                if is_hopeless {
                    continue;
                }
                let path = format!("{path}{}", separator.as_str());
                let marked = beginning.marked | mark_of(&path, *separator, marked_depth);
                let aliased = folds && alias(&path).is_some();
                let used = used_marks(&path);
                if seen.insert((views.clone(), marked, used, aliased)) {
                    queue.push_back(Beginning { path, views, marked });
                }
            }
        }
    }
    Outcome::Exhausted
}

/// A prefix of a path, including a separator at its end.
struct Beginning {
    path: String,
    /// The remaining patterns of each reading.
    views: Vec<View>,
    /// A bit for each of the first segments that has an encoded slash or delimiter.
    marked: u64,
}

impl Beginning {
    /// Returns whether `piece` and `separator` may follow.
    fn can_continue(&self, piece: &str, separator: Separator) -> bool {
        // An empty segment, or a segment of parameters only.
        let in_literal = self.path.ends_with("%2F") && self.views.first().is_some_and(View::is_in_literal);
        !piece.is_empty() || separator == Separator::Delimiter || in_literal
    }
}

fn mark_of(path: &str, separator: Separator, depth: usize) -> u64 {
    if !matches!(separator, Separator::EncodedSlash | Separator::Delimiter) {
        return 0;
    }
    let segment = path.matches('/').count().saturating_sub(1);
    if segment >= depth {
        return 0;
    }
    u32::try_from(segment).ok().and_then(|segment| 1_u64.checked_shl(segment)).unwrap_or(0)
}

fn used_marks(path: &str) -> [bool; 3] {
    [path.contains(';'), path.contains("%2F"), path.contains("%3F")]
}
