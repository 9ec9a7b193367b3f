use crate::oauth::scope::audience::{Audience, AudienceError};
use crate::oauth::scope::list::IntoScopes;
use crate::oauth::scope::requirement::Requirement;
use crate::oauth::scope::scopes::ScopeError;

/// Everything that a protected route requires of a token.
///
/// ```
/// use tollgate::{Demand, Requirement};
///
/// let demand = Demand::from(Requirement::all("read")?).for_audience("https://orders.example.com");
/// assert_eq!(demand.audience.as_deref(), Some("https://orders.example.com"));
/// # Ok::<(), tollgate::oauth::ScopeError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Demand {
    /// The required scopes.
    pub requirement: Requirement,
    /// The resource that the token must be for (RFC 8707). `None` accepts tokens that are for no particular
    /// resource; which others it accepts is a setting of the gate,
    /// [`RestrictedTokens`](crate::oauth::scope::RestrictedTokens).
    pub audience: Option<Box<str>>,
}

impl Demand {
    /// Requires that the token is for exactly this resource.
    ///
    /// # Panics
    /// If RFC 8707 §2 does not allow the identifier. [`Demand::try_for_audience`] returns the error instead.
    #[must_use]
    #[track_caller]
    pub fn for_audience(self, audience: impl AsRef<str>) -> Self {
        let audience = audience.as_ref();
        match self.try_for_audience(audience) {
            Ok(demand) => demand,
            Err(error) => panic!("the audience {audience:?} is invalid: {error}"),
        }
    }

    /// Requires that the token is for exactly this resource.
    ///
    /// # Errors
    /// An [`AudienceError`] if RFC 8707 §2 does not allow the identifier.
    pub fn try_for_audience(mut self, audience: impl AsRef<str>) -> Result<Self, AudienceError> {
        self.audience = Some(Audience::new(audience.as_ref())?.into());
        Ok(self)
    }
}

impl From<Requirement> for Demand {
    fn from(requirement: Requirement) -> Self {
        Self { requirement, audience: None }
    }
}

/// A demand in any form that programs have it in: a [`Demand`], a [`Requirement`], or scopes that must all be
/// there, as a string or as a list of strings. [`Gate::require`](crate::Gate::require) takes one.
pub trait IntoDemand: sealed::Sealed {
    /// Checks the demand.
    ///
    /// # Errors
    /// A [`ScopeError`] for a scope that RFC 6749 §3.3 does not allow, and for an empty list.
    fn into_demand(self) -> Result<Demand, ScopeError>;
}

mod sealed {
    use super::{Demand, Requirement};
    use crate::oauth::scope::list::IntoScopes;

    pub trait Sealed {}
    impl Sealed for Demand {}
    impl Sealed for Requirement {}
    impl<T: IntoScopes> Sealed for T {}
}

impl IntoDemand for Demand {
    fn into_demand(self) -> Result<Demand, ScopeError> {
        Ok(self)
    }
}

impl IntoDemand for Requirement {
    fn into_demand(self) -> Result<Demand, ScopeError> {
        Ok(self.into())
    }
}

impl<T: IntoScopes> IntoDemand for T {
    fn into_demand(self) -> Result<Demand, ScopeError> {
        Ok(Requirement::all(self)?.into())
    }
}

/// Checks a demand that a program states at start-up.
///
/// # Panics
/// If it is invalid.
#[track_caller]
pub(crate) fn expect_valid(demand: impl IntoDemand) -> Demand {
    match demand.into_demand() {
        Ok(demand) => demand,
        Err(error) => panic!("the required scopes are invalid: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::scope::scopes::Scopes;

    #[test]
    fn a_demand_is_stated_as_scopes_a_requirement_or_itself() {
        let all = || Demand::from(Requirement::all("read write").unwrap());
        assert_eq!("read write".into_demand(), Ok(all()));
        assert_eq!(["read", "write"].into_demand(), Ok(all()));
        assert_eq!(vec!["read".to_owned(), "write".to_owned()].into_demand(), Ok(all()));
        assert_eq!(Scopes::parse("read write").unwrap().into_demand(), Ok(all()));
        assert_eq!(Requirement::AnyToken.into_demand(), Ok(Requirement::AnyToken.into()));
        let for_audience = || all().for_audience("https://a");
        assert_eq!(for_audience().into_demand(), Ok(for_audience()));
        assert_eq!("".into_demand(), Err(ScopeError::Empty));
        assert_eq!(Vec::<String>::new().into_demand(), Err(ScopeError::Empty));
        assert_eq!(["re\"ad"].into_demand(), Err(ScopeError::Forbidden(b'"')));
    }

    #[test]
    #[should_panic(expected = "the required scopes are invalid: byte 0x22 is not allowed in a scope token")]
    fn an_invalid_scope_panics_with_its_reason() {
        let _ = expect_valid("re\"ad");
    }

    #[test]
    #[should_panic(expected = "the audience \"https://a/#b\" is invalid: an audience has no fragment")]
    fn an_invalid_audience_panics_with_its_reason() {
        let _ = Demand::from(Requirement::AnyToken).for_audience("https://a/#b");
    }
}
