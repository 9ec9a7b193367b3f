//! How keys and values are shown in messages.

/// Returns a text in quotes, without what may be secret in any place: a hash, and the user information and
/// the query of a URL.
pub(super) fn show_text(text: &str) -> String {
    if text.starts_with("$argon2") {
        return "(a hash, not shown)".to_owned();
    }
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let separator = if rest.len() == text.len() { "" } else { "://" };
    let query = if separator.is_empty() { None } else { rest.find('?') };
    let (hidden, rest, query) = match (rest.rfind('@'), query) {
        // It is unclear which of the two contains the other, so neither is shown.
        (Some(at), Some(query)) if query < at => ("…", "", ""),
        (at, query) => {
            let (rest, query) = query.map_or((rest, ""), |query| (&rest[..query], "?…"));
            at.map_or(("", rest, query), |at| ("…", &rest[at..], query))
        }
    };
    format!("{:?}", shorten(&format!("{scheme}{separator}{hidden}{rest}{query}")))
}

/// Returns the first characters of a long text.
pub(super) fn shorten(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Appends a key to a key path, quoted if TOML needs it.
pub(crate) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    let key = shorten(key);
    match (path.is_empty(), bare) {
        (true, true) => key,
        (true, false) => format!("{key:?}"),
        (false, true) => format!("{path}.{key}"),
        (false, false) => format!("{path}.{key:?}"),
    }
}
