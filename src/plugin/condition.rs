use std::fmt;
use std::mem;

use http::Request;
use http::request::Parts;

use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;

/// What a layer asks of a request besides a token with the right scopes: nothing, or a closure.
pub trait Condition: sealed::Sealed {
    /// Whether the request may pass.
    #[doc(hidden)]
    fn check<B>(&self, permit: &Permit, request: &mut Request<B>) -> Result<(), Denial>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ScopesOnly {}
    impl<F> Sealed for super::With<F> {}
}

/// No further condition.
#[derive(Debug, Clone, Copy)]
pub struct ScopesOnly;

/// A closure that must agree, too.
#[derive(Clone, Copy)]
pub struct With<F>(pub(super) F);

impl Condition for ScopesOnly {
    #[inline]
    fn check<B>(&self, _: &Permit, _: &mut Request<B>) -> Result<(), Denial> {
        Ok(())
    }
}

impl<F> Condition for With<F>
where
    F: Fn(&Permit, &Parts) -> Result<(), Denial>,
{
    fn check<B>(&self, permit: &Permit, request: &mut Request<B>) -> Result<(), Denial> {
        // A request lends its head only in pieces; the body stays where it is.
        let (mut parts, ()) = Request::new(()).into_parts();
        exchange(&mut parts, request);
        let verdict = (self.0)(permit, &parts);
        exchange(&mut parts, request);
        verdict
    }
}

fn exchange<B>(parts: &mut Parts, request: &mut Request<B>) {
    mem::swap(&mut parts.method, request.method_mut());
    mem::swap(&mut parts.uri, request.uri_mut());
    mem::swap(&mut parts.version, request.version_mut());
    mem::swap(&mut parts.headers, request.headers_mut());
    mem::swap(&mut parts.extensions, request.extensions_mut());
}

impl<F> fmt::Debug for With<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("With(closure)")
    }
}
