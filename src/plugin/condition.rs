use std::fmt;

use http::Request;
use http::request::Parts;

use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;

/// What a layer asks of a request besides a token with the right scopes: nothing, or a closure.
pub trait Condition: sealed::Sealed {
    /// Gives the request back if it may pass.
    #[doc(hidden)]
    fn check<B>(&self, permit: &Permit, request: Request<B>) -> Result<Request<B>, Denial>;
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
    fn check<B>(&self, _: &Permit, request: Request<B>) -> Result<Request<B>, Denial> {
        Ok(request)
    }
}

impl<F> Condition for With<F>
where
    F: Fn(&Permit, &Parts) -> Result<(), Denial>,
{
    fn check<B>(&self, permit: &Permit, request: Request<B>) -> Result<Request<B>, Denial> {
        let (parts, body) = request.into_parts();
        (self.0)(permit, &parts)?;
        Ok(Request::from_parts(parts, body))
    }
}

impl<F> fmt::Debug for With<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("With(closure)")
    }
}
