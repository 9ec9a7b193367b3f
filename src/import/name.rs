//! Derives the names of upstreams and scopes from texts of the source.

use crate::oauth::scope::Scopes;

/// A name of lower-case letters, digits and dashes.
pub(super) fn slug(text: &str) -> String {
    let mut slug = String::new();
    for character in text.chars().take(64) {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "api".to_owned() } else { slug.to_owned() }
}

/// Returns whether a text is a valid scope (RFC 6749 §3.3).
pub(super) fn is_scope(text: &str) -> bool {
    Scopes::from_tokens([text]).is_ok()
}
