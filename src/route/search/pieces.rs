//! The texts from which paths are built.

use std::collections::BTreeSet;

use super::shape::Shape;
use super::view::{Separator, View};

use crate::sorting::collect_sorted;

/// Returns a text that no pattern contains.
pub(super) fn fresh_text(shapes: &[Shape<'_>]) -> String {
    let known = shapes
        .iter()
        .flat_map(|shape| shape.pattern.segments().iter().filter_map(|segment| segment.literal()))
        .flat_map(|literal| literal.split(';'))
        .flat_map(|part| part.split("%2F"))
        .flat_map(|part| part.split("%3F"))
        .map(str::to_ascii_lowercase);
    let known: BTreeSet<String> = collect_sorted(known);
    let mut text = "x".to_owned();
    let mut number = 1;
    while known.contains(&text) {
        number += 1;
        text = format!("x{number}");
    }
    text
}

/// Returns the texts that may follow and that patterns distinguish. The text that no pattern contains comes
/// first, because it matches the fewest patterns.
pub(super) fn next_pieces(
    shapes: &[Shape<'_>],
    views: &[View],
    separators: &[Separator],
    fresh: &str,
) -> Vec<String> {
    let (mut exact, mut folded) = (BTreeSet::new(), BTreeSet::new());
    for (literal, in_any_case) in views.iter().flat_map(|view| view.literals(shapes)) {
        let ends = separators.iter().filter_map(|separator| literal.find(separator.as_str()));
        let piece = literal.get(..ends.min().unwrap_or(literal.len())).unwrap_or(literal);
        if in_any_case {
            folded.insert(piece)
        } else {
            exact.insert(piece)
        };
    }
    let mut pieces = vec![fresh.to_owned(), String::new()];
    // A spelling that only the case-insensitive patterns match, if there is one.
    pieces.extend(folded.iter().filter_map(|piece| other_spelling(piece, &exact)));
    pieces.extend(exact.iter().filter(|piece| !piece.is_empty()).map(|piece| (*piece).to_owned()));
    pieces
}

/// Returns `piece` in a spelling that is not in `taken`.
fn other_spelling(piece: &str, taken: &BTreeSet<&str>) -> Option<String> {
    let bytes = piece.as_bytes();
    // The digits of an escape have only one spelling.
    let in_escape = |at: usize| (1..=2).any(|back| at >= back && bytes.get(at - back) == Some(&b'%'));
    let letters: Vec<usize> = piece
        .char_indices()
        .filter(|(at, character)| character.is_ascii_alphabetic() && !in_escape(*at))
        .map(|(at, _)| at)
        .take(63)
        .collect();
    let spelled = |toggled: u64| -> String {
        let toggle = |(at, character): (usize, char)| match letters.iter().position(|letter| *letter == at) {
            Some(bit) if toggled >> bit & 1 == 1 && character.is_ascii_lowercase() => {
                character.to_ascii_uppercase()
            }
            Some(bit) if toggled >> bit & 1 == 1 => character.to_ascii_lowercase(),
            _ => character,
        };
        piece.char_indices().map(toggle).collect()
    };
    // One more than the number of `taken` spellings is enough.
    let most = (1_u64 << letters.len()).min(taken.len() as u64 + 1);
    let spelling = (0..most).map(spelled).find(|spelling| !taken.contains(spelling.as_str()));
    spelling.filter(|spelling| !spelling.is_empty())
}
