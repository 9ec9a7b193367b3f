//! The OAuth endpoints as one call: a request in, an answer out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Response, request};
use http_body_util::Full;

use super::Gate;
use super::authenticate::Origin;
use super::settings::{Client, Settings};
use crate::oauth::client::ClientState;
use crate::oauth::denial::TokenError;
use crate::oauth::endpoints::introspection::TokenQuery;
use crate::oauth::endpoints::{self, introspection, metadata, revocation, token};
use crate::oauth::grant::{Confirmation, Record, Terms};
use crate::oauth::token::{AccessToken, TokenDigest};
use crate::store::StoreError;

/// What to tell a client when no more tokens may be issued.
pub(super) const FULL: Duration = Duration::from_secs(5);

const NO_CERTIFICATE: &str =
    "the tokens of this client are bound to a client certificate, and the connection has none";
const NO_PROOF: &str = "the tokens of this client are bound to a key: send a proof in a DPoP header";

/// One of the paths that the gate answers itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Endpoint {
    /// Issues tokens (RFC 6749 §3.2).
    Token,
    /// Tells about tokens (RFC 7662).
    Introspection,
    /// Revokes tokens (RFC 7009).
    Revocation,
    /// Metadata of the authorization server (RFC 8414).
    AuthorizationServer,
    /// Metadata of the protected resource (RFC 9728).
    ProtectedResource,
}

impl Endpoint {
    /// Whether its requests carry a body to be read, of at most [`endpoints::MAX_BODY`] bytes.
    #[must_use]
    pub fn reads_body(self) -> bool {
        matches!(self, Self::Token | Self::Introspection | Self::Revocation)
    }
}

/// What an endpoint did, for who counts and logs it.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// The client, once it has proved to be it.
    pub(crate) client: Option<Arc<ClientState>>,
    pub(crate) success: Option<Success>,
    pub(crate) refusal: Option<TokenError>,
}

/// What was asked for, and given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Success {
    Issued,
    Described { active: bool },
    Revoked,
}

/// A body as it was read, or why it was not.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum FormBody {
    /// The whole body.
    Whole(Bytes),
    /// It is longer than [`endpoints::MAX_BODY`].
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// It broke off.
    Broken,
}

impl FormBody {
    fn whole(self) -> Result<Bytes, TokenError> {
        match self {
            Self::Whole(body) => Ok(body),
            Self::TooLarge => Err(TokenError::TooLarge),
            Self::TooSlow => Err(TokenError::TooSlow),
            Self::Broken => Err(TokenError::InvalidRequest("the body broke off")),
        }
    }
}

