//! The OAuth endpoints as one call: a request in, an answer out.

use std::sync::Arc;

use bytes::Bytes;
use http::header::PRAGMA;
use http::{HeaderValue, Response, request};
use http_body_util::Full;

use crate::gate::endpoint::{Endpoint, EndpointOutcome, FormBody, Success};
use crate::gate::instance::{Gate, RETRY_WHEN_FULL};
use crate::gate::origin::Origin;
use crate::gate::settings::{Client, Settings};
use crate::oauth::endpoints::introspection::TokenQuery;
use crate::oauth::endpoints::{self, introspection, metadata, revocation, token};
use crate::oauth::grant::{Confirmation, Record, Terms};
#[cfg(feature = "gateway")]
use crate::oauth::registration::is_client_id;
use crate::oauth::token::TokenDigest;
use crate::oauth::token_error::TokenError;
use crate::store::{Found, Health, StoreError};

const NO_CERTIFICATE: &str =
    "the tokens of this client are bound to a client certificate, and the connection has no valid one";
const NO_PROOF: &str = "the tokens of this client are bound to a key: send a proof in a DPoP header";

impl Gate {
    /// Returns the endpoint at `path`, if there is one.
    ///
    /// ```
    /// use tollgate::gate::Endpoint;
    /// use tollgate::{Gate, GateSpec};
    ///
    /// let gate = Gate::builder(GateSpec::default()).build()?;
    /// assert_eq!(gate.endpoint("/oauth/v2/oauth-token"), Some(Endpoint::Token));
    /// assert_eq!(gate.endpoint("/orders"), None);
    /// # Ok::<(), tollgate::gate::GateError>(())
    /// ```
    #[must_use]
    pub fn endpoint(&self, path: &str) -> Option<Endpoint> {
        if !self.inner.endpoint_lengths.may_have(path) {
            return None;
        }
        let settings = self.settings();
        if path == settings.token_endpoint {
            Some(Endpoint::Token)
        } else if path == settings.introspection_endpoint {
            Some(Endpoint::Introspection)
        } else if path == settings.revocation_endpoint {
            Some(Endpoint::Revocation)
        } else if path.starts_with("/.well-known/") {
            document(path, &settings)
        } else {
            #[cfg(feature = "gateway")]
            return is_registration(path, &settings).then_some(Endpoint::Registration);
            #[cfg(not(feature = "gateway"))]
            None
        }
    }

    /// Lists the paths for which [`Gate::endpoint`] returns an endpoint.
    pub(crate) fn endpoint_paths(&self) -> Vec<String> {
        self.settings().endpoint_paths()
    }

