use crate::oauth::scope::list::IntoScopes;
use crate::oauth::scope::scopes::{ScopeError, Scopes};

/// The scopes that a protected route requires of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requirement {
    /// Any valid token is sufficient.
    AnyToken,
    /// The token must have all of these.
    All(Scopes),
    /// The token must have at least one of these.
    Any(Scopes),
}

impl Requirement {
    /// Requires all of these scopes.
    ///
    /// ```
    /// use tollgate::{Requirement, Scopes};
    ///
    /// let needed = Requirement::all(["read", "write"])?;
    /// assert!(needed.is_met_by(&Scopes::parse("write read more")?));
    /// assert!(!needed.is_met_by(&Scopes::parse("read")?));
    /// # Ok::<(), tollgate::oauth::ScopeError>(())
    /// ```
    ///
    /// # Errors
    /// A [`ScopeError`] for a scope that RFC 6749 §3.3 does not allow, and for an empty list. To require no
    /// scope, write [`Requirement::AnyToken`].
    pub fn all(scopes: impl IntoScopes) -> Result<Self, ScopeError> {
        some(scopes).map(Self::All)
    }

    /// Requires at least one of these scopes.
    ///
    /// ```
    /// use tollgate::{Requirement, Scopes};
    ///
    /// let needed = Requirement::any(["write", "admin"])?;
    /// assert!(needed.is_met_by(&Scopes::parse("read admin")?));
    /// assert!(!needed.is_met_by(&Scopes::parse("read")?));
    /// # Ok::<(), tollgate::oauth::ScopeError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Requirement::all`].
    pub fn any(scopes: impl IntoScopes) -> Result<Self, ScopeError> {
        some(scopes).map(Self::Any)
    }

    /// Returns whether a token with the scopes `held` meets the requirement.
    #[must_use]
    pub fn is_met_by(&self, held: &Scopes) -> bool {
        match self {
            Self::AnyToken => true,
            Self::All(needed) => held.contains_all(needed),
            Self::Any(one_of) => one_of.iter().any(|token| held.contains(token)),
        }
    }

    /// Returns the scopes that a token with the scopes `held` lacks. If one of several would be enough, all
    /// of them are returned.
    #[cfg(feature = "gateway")]
    pub(crate) fn missing(&self, held: &Scopes) -> Vec<&str> {
        if self.is_met_by(held) {
            return Vec::new();
        }
        self.scopes().into_iter().flat_map(Scopes::iter).filter(|scope| !held.contains(scope)).collect()
    }

    /// Returns the scopes that a challenge names (RFC 6750 §3).
    #[must_use]
    pub fn scopes(&self) -> Option<&Scopes> {
        match self {
            Self::AnyToken => None,
            Self::All(scopes) | Self::Any(scopes) => Some(scopes),
        }
    }
}

fn some(scopes: impl IntoScopes) -> Result<Scopes, ScopeError> {
    let scopes = scopes.into_scopes()?;
    if scopes.is_empty() { Err(ScopeError::Empty) } else { Ok(scopes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirement_table() {
        let s = |text| Scopes::parse(text).unwrap();
        let all = Requirement::All(s("read write"));
        let any = Requirement::Any(s("read admin"));
        let table = [
            (&all, "read", false),
            (&all, "write read", true),
            (&all, "write read more", true),
            (&all, "readwrite", false),
            (&any, "admin", true),
            (&any, "write", false),
            (&Requirement::AnyToken, "x", true),
        ];
        for (requirement, held, met) in table {
            assert_eq!(requirement.is_met_by(&s(held)), met, "{requirement:?} with {held}");
        }
        assert!(Requirement::AnyToken.is_met_by(&Scopes::none()));
        assert!(!any.is_met_by(&Scopes::none()));
        assert_eq!(Requirement::all(["read", "write"]), Ok(all));
        assert_eq!(Requirement::any(["read", "admin"]), Ok(any));
        assert_eq!(Requirement::all(Scopes::none()), Err(ScopeError::Empty));
        assert_eq!(Requirement::any(["a b"]), Err(ScopeError::Forbidden(b' ')));
    }
}