impl Gate {
    /// Which endpoint, if any, is at `path`.
    ///
    /// ```
    /// # use tollgate::gate::{ClientSpec, Gate, GateSpec};
    /// use tollgate::gate::Endpoint;
    ///
    /// let gate = Gate::builder(GateSpec::default()).build()?;
    /// assert_eq!(gate.endpoint("/oauth/v2/oauth-token"), Some(Endpoint::Token));
    /// assert_eq!(gate.endpoint("/orders"), None);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Option<Endpoint> {
        let settings = self.settings();
        if path == settings.token_endpoint {
            Some(Endpoint::Token)
        } else if path == settings.introspection_endpoint {
            Some(Endpoint::Introspection)
        } else if path == settings.revocation_endpoint {
            Some(Endpoint::Revocation)
        } else if path == metadata::AUTHORIZATION_SERVER {
            Some(Endpoint::AuthorizationServer)
        } else if path == metadata::PROTECTED_RESOURCE {
            Some(Endpoint::ProtectedResource)
        } else {
            None
        }
    }

    /// Answers a request to one of the endpoints.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use tollgate::gate::{Endpoint, FormBody, Gate, GateSpec, Origin};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let gate = Gate::builder(GateSpec::default()).build()?;
    /// let (parts, ()) = http::Request::get("/.well-known/oauth-authorization-server").body(())?.into_parts();
    /// let nothing = FormBody::Whole(Bytes::new());
    /// let answer = gate.answer(Endpoint::AuthorizationServer, &parts, nothing, Origin::default()).await;
    /// assert_eq!(answer.status(), 200);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn answer(
        &self,
        endpoint: Endpoint,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
    ) -> Response<Full<Bytes>> {
        self.answer_and_tell(endpoint, parts, body, origin).await.0
    }

    /// The same, and what it came to.
    pub(crate) async fn answer_and_tell(
        &self,
        endpoint: Endpoint,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
    ) -> (Response<Full<Bytes>>, Told) {
        let settings = self.settings_full();
        let mut told = Told::default();
        let answered = match endpoint {
            Endpoint::Token => self.issue(&settings, parts, body, origin, &mut told).await,
            Endpoint::Introspection => self.introspect(&settings, parts, body, origin, &mut told).await,
            Endpoint::Revocation => self.revoke(&settings, parts, body, origin, &mut told).await,
            Endpoint::AuthorizationServer => {
                Ok(metadata::respond(&parts.method, &settings.authorization_server))
            }
            Endpoint::ProtectedResource => Ok(metadata::respond(&parts.method, &settings.protected_resource)),
        };
        let response = answered.unwrap_or_else(|refusal| {
            let response = refusal.to_response(&settings.challenge.realm);
            told.refusal = Some(refusal);
            response
        });
        (response, told)
    }

    async fn issue(
        &self,
        settings: &Settings,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
        told: &mut Told,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        endpoints::check_head(parts, &token::PARAMETERS)?;
        let body = body.whole()?;
        let request = token::TokenRequest::read(&parts.headers, &endpoints::form(&body)?)?;
        let client = self.authenticate(settings, request.auth.clone(), origin).await?;
        told.client = Some(Arc::clone(&client.state));
        let scopes = request.granted_scopes(&client.policy)?;
        let audience = match request.resource.as_deref() {
            None => None,
            Some(resource) if client.audiences.iter().any(|known| known == resource) => Some(resource.into()),
            Some(_) => return Err(TokenError::InvalidTarget),
        };
        let lifetime = client.policy.token_lifetime;
        let confirmation = self.binding(settings, &client, parts, origin)?;
        // RFC 9449 §5: "DPoP" is what tells the client that the token is bound to its key.
        let bound_to_key = confirmation.is_some_and(|bound_to| bound_to.key().is_some());
        let token_type = if bound_to_key { "DPoP" } else { "bearer" };
        let terms = Terms { scopes, lifetime, audience, confirmation };
        let scopes = terms.scopes.clone();
        let token = self.issue_token(&client, terms)?;
        told.success = Some(Success::Issued);
        Ok(token::issued(&token, token_type, lifetime, &scopes))
    }

    /// What a client's new token is bound to. Asked last: it uses the request's proof up.
    fn binding(
        &self,
        settings: &Settings,
        client: &Client,
        parts: &request::Parts,
        origin: Origin<'_>,
    ) -> Result<Option<Confirmation>, TokenError> {
        let certificate = match (client.certificate_bound_tokens, origin.certificate) {
            (false, _) => None,
            (true, Some(certificate)) => Some(*certificate.sha256),
            (true, None) => return Err(TokenError::InvalidRequest(NO_CERTIFICATE)),
        };
        #[cfg(feature = "jose")]
        let key = self.proven_key(settings, parts, origin)?;
        #[cfg(not(feature = "jose"))]
        let (key, _) = (None, (settings, parts));
        // RFC 9449 §5.2: the server "MUST reject token requests from the client that do not contain the DPoP header".
        if key.is_none() && client.dpop_bound_tokens {
            return Err(TokenError::InvalidProof(NO_PROOF));
        }
        Ok(Confirmation::new(certificate, key))
    }

    /// Makes a token for an authenticated client.
    pub(super) fn issue_token(&self, client: &Client, terms: Terms) -> Result<AccessToken, TokenError> {
        // Authentication may have taken a while, and the client may be disabled since. A reload first swaps
        // the settings and then ends the epoch; so, seen from here: the epoch first, then the settings. If the
        // client is still welcome in what is read now, an epoch that ends later takes this token along.
        let epoch = client.state.epoch();
        let settings = self.settings();
        if !settings.clients.get(client.state.id().as_str()).is_some_and(|client| client.policy.enabled) {
            return Err(TokenError::InvalidClient);
        }
        let mut random = [0; 32];
        // Without randomness no token can be made; nothing else here depends on it.
        getrandom::fill(&mut random).map_err(|_| TokenError::Unavailable(FULL))?;
        let token = AccessToken::from_random(&random);
        if !client.state.take_place(epoch, settings.max_tokens_per_client) {
            return Err(TokenError::Unavailable(FULL));
        }
        let record = Record::new(client.grant(terms, epoch), self.inner.clock.now());
        match self.inner.store.insert(token.digest(), record) {
            Ok(()) => Ok(token),
            Err(StoreError::Full | StoreError::Unavailable) => {
                client.state.release_place(epoch);
                Err(TokenError::Unavailable(FULL))
            }
        }
    }

    async fn introspect(
        &self,
        settings: &Settings,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
        told: &mut Told,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let query = token_query(parts, body)?;
        let client = self.authenticate(settings, query.auth, origin).await?;
        told.client = Some(Arc::clone(&client.state));
        if !client.policy.capabilities.introspection {
            return Err(TokenError::UnauthorizedClient);
        }
        let now = self.inner.clock.now();
        let record = match TokenDigest::of_presented(query.token.expose().as_bytes()) {
            None => None,
            Some(digest) => self.inner.store.find(&digest).map_err(|_| TokenError::Unavailable(FULL))?,
        };
        let record = record.filter(|record| record.is_live(now));
        told.success = Some(Success::Described { active: record.is_some() });
        Ok(match record {
            None => introspection::inactive(),
            Some(record) => {
                introspection::active(&record, &settings.issuer, now, self.inner.clock.unix_time())
            }
        })
    }

    async fn revoke(
        &self,
        settings: &Settings,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
        told: &mut Told,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let query = token_query(parts, body)?;
        let digest = revocation::token(&query)?;
        let client = self.authenticate(settings, query.auth, origin).await?;
        told.client = Some(Arc::clone(&client.state));
        if let Some(digest) = digest {
            let unavailable = |_| TokenError::Unavailable(FULL);
            let record = self.inner.store.find(&digest).map_err(unavailable)?;
            // RFC 7009 §2.1: the token must have been issued to the client that asks.
            if record.is_some_and(|record| record.grant().client().id() == client.state.id())
                && let Some(record) = self.inner.store.remove(&digest).map_err(unavailable)?
            {
                release(&record);
            }
        }
        told.success = Some(Success::Revoked);
        Ok(revocation::done())
    }
}

/// What introspection and revocation are asked alike: about a token, by a client (RFC 7009 §2.1, RFC 7662 §2.1).
fn token_query(parts: &request::Parts, body: FormBody) -> Result<TokenQuery, TokenError> {
    endpoints::check_head(parts, &introspection::PARAMETERS)?;
    let body = body.whole()?;
    TokenQuery::read(&parts.headers, &endpoints::form(&body)?)
}

/// Gives back the place of a token that is no longer kept.
pub(super) fn release(record: &Record) {
    record.grant().client().release_place(record.grant().epoch());
}
