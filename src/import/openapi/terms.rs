//! Names that the parts of the translation share.

/// The methods that a path item can have, and that a route can have.
pub(super) const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];
/// Where the scope of an operation comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ScopeSource {
    /// The first tag of the operation: `orders.read` for GET and HEAD, `orders.write` for other methods.
    Tags,
    /// The scopes of the security requirements of OAuth 2.0 and OpenID Connect.
    Security,
    /// The first fixed segment of the path, with `.read` or `.write`.
    Path,
}

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

/// Whether a text can be a scope (RFC 6749 §3.3).
pub(super) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e))
}

/// A description in one line, for `[scopes]`.
pub(super) fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let line: String = line.chars().filter(|character| !character.is_control()).take(200).collect();
    if line.is_empty() { "no description".to_owned() } else { line }
}