    /// Answers a request to one of the endpoints.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use tollgate::gate::{Endpoint, FormBody, Origin};
    /// use tollgate::{Gate, GateSpec};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let gate = Gate::builder(GateSpec::default()).build()?;
    /// let (parts, ()) = http::Request::get("/.well-known/oauth-authorization-server").body(())?.into_parts();
    /// let empty = FormBody::Whole(Bytes::new());
    /// let answer = gate.answer(Endpoint::AuthorizationServer, &parts, empty, Origin::default()).await;
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
        self.answer_and_report(endpoint, parts, body, origin).await.0
    }

    /// Answers a request to one of the endpoints, and reports the outcome.
    pub(crate) async fn answer_and_report(
        &self,
        endpoint: Endpoint,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
    ) -> (Response<Full<Bytes>>, EndpointOutcome) {
        let settings = self.settings_full();
        let mut outcome = EndpointOutcome::default();
        let answered = match endpoint {
            Endpoint::Token => self.issue(&settings, parts, body, origin, &mut outcome).await,
            Endpoint::Introspection => self.introspect(&settings, parts, body, origin, &mut outcome).await,
            Endpoint::Revocation => self.revoke(&settings, parts, body, origin, &mut outcome).await,
            Endpoint::AuthorizationServer => {
                Ok(metadata::respond(&parts.method, &settings.authorization_server))
            }
            Endpoint::ProtectedResource => Ok(metadata::respond(&parts.method, &settings.protected_resource)),
            #[cfg(feature = "gateway")]
            Endpoint::KeySet => Ok(self.inner.jwt.respond(parts)),
            #[cfg(feature = "gateway")]
            Endpoint::Registration => {
                // Boxed, because it is rare and its state would make the future of every token request
                // larger.
                Box::pin(self.serve_registration(&settings, parts, body, origin, &mut outcome)).await
            }
        };
        let mut response = answered.unwrap_or_else(|refusal| {
            let response = refusal.to_response(&settings.challenge.realm);
            outcome.refusal = Some(refusal);
            response
        });
        if endpoint == Endpoint::Token {
            // RFC 6749 §5.1 requires it beside `Cache-Control`. It has no meaning elsewhere (RFC 9111 §5.4).
            response.headers_mut().insert(PRAGMA, HeaderValue::from_static("no-cache"));
        }
        (response, outcome)
    }

    async fn issue(
        &self,
        settings: &Settings,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
        outcome: &mut EndpointOutcome,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        endpoints::check_head(parts, &token::PARAMETERS)?;
        let body = body.whole()?;
        let (auth, request) = token::TokenRequest::read(&parts.headers, &endpoints::form(&body)?)?;
        let client = self.authenticate(settings, &auth, origin).await?;
        outcome.client = Some(Arc::clone(&client.state));
        let scopes = request.granted_scopes(&client.policy)?;
        let audience = match request.resource.as_deref() {
            None => None,
            Some(resource) if client.audiences.iter().any(|known| known == resource) => Some(resource.into()),
            Some(_) => return Err(TokenError::InvalidTarget),
        };
        let lifetime = client.policy.token_lifetime;
        let confirmation = self.binding(settings, &client, parts, origin).await?;
        // RFC 9449 §5: by "DPoP" the client learns that the token is bound to its key.
        let bound_to_key = confirmation.is_some_and(|bound_to| bound_to.key().is_some());
        let token_type = if bound_to_key { "DPoP" } else { "bearer" };
        let terms = Terms { scopes, lifetime, audience, confirmation };
        let scopes = terms.scopes.clone();
        let token = self.issue_token(&client, terms).await?;
        outcome.success = Some(Success::Issued);
        Ok(token::issued(&token, token_type, lifetime, &scopes))
    }

    /// Returns what a client's new token is bound to. It runs last, because it uses the request's proof up.
    async fn binding(
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
        let key = self.proven_key(settings, client, parts).await?;
        #[cfg(not(feature = "jose"))]
        let (key, _) = (None, (settings, parts));
        // RFC 9449 §5.2: the server "MUST reject token requests from the client that do not contain the DPoP
        // header".
        if key.is_none() && client.dpop_bound_tokens {
            return Err(TokenError::InvalidProof(NO_PROOF));
        }
        Ok(Confirmation::new(certificate, key))
    }

    /// Reads a question about a token and authenticates the client that asks it. Introspection and revocation
    /// begin alike (RFC 7662 §2.1, RFC 7009 §2.1).
    async fn open_token_query(
        &self,
        settings: &Settings,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
        outcome: &mut EndpointOutcome,
    ) -> Result<(Arc<Client>, TokenQuery), TokenError> {
        endpoints::check_head(parts, &introspection::PARAMETERS)?;
        let body = body.whole()?;
        let query = TokenQuery::read(&parts.headers, &endpoints::form(&body)?)?;
        // RFC 7009 §2.1: the server "first validates the client credentials".
        let client = self.authenticate(settings, &query.auth, origin).await?;
        outcome.client = Some(Arc::clone(&client.state));
        Ok((client, query))
    }

    async fn introspect(
        &self,
        settings: &Settings,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
        outcome: &mut EndpointOutcome,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let (client, query) = self.open_token_query(settings, parts, body, origin, outcome).await?;
        if !client.policy.capabilities.introspection {
            return Err(TokenError::UnauthorizedClient);
        }
        let now = self.inner.clock.now();
        let record = match TokenDigest::of_presented(query.token.expose().as_bytes()) {
            None => None,
            Some(digest) => self.find_or_ask(digest).await?,
        };
        let record = record.filter(|record| record.is_live(now));
        outcome.success = Some(Success::Described { active: record.is_some() });
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
        outcome: &mut EndpointOutcome,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let (client, query) = self.open_token_query(settings, parts, body, origin, outcome).await?;
        if let Some(digest) = revocation::token(&query)? {
            let unavailable = |_| TokenError::Unavailable(RETRY_WHEN_FULL);
            let found = match self.find_or_ask(digest).await {
                // A store that cannot answer may still know whose token it is. It is refused here then, and
                // everywhere as soon as the store can be reached.
                Err(error) => Some(self.inner.store.recall(&digest).ok_or(error)?),
                Ok(found) => found,
            };
            match found {
                // RFC 7009 §2.1: the token must have been issued to the client that asks.
                Some(record) if record.grant().client().id() == client.state.id() => {
                    if let Some(record) = self.inner.store.revoke(digest).get().await.map_err(unavailable)? {
                        record.release();
                    }
                }
                // An earlier request may have revoked the token without being able to promise that it stays
                // revoked.
                None if self.inner.store.is_shared() => {
                    self.inner.store.confirm_revoked(digest).get().await.map_err(unavailable)?;
                }
                None if self.inner.store.health() != Health::Good => {
                    return Err(unavailable(StoreError::Unavailable));
                }
                _ => {}
            }
        }
        outcome.success = Some(Success::Revoked);
        Ok(revocation::done())
    }

    /// Finds the record of a token, and asks the store if it has to be asked.
    async fn find_or_ask(&self, digest: TokenDigest) -> Result<Option<Record>, TokenError> {
        match self.inner.store.find(&digest) {
            Found::Known(record) => Ok(Some(record)),
            Found::Unknown => Ok(None),
            Found::Ask => {
                let answer = self.inner.store.ask(digest).get().await;
                answer.map_err(|_| TokenError::Unavailable(RETRY_WHEN_FULL))
            }
        }
    }
}

/// Returns whether `path` is where clients register, or that of a client's registration.
#[cfg(feature = "gateway")]
fn is_registration(path: &str, settings: &Settings) -> bool {
    let Some(registration) = &settings.registration else { return false };
    let Some(rest) = path.strip_prefix(registration.endpoint.as_str()) else { return false };
    rest.is_empty() || rest.strip_prefix('/').is_some_and(is_client_id)
}

/// Returns the document at a path below `/.well-known/`, if there is one.
#[cold]
fn document(path: &str, settings: &Settings) -> Option<Endpoint> {
    #[cfg(feature = "gateway")]
    if path == metadata::KEY_SET && settings.jwt.is_some() {
        return Some(Endpoint::KeySet);
    }
    if is_document(path, metadata::AUTHORIZATION_SERVER, settings) {
        Some(Endpoint::AuthorizationServer)
    } else if is_document(path, metadata::PROTECTED_RESOURCE, settings) {
        Some(Endpoint::ProtectedResource)
    } else {
        None
    }
}

/// Returns whether `path` is a path of `document`: followed by the issuer's path (RFC 8414 §3.1, RFC 9728
/// §3.1), or without it, for clients that only know the server's address.
fn is_document(path: &str, document: &str, settings: &Settings) -> bool {
    path.strip_prefix(document).is_some_and(|rest| rest.is_empty() || rest == settings.issuer_path)
}
