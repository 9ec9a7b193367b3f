//! What a route changes in its requests beyond what is changed in every request. Most routes have none of this.

use std::borrow::Cow;

use crate::route::rewrite::Rewrite;

/// Changes to the requests of a route.
#[derive(Debug, Default)]
pub(crate) struct Transform {
    /// The path.
    pub(crate) rewrite: Rewrite,
    /// The `Host` that servers get instead of the client's.
    pub(crate) host: Option<Box<str>>,
    /// Whether the whole body is read before a server gets anything.
    pub(crate) buffer: bool,
}

impl Transform {
    /// Returns the boxed changes, or `None` if there are none.
    pub(crate) fn boxed(self) -> Option<Box<Self>> {
        let Self { rewrite, host, buffer } = &self;
        (!rewrite.is_empty() || host.is_some() || *buffer).then(|| Box::new(self))
    }

    /// Returns the path for the upstream. `None` means that servers may find other segments in `path` than the route's.
    pub(crate) fn path<'p>(&self, path: &'p str) -> Option<Cow<'p, str>> {
        self.rewrite.apply(path)
    }
}
