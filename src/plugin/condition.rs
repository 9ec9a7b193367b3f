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

/// A condition that may have to be waited for: [`ScopesOnly`], [`With`] or [`WithAsync`]. This trait is
/// sealed.
#[cfg(feature = "remote")]
pub trait Condition: sealed::Sealed + Send + Sync + 'static {
    #[doc(hidden)]
    fn check(&self, permit: Permit, parts: Parts) -> impl Future<Output = Result<(), Denial>> + Send;
}

#[cfg(feature = "remote")]
impl Condition for ScopesOnly {
    async fn check(&self, _: Permit, _: Parts) -> Result<(), Denial> {
        Ok(())
    }
}

#[cfg(feature = "remote")]
impl<F> Condition for With<F>
where
    F: Fn(&Permit, &Parts) -> Result<(), Denial> + Send + Sync + 'static,
{
    async fn check(&self, permit: Permit, parts: Parts) -> Result<(), Denial> {
        (self.0)(&permit, &parts)
    }
}

#[cfg(feature = "remote")]
impl<F, Fut> Condition for WithAsync<F>
where
    F: Fn(Permit, Parts) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), Denial>> + Send + 'static,
{
    fn check(&self, permit: Permit, parts: Parts) -> impl Future<Output = Result<(), Denial>> + Send {
        (self.0)(permit, parts)
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::ScopesOnly {}
    impl<F> Sealed for super::With<F> {}
    #[cfg(feature = "remote")]
    impl<F> Sealed for super::WithAsync<F> {}
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
