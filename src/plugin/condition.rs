use std::fmt;
use std::mem;

use http::Request;
use http::request::Parts;

use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;

/// A condition that decides at once: [`ScopesOnly`] or [`With`]. This trait is sealed.
pub trait SyncCondition: sealed::Sealed {
    #[doc(hidden)]
    fn check<B>(&self, permit: &Permit, request: &mut Request<B>) -> Result<(), Denial>;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ScopesOnly {}
    impl<F> Sealed for super::With<F> {}
}

/// No further condition besides the scopes.
#[derive(Debug, Clone, Copy)]
pub struct ScopesOnly;

/// A closure that must accept the request too.
#[derive(Clone, Copy)]
pub struct With<F>(pub(super) F);

/// A closure whose future must accept the request too.
#[derive(Clone, Copy)]
pub struct WithAsync<F>(pub(super) F);

impl SyncCondition for ScopesOnly {
    #[inline]
    fn check<B>(&self, _: &Permit, _: &mut Request<B>) -> Result<(), Denial> {
        Ok(())
    }
}

impl<F> SyncCondition for With<F>
where
    F: Fn(&Permit, &Parts) -> Result<(), Denial>,
{
    fn check<B>(&self, permit: &Permit, request: &mut Request<B>) -> Result<(), Denial> {
        // A request lends its head only in pieces. The body stays where it is.
        let (mut parts, ()) = Request::new(()).into_parts();
        exchange(&mut parts, request);
        let result = (self.0)(permit, &parts);
        exchange(&mut parts, request);
        result
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

impl<F> fmt::Debug for WithAsync<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WithAsync(closure)")
    }
}
