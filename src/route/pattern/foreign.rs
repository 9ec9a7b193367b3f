//! Wildcards and regular expressions of other gateways, and what to write instead.
//!
//! Most of their characters are allowed in a path, so such a pattern would be a literal. A route `/admin/*`
//! would then protect a path that no client requests, and leave `/admin/users` to the route `/`.

/// A wildcard or regular expression in a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignSyntax {
    /// The part of the pattern that is not a literal in other gateways, such as `*` or `:id`.
    pub found: String,
    /// The setting that has the same meaning here, such as `prefix = "/admin"`.
    pub instead: String,
}

/// The meaning of a segment in the syntax of another gateway.
#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    /// The segment itself.
    Literal,
    /// Any single segment, with its name if it has one.
    One(Option<String>),
    /// Any number of segments.
    Rest,
    /// Something that cannot be expressed by whole segments.
    Part,
}

/// Finds the first wildcard or regular expression in the text of a pattern.
pub(super) fn foreign_syntax(text: &str, is_prefix: bool) -> Option<ForeignSyntax> {
    let anchored = text.strip_prefix('^').map(|_| "^").or_else(|| text.strip_suffix('$').map(|_| "$"));
    let text = text.strip_prefix('^').unwrap_or(text);
    let text = text.strip_suffix('$').unwrap_or(text);
    let mut segments: Vec<String> = Vec::new();
    let mut found = anchored.map(str::to_owned);
    let mut is_prefix = is_prefix;
    let mut names = 0;
    for segment in split(text) {
        let meaning = meaning(segment);
        if meaning != Meaning::Literal && found.is_none() {
            found = Some(segment.to_owned());
        }
        match meaning {
            Meaning::Literal => segments.push(segment.to_owned()),
            Meaning::One(Some(name)) => segments.push(format!("{{{name}}}")),
            Meaning::One(None) => {
                names += 1;
                segments.push(if names == 1 { "{name}".to_owned() } else { format!("{{name{names}}}") });
            }
            Meaning::Rest => {
                is_prefix = true;
                break;
            }
            Meaning::Part => {
                // The whole segment is the smallest unit that matches at least as much.
                names += 1;
                segments.push(if names == 1 { "{name}".to_owned() } else { format!("{{name{names}}}") });
            }
        }
    }
    let found = found?;
    let mut path = segments.join("/");
    if is_prefix && path.len() > 1 {
        path.truncate(path.trim_end_matches('/').len());
    }
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    let key = if is_prefix { "prefix" } else { "path" };
    Some(ForeignSyntax { found, instead: format!("{key} = {path:?}") })
}

/// Splits at slashes that are not inside brackets: `{rest:.*/x}` and `[^/]+` are one segment.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_usize, 0, Vec::new());
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'/' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn meaning(segment: &str) -> Meaning {
    // Catch-all wildcards: nginx and Spring `**`, Gin `*rest`, regular expressions `.*`.
    if matches!(segment, "*" | "**" | ".*" | ".+" | "(.*)" | "(.+)") {
        return Meaning::Rest;
    }
    if segment.strip_prefix('*').is_some_and(is_name) {
        return Meaning::Rest;
    }
    // Express, Gin, Rails and KrakenD: `:id`, `:rest*`, `:id?`.
    if let Some(name) = segment.strip_prefix(':') {
        let plain = name.trim_end_matches(['*', '+', '?']);
        let plain = plain.split('(').next().unwrap_or_default();
        if is_name(plain) {
            return if name.ends_with(['*', '+']) {
                Meaning::Rest
            } else {
                Meaning::One(Some(plain.to_owned()))
            };
        }
    }
    // Flask: `<id>`, `<int:id>`, `<path:rest>`.
    if let Some(inner) = segment.strip_prefix('<').and_then(|rest| rest.strip_suffix('>')) {
        let (kind, name) = inner.split_once(':').unwrap_or(("", inner));
        return if kind == "path" { Meaning::Rest } else { Meaning::One(named(name)) };
    }
    // `{id:[0-9]+}`, `{id:int}`, `{id?}`, `{*rest}`, `{rest...}`, `{rest+}`, `{rest*}`.
    if let Some(inner) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
        let (name, kind) = inner.split_once(':').unwrap_or((inner, ""));
        if is_name(name) && kind.is_empty() && inner == name {
            return Meaning::Literal;
        }
        let catches_all = name.starts_with('*')
            || name.ends_with("...")
            || name.ends_with(['*', '+'])
            || matches!(kind, "path" | ".*" | ".+" | "*");
        let known = !kind.is_empty() || catches_all || name.ends_with('?');
        return match (catches_all, known) {
            (true, _) => Meaning::Rest,
            (false, true) => Meaning::One(named(name.trim_end_matches('?'))),
            // A mistake in the syntax of this gateway, which has its own error.
            (false, false) => Meaning::Literal,
        };
    }
    let is_expression = segment.contains('*')
        || has_class(segment)
        || segment.contains("(?")
        || segment.contains(".+")
        || segment.contains('|') && segment.contains('(')
        || segment.contains('\\') && segment.ends_with(['+', '?', '}', ')']);
    if !is_expression {
        return Meaning::Literal;
    }
    // One expression for the whole segment, such as `[0-9]+`, `[^/]*`, `(a|b)` or `\d+`.
    let whole = segment.starts_with(['[', '(', '\\']);
    if whole { Meaning::One(None) } else { Meaning::Part }
}

