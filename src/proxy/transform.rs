//! The changes that a route makes to its requests, in addition to those that every request gets. Most routes
//! make none.

use std::borrow::Cow;

use crate::route::rewrite::Rewrite;

/// Changes to the requests of a route.
#[derive(Debug, Default)]
pub(crate) struct Transform {
    /// The change of the path.
    pub(crate) rewrite: Rewrite,
    /// The `Host` that is sent to servers instead of the client's.
    pub(crate) host: Option<Box<str>>,
    /// Whether the whole body is read before the request is sent to a server.
    pub(crate) buffer: bool,
}

impl Transform {
    /// Returns the boxed changes, or `None` if there are none.
    pub(crate) fn boxed(self) -> Option<Box<Self>> {
        let Self { rewrite, host, buffer } = &self;
        (!rewrite.is_empty() || host.is_some() || *buffer).then(|| Box::new(self))
    }

    /// Returns the path for the upstream, or `None` if servers may read other segments from `path` than the
    /// route does.
    pub(crate) fn path<'p>(&self, path: &'p str) -> Option<Cow<'p, str>> {
        self.rewrite.apply(path)
    }
}
