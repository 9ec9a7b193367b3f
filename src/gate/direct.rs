//! Tokens for a program's own use, without the token endpoint.

use super::Gate;
use crate::oauth::denial::TokenError;
use crate::oauth::grant::Terms;
use crate::oauth::scope::Scopes;
use crate::oauth::token::AccessToken;

impl Gate {
    /// Issues a token to a client without asking for its secret: for tests, and for a program that is its own client.
    /// Everything else is as at the token endpoint: the client's scopes, lifetime and limits hold.
    ///
    /// ```
    /// use tollgate::gate::{ClientSpec, Gate, GateSpec};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    /// let gate = Gate::builder(GateSpec::new("https://api.example.com").client(client)).build()?;
    /// let token = gate.issue_to("server", ["read"])?;
    /// assert!(token.expose().starts_with("tg_"));
    /// assert!(gate.issue_to("server", ["write"]).is_err());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `invalid_client` for an unknown or disabled client, `unauthorized_client` and `invalid_scope` as at the
    /// endpoint, `temporarily_unavailable` where a token limit is reached.
    pub fn issue_to<'a>(
        &self,
        client_id: &str,
        scopes: impl IntoIterator<Item = &'a str>,
    ) -> Result<AccessToken, TokenError> {
        let settings = self.settings_full();
        let client = settings.clients.get(client_id).ok_or(TokenError::InvalidClient)?;
        let scopes = Scopes::from_tokens(scopes).map_err(|_| TokenError::InvalidScope)?;
        if !client.policy.capabilities.client_credentials {
            return Err(TokenError::UnauthorizedClient);
        }
        if !client.policy.scopes.contains_all(&scopes) {
            return Err(TokenError::InvalidScope);
        }
        let lifetime = client.policy.token_lifetime;
        self.issue_token(client, Terms { scopes, lifetime, audience: None, confirmation: None })
    }

    /// Issues a token on these terms. What the client may ask for is not checked.
    ///
    /// # Errors
    /// `invalid_client` for an unknown or disabled client, `temporarily_unavailable` if a token limit is reached.
    #[cfg(feature = "gateway")]
    pub(crate) fn issue_on(&self, client_id: &str, terms: Terms) -> Result<AccessToken, TokenError> {
        let settings = self.settings_full();
        let client = settings.clients.get(client_id).ok_or(TokenError::InvalidClient)?;
        self.issue_token(client, terms)
    }
}
