//! A scope of any text: the grammar of RFC 6749 §3.3 to the letter.

use tollgate::oauth::{Requirement, Scopes};

/// The tokens, each once.
fn reference(text: &str) -> Option<Vec<&str>> {
    let mut once = Vec::new();
    for token in text.split(' ') {
        let allowed = |c: char| matches!(c, '!'..='~') && c != '"' && c != '\\';
        if token.is_empty() || !token.chars().all(allowed) {
            return None;
        }
        if !once.contains(&token) {
            once.push(token);
        }
    }
    Some(once)
}

/// Tries one input.
pub fn run(input: (&str, &str)) {
    let read = |text| {
        let (scopes, tokens) = (Scopes::parse(text).ok(), reference(text));
        let wire = tokens.as_ref().map(|tokens| tokens.join(" "));
        assert_eq!(scopes.as_ref().map(Scopes::as_str), wire.as_deref());
        Some((scopes?, tokens?))
    };
    let (Some((held, held_tokens)), Some((needed, needed_tokens))) = (read(input.0), read(input.1)) else {
        return;
    };
    assert!(held.iter().eq(held_tokens.iter().copied()));
    assert_eq!(Scopes::parse(held.as_str()).as_ref(), Ok(&held));
    let holds = |token: &&str| held_tokens.contains(token);
    assert_eq!(Requirement::All(needed.clone()).is_met_by(&held), needed_tokens.iter().all(holds));
    assert_eq!(Requirement::Any(needed.clone()).is_met_by(&held), needed_tokens.iter().any(holds));
    assert!(Requirement::All(held.clone()).is_met_by(&held));
}
