use crate::oauth::scope::scopes::{ScopeError, Scopes};

/// One or more scopes, in any form that programs have them in: a string with spaces between the scopes, or an
/// array, slice or vector of strings. For an iterator, use [`Scopes::from_tokens`].
///
/// ```
/// use tollgate::oauth::IntoScopes;
///
/// assert_eq!("read write".into_scopes()?.as_str(), "read write");
/// assert_eq!(["read", "write"].into_scopes()?.as_str(), "read write");
/// assert_eq!(vec!["read".to_owned()].into_scopes()?.as_str(), "read");
/// assert!(["read write"].into_scopes().is_err(), "this is a list of one scope, and a scope has no spaces");
/// # Ok::<(), tollgate::oauth::ScopeError>(())
/// ```
pub trait IntoScopes: sealed::Sealed {
    /// Checks the scopes.
    ///
    /// # Errors
    /// A [`ScopeError`] for a scope that RFC 6749 §3.3 does not allow.
    fn into_scopes(self) -> Result<Scopes, ScopeError>;
}

mod sealed {
    use super::Scopes;

    pub trait Sealed {}
    impl Sealed for Scopes {}
    impl Sealed for &str {}
    impl Sealed for String {}
    impl Sealed for &String {}
    impl<T: AsRef<str>, const N: usize> Sealed for [T; N] {}
    impl<T: AsRef<str>, const N: usize> Sealed for &[T; N] {}
    impl<T: AsRef<str>> Sealed for &[T] {}
    impl<T: AsRef<str>> Sealed for Vec<T> {}
    impl<T: AsRef<str>> Sealed for &Vec<T> {}
}

impl IntoScopes for Scopes {
    fn into_scopes(self) -> Result<Scopes, ScopeError> {
        Ok(self)
    }
}

impl IntoScopes for &str {
    fn into_scopes(self) -> Result<Scopes, ScopeError> {
        Scopes::parse(self)
    }
}

impl IntoScopes for String {
    fn into_scopes(self) -> Result<Scopes, ScopeError> {
        Scopes::parse(&self)
    }
}

impl IntoScopes for &String {
    fn into_scopes(self) -> Result<Scopes, ScopeError> {
        Scopes::parse(self)
    }
}

impl<T: AsRef<str>, const N: usize> IntoScopes for [T; N] {
    fn into_scopes(self) -> Result<Scopes, ScopeError> {
        Scopes::from_tokens(self)
    }
}

impl<T: AsRef<str>, const N: usize> IntoScopes for &[T; N] {
    fn into_scopes(self) -> Result<Scopes, ScopeError> {
        Scopes::from_tokens(self)
    }
}

impl<T: AsRef<str>> IntoScopes for &[T] {
    fn into_scopes(self) -> Result<Scopes, ScopeError> {
        Scopes::from_tokens(self)
    }
}

impl<T: AsRef<str>> IntoScopes for Vec<T> {
    fn into_scopes(self) -> Result<Scopes, ScopeError> {
        Scopes::from_tokens(self)
    }
}

impl<T: AsRef<str>> IntoScopes for &Vec<T> {
    fn into_scopes(self) -> Result<Scopes, ScopeError> {
        Scopes::from_tokens(self)
    }
}
