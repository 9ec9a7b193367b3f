//! `upstream_path`: a path for the upstream, built from the names in the route's own path.

use std::fmt;

use super::pattern::{Pattern, PatternError, Segment};
#[cfg(feature = "gateway")]
use super::strip::after_segments;

/// Converts the path of a request to a path for the upstream, and back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: Box<str>,
    parts: Box<[Part]>,
    /// The segments of the route's own path; `None` is a `{name}`.
    own: Box<[Option<Box<str>>]>,
    /// Whether the route has a prefix. The part of a path below it is appended to the template.
    prefix: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    /// The segment of the route's own path that has the name.
    Segment(usize),
}

/// Why a text is not a template for a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplateError {
    /// The text is not a path.
    Path(PatternError),
    /// The text has a name that the route's own path does not have.
    UnknownName(String),
}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(error) => error.fmt(f),
            Self::UnknownName(name) => {
                write!(f, "has the name {{{name}}}, which the route's own path does not have")
            }
        }
    }
}

impl std::error::Error for TemplateError {}

impl Template {
    /// Parses a template for a route with the pattern `own`.
    ///
    /// # Errors
    /// Fails if the text is not a path, or has a name that the pattern does not have.
    pub fn parse(own: &Pattern, text: &str) -> Result<Self, TemplateError> {
        let parsed = if own.is_prefix() { Pattern::prefix(text) } else { Pattern::path(text) };
        let parsed = parsed.map_err(TemplateError::Path)?;
        let names: Vec<&str> = own.as_str().split('/').skip(1).collect();
        let part = |(segment, written): (&Segment, &str)| match segment {
            Segment::Literal(literal) => Ok(Part::Literal(literal.clone())),
            Segment::Any => match names.iter().position(|name| *name == written) {
                Some(at) => Ok(Part::Segment(at)),
                None => Err(TemplateError::UnknownName(written.trim_matches(['{', '}']).to_owned())),
            },
        };
        let parts = parsed.segments().iter().zip(text.split('/').skip(1)).map(part);
        let own_segment = |segment: &Segment| match segment {
            Segment::Literal(literal) => Some(literal.clone()),
            Segment::Any => None,
        };
        Ok(Self {
            text: text.into(),
            parts: parts.collect::<Result<_, _>>()?,
            own: own.segments().iter().map(own_segment).collect(),
            prefix: own.is_prefix(),
        })
    }

    /// Returns the template as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the path for the upstream, or `None` if servers may read other segments from `path` than the
    /// route does.
    #[cfg(feature = "gateway")]
    pub(super) fn apply(&self, path: &str) -> Option<String> {
        let depth = self.own.len();
        let rest = if self.prefix {
            after_segments(path, depth)?
        } else if path.split('/').skip(1).count() == depth {
            ""
        } else {
            return None;
        };
        let segments: Vec<&str> = path.split('/').skip(1).take(depth).collect();
        let ambiguous = |(segment, own): (&&str, &Option<Box<str>>)| {
            own.is_some() && ["%2F", "%3F", "%23"].iter().any(|escape| segment.contains(escape))
        };
        if segments.iter().zip(&self.own).any(ambiguous) {
            return None;
        }
        let mut out = String::with_capacity(path.len() + self.text.len());
        for part in &self.parts {
            out.push('/');
            out.push_str(match part {
                Part::Literal(text) => text,
                Part::Segment(at) => segments.get(*at).filter(|segment| !segment.is_empty())?,
            });
        }
        out.push_str(rest);
        if out.is_empty() {
            out.push('/');
        }
        Some(out)
    }

    /// Returns the path that a client must request to reach `path` at the upstream, or `None` if there is
    /// none. Names that are not in the template have the values that they have in `request`.
    #[cfg(feature = "gateway")]
    pub(super) fn restore(&self, request: &str, path: &str) -> Option<String> {
        let theirs: Vec<&str> = path.split('/').skip(1).collect();
        let rest = match theirs.get(self.parts.len()..)? {
            [] => String::new(),
            rest if self.prefix => format!("/{}", rest.join("/")),
            _ => return None,
        };
        let mut names = vec![None; self.own.len()];
        for (part, theirs) in self.parts.iter().zip(&theirs) {
            match part {
                Part::Literal(ours) if **ours == **theirs => {}
                Part::Literal(_) => return None,
                Part::Segment(at) => *names.get_mut(*at)? = Some(*theirs),
            }
        }
        let mut asked = request.split('/').skip(1);
        let mut out = String::with_capacity(request.len() + path.len());
        for (own, name) in self.own.iter().zip(names) {
            let asked = asked.next();
            out.push('/');
            out.push_str(own.as_deref().or(name).or(asked)?);
        }
        out.push_str(&rest);
        if out.is_empty() {
            out.push('/');
        }
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(own: &str, text: &str) -> Template {
        Template::parse(&Pattern::path(own).unwrap(), text).unwrap()
    }

    fn prefix(own: &str, text: &str) -> Template {
        Template::parse(&Pattern::prefix(own).unwrap(), text).unwrap()
    }

    #[test]
    fn names_go_into_the_template_and_back() {
        for (template, asked, sent) in [
            (path("/users/{id}", "/registered/{id}"), "/users/7", "/registered/7"),
            (path("/{a}/x/{b}", "/{b}/{a}"), "/1/x/2", "/2/1"),
            (path("/a", "/b/c/"), "/a", "/b/c/"),
            (path("/a/{n}", "/"), "/a/7", "/"),
            (path("/u/{id}", "/r/{id}"), "/u/a%2Fb;v=1", "/r/a%2Fb;v=1"),
            (prefix("/t/{id}", "/registered/{id}"), "/t/7/orders/1", "/registered/7/orders/1"),
            (prefix("/t/{id}", "/"), "/t/7/orders/1", "/orders/1"),
            (prefix("/t", "/"), "/t/", "/"),
            (prefix("/", "/base"), "/x/y", "/base/x/y"),
        ] {
            assert_eq!(template.apply(asked).as_deref(), Some(sent), "{asked}");
            assert_eq!(template.restore(asked, sent).as_deref(), Some(asked), "{sent}");
        }
    }

    #[test]
    fn templates_that_could_have_other_segments_are_refused() {
        for (template, asked) in [
            (path("/a/b/{x}", "/{x}"), "/a%2Fb/c"),
            (path("/a/{x}", "/{x}"), "/a//c"),
            (prefix("/a/b", "/c"), "/a%2Fb/c/d"),
            (prefix("/t/{x}", "/{x}"), "/t/a%2Fb/c"),
            (prefix("/t", "/"), "/t//x"),
        ] {
            assert_eq!(template.apply(asked), None, "{asked}");
        }
    }

    #[test]
    fn other_paths_of_the_upstream_are_not_mapped_back() {
        let template = path("/users/{id}", "/registered/{id}");
        for sent in ["/", "/login", "/registered/7/photo", "/other/7"] {
            assert_eq!(template.restore("/users/1", sent), None, "{sent}");
        }
        assert_eq!(template.restore("/users/1", "/registered/8").as_deref(), Some("/users/8"));
    }

    #[test]
    fn names_must_be_those_of_the_route() {
        let own = Pattern::path("/users/{id}").unwrap();
        assert_eq!(Template::parse(&own, "/r/{uid}"), Err(TemplateError::UnknownName("uid".to_owned())));
        assert_eq!(Template::parse(&own, "/r/../x"), Err(TemplateError::Path(PatternError::DotSegment)));
    }
}
