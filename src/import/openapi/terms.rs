//! Names that several modules of the translation share.

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

/// A description in one line, for `[scopes]`.
pub(super) fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default().trim();
    let line: String = line.chars().filter(|character| !character.is_control()).take(200).collect();
    if line.is_empty() { "no description".to_owned() } else { line }
}
