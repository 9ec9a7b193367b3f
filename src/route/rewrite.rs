//! Rewrites the canonical path for the upstream, and maps upstream paths back.

use std::borrow::Cow;

use super::strip::strip_prefix;
use super::template::Template;

/// The change of a request path for the upstream.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rewrite {
    /// The prefix that is added to every path. It is empty, or begins with a slash and ends without one.
    pub base: Box<str>,
    /// The change of the path itself.
    pub path: PathRewrite,
}

/// The change of the canonical path itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum PathRewrite {
    /// No change.
    #[default]
    Keep,
    /// As many leading segments are removed as this prefix has.
    Strip(Box<str>),
    /// The path is built from a template.
    Template(Template),
}

impl Rewrite {
    /// Returns whether nothing changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the path for the upstream, or `None` if servers may read other segments from `path` than the
    /// route does.
    pub fn apply<'p>(&self, path: &'p str) -> Option<Cow<'p, str>> {
        let path = match &self.path {
            PathRewrite::Keep => Cow::Borrowed(path),
            PathRewrite::Strip(prefix) => Cow::Borrowed(strip_prefix(path, prefix)?),
            PathRewrite::Template(template) => Cow::Owned(template.apply(path)?),
        };
        if self.base.is_empty() { Some(path) } else { Some(Cow::Owned(format!("{}{path}", self.base))) }
    }

    /// Returns the prefix that is removed from `path`.
    pub fn removed<'p>(&self, path: &'p str) -> Option<&'p str> {
        let PathRewrite::Strip(prefix) = &self.path else { return None };
        let rest = strip_prefix(path, prefix)?;
        path.strip_suffix(rest).or(Some(path))
    }

    /// Returns the path that a client must request to reach `path` at the upstream, for example after a
    /// redirect. `request` is the canonical path of the client's request. Returns `None` if this route does
    /// not lead to `path`.
    pub fn restore(&self, request: &str, path: &str) -> Option<String> {
        let path = match path.strip_prefix(&*self.base)? {
            "" => "/",
            below if below.starts_with('/') => below,
            _ => return None,
        };
        match &self.path {
            PathRewrite::Keep => Some(path.to_owned()),
            PathRewrite::Strip(_) => {
                let removed = self.removed(request)?;
                // A server that supports X-Forwarded-Prefix has already added it.
                Some(if is_below(path, removed) { path.to_owned() } else { format!("{removed}{path}") })
            }
            PathRewrite::Template(template) => template.restore(request, path),
        }
    }

    /// Returns the path of a cookie for the client, like [`restore`](Self::restore). The path of a cookie
    /// covers everything below it.
    pub fn restore_cookie(&self, request: &str, path: &str) -> Option<String> {
        let path = path.strip_suffix('/').unwrap_or(path);
        // A cookie whose path is above the base of the upstream applies to the whole upstream.
        let inside = if is_below(&self.base, path) { &*self.base } else { path };
        let inside = if inside.is_empty() { "/" } else { inside };
        let restored = match &self.path {
            PathRewrite::Template(_) if inside == "/" || inside == &*self.base => {
                return Some("/".to_owned());
            }
            _ => self.restore(request, inside)?,
        };
        let trimmed = restored.trim_end_matches('/');
        Some(if trimmed.is_empty() { "/".to_owned() } else { trimmed.to_owned() })
    }
}

/// Returns whether `path` equals `front` or is below it, in whole segments.
fn is_below(path: &str, front: &str) -> bool {
    path.strip_prefix(front).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::pattern::Pattern;

    fn strip(prefix: &str) -> PathRewrite {
        PathRewrite::Strip(prefix.into())
    }

    fn rewrite(base: &str, path: PathRewrite) -> Rewrite {
        Rewrite { base: base.into(), path }
    }

    #[test]
    fn there_and_back() {
        let own = Pattern::path("/users/{id}").unwrap();
        let template = PathRewrite::Template(Template::parse(&own, "/registered/{id}").unwrap());
        for (rewrite, asked, sent, removed) in [
            (rewrite("/base", PathRewrite::Keep), "/x", "/base/x", None),
            (rewrite("/base", PathRewrite::Keep), "/", "/base/", None),
            (rewrite("", strip("/v1")), "/v1/orders", "/orders", Some("/v1")),
            (rewrite("", strip("/v1")), "/v1/", "/", Some("/v1")),
            (rewrite("/b", strip("/t/{id}")), "/t/7/orders", "/b/orders", Some("/t/7")),
            (rewrite("/b", template), "/users/7", "/b/registered/7", None),
        ] {
            assert_eq!(rewrite.apply(asked).as_deref(), Some(sent), "{asked}");
            assert_eq!(rewrite.removed(asked), removed, "{asked}");
            assert_eq!(rewrite.restore(asked, sent).as_deref(), Some(asked), "{sent}");
        }
        let all = rewrite("", strip("/v1"));
        assert_eq!((all.apply("/v1").as_deref(), all.removed("/v1")), (Some("/"), Some("/v1")));
    }

    #[test]
    fn a_prefix_that_the_server_has_added_is_not_added_twice() {
        let strip = rewrite("", strip("/v1"));
        assert_eq!(strip.restore("/v1/a", "/v1/b").as_deref(), Some("/v1/b"));
        assert_eq!(strip.restore("/v1/a", "/v10/b").as_deref(), Some("/v1/v10/b"));
    }

    #[test]
    fn paths_outside_of_the_base_cannot_be_rewritten() {
        let base = rewrite("/base", PathRewrite::Keep);
        assert_eq!(base.restore("/x", "/login"), None);
        assert_eq!(base.restore("/x", "/based"), None);
        assert_eq!(base.restore("/x", "/base").as_deref(), Some("/"));
    }

    #[test]
    fn cookies() {
        for (rewrite, path, expected) in [
            (rewrite("", strip("/v1")), "/", Some("/v1")),
            (rewrite("", strip("/v1")), "/orders/", Some("/v1/orders")),
            (rewrite("/base", PathRewrite::Keep), "/base", Some("/")),
            (rewrite("/base", PathRewrite::Keep), "/", Some("/")),
            (rewrite("/base", PathRewrite::Keep), "/base/a", Some("/a")),
            (rewrite("/base", PathRewrite::Keep), "/other", None),
            (rewrite("/base", strip("/v1")), "/", Some("/v1")),
            (rewrite("/base", strip("/v1")), "/base/a", Some("/v1/a")),
        ] {
            assert_eq!(rewrite.restore_cookie("/v1/x", path).as_deref(), expected, "{path}");
        }
    }
}