/// Returns whether a segment has a character class: `[0-9]`, `[^/]`, or any other with a quantifier.
fn has_class(segment: &str) -> bool {
    let Some((_, rest)) = segment.split_once('[') else { return false };
    let Some((class, after)) = rest.split_once(']') else { return false };
    class.starts_with('^') || class.contains('-') || after.starts_with(['+', '?', '{'])
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn named(text: &str) -> Option<String> {
    is_name(text).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syntax_of_other_gateways_is_translated() {
        let table = [
            ("/admin/*", "*", "prefix = \"/admin\""),
            ("/admin/**", "**", "prefix = \"/admin\""),
            ("/admin/.*", ".*", "prefix = \"/admin\""),
            ("/admin/*rest", "*rest", "prefix = \"/admin\""),
            ("/admin/{*rest}", "{*rest}", "prefix = \"/admin\""),
            ("/admin/{rest...}", "{rest...}", "prefix = \"/admin\""),
            ("/admin/{rest:.*}", "{rest:.*}", "prefix = \"/admin\""),
            ("/files/<path:rest>", "<path:rest>", "prefix = \"/files\""),
            ("/files/:rest*", ":rest*", "prefix = \"/files\""),
            ("/*", "*", "prefix = \"/\""),
            ("/users/:id", ":id", "path = \"/users/{id}\""),
            ("/users/:id/posts/:post", ":id", "path = \"/users/{id}/posts/{post}\""),
            ("/users/<int:id>", "<int:id>", "path = \"/users/{id}\""),
            ("/users/<id>", "<id>", "path = \"/users/{id}\""),
            ("/users/{id:[0-9]+}", "{id:[0-9]+}", "path = \"/users/{id}\""),
            ("/users/{id:int}", "{id:int}", "path = \"/users/{id}\""),
            ("/users/[0-9]+", "[0-9]+", "path = \"/users/{name}\""),
            ("/users/[^/]+/x", "[^/]+", "path = \"/users/{name}/x\""),
            ("/users/\\d+", "\\d+", "path = \"/users/{name}\""),
            ("/(a|b)/[0-9]+", "(a|b)", "path = \"/{name}/{name2}\""),
            ("/a/*/b", "*", "prefix = \"/a\""),
            ("^/orders$", "^", "path = \"/orders\""),
            ("/orders$", "$", "path = \"/orders\""),
            ("/report-*", "report-*", "path = \"/{name}\""),
            ("/v1/*.json", "*.json", "path = \"/v1/{name}\""),
        ];
        for (text, found, instead) in table {
            let wanted = ForeignSyntax { found: found.to_owned(), instead: instead.to_owned() };
            assert_eq!(foreign_syntax(text, false), Some(wanted), "{text}");
        }
        let prefix = foreign_syntax("/users/:id", true).expect("a wildcard");
        assert_eq!(prefix.instead, "prefix = \"/users/{id}\"");
    }

    #[test]
    fn paths_of_real_apis_are_not_taken_for_patterns() {
        let table = [
            "/",
            "/orders/{id}",
            "/{a}/{b}/",
            "/v1/items:batchGet",
            "/odata/$metadata",
            "/odata/$batch",
            "/odata/Products(1)",
            "/a.b/c+d",
            "/~user/@me",
            "/a,b;c=d",
            "/index.html",
            "/w3c/1.0",
            "/what's-new!",
            "/urn:isbn:1",
            "/list[0]|x",
            "/a^",
            "/a<b",
            "/a{b}",
            "/{}",
        ];
        for text in table {
            assert_eq!(foreign_syntax(text, false), None, "{text}");
        }
    }
}
