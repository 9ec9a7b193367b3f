//! The registration endpoint: a client registers (RFC 7591 §3).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{Method, Response, StatusCode, request};
use http_body_util::Full;

use crate::gate::endpoint::{EndpointOutcome, FormBody, Success};
use crate::gate::instance::{Gate, RETRY_WHEN_BUSY, RETRY_WHEN_FULL};
use crate::gate::origin::Origin;
use crate::gate::register::record::Registered;
use crate::gate::register::registry::uses_key;
use crate::gate::register::swap::Changed;
use crate::gate::secret_hash::SecretHash;
use crate::gate::settings::Settings;
use crate::gate::spec::{InitialToken, RegistrationSpec};
use crate::gate::throttle::{ThrottlePolicy, network};
use crate::oauth::bearer::{self, Scheme};
use crate::oauth::client::ClientId;
use crate::oauth::denial::Denial;
use crate::oauth::endpoints::{is_encoded, is_json};
use crate::oauth::registration::{
    ClientMetadata, Issued, RegistrationToken, Template, TokenKind, client_id, registered,
};
use crate::oauth::secret::Secret;
use crate::oauth::token_error::TokenError;
use crate::store::{client_key, number};

impl Gate {
    /// Answers a request to the registration endpoint or to a path below it.
    pub(in crate::gate) async fn serve_registration(
        &self,
        settings: &Settings,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
        outcome: &mut EndpointOutcome,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let path = parts.uri.path();
        let (Some(registration), Some((_, last))) = (&settings.registration, path.rsplit_once('/')) else {
            return Err(TokenError::InvalidRegistrationToken);
        };
        // The path was matched in its canonical form. An id has no character that is ever escaped.
        if registration.endpoint.rsplit_once('/').is_some_and(|(_, name)| name == last)
            && path.matches('/').count() == registration.endpoint.matches('/').count()
        {
            if parts.method != Method::POST {
                return Err(TokenError::MethodNotAllowed("POST"));
            }
            return self.register(settings, registration, parts, body, origin, outcome).await;
        }
        let id = last.to_owned();
        match parts.method {
            Method::GET => self.read_registration(settings, &id, parts, outcome).await,
            Method::PUT => self.update_registration(settings, &id, parts, body, origin, outcome).await,
            Method::DELETE => self.delete_registration(&id, parts, outcome).await,
            _ => Err(TokenError::MethodNotAllowed("GET, PUT, DELETE")),
        }
    }

    async fn register(
        &self,
        settings: &Settings,
        registration: &RegistrationSpec,
        parts: &request::Parts,
        body: FormBody,
        origin: Origin<'_>,
        outcome: &mut EndpointOutcome,
    ) -> Result<Response<Full<Bytes>>, TokenError> {
        let token = self.initial_token(registration, parts)?;
        self.admit_registration(registration, token, origin)?;
        let body = json_body(parts, body)?;
        let template = registration.template(&token.template).ok_or(TokenError::InvalidRegistrationToken)?;
        let metadata = ClientMetadata::read(&body, template)?;
        let _place = self.inner.registry.place(registration, &template.name)?;
        let secret = self.new_secret(&metadata, origin).await?;
        self.use_up(token).await?;

        let (access_token, access) = self.new_token()?;
        let client = Registered {
            id: self.new_id()?,
            template: template.name.to_string(),
            token: token.name.clone(),
            issued_at: self.inner.clock.unix_time().as_secs(),
            metadata,
            secret: secret.as_ref().map(|(_, hash)| hash.clone()),
            access: vec![access],
            renewed_at: 0,
            last_use: Arc::default(),
        };
        let response = answer(settings, StatusCode::CREATED, &client, secret.as_ref(), &access_token);
        self.keep_new(client, outcome).await?;
        outcome.success = Some(Success::Registered);
        Ok(response)
    }

    /// Returns the initial access token of a request. A token that is unknown, expired or used up gets the
    /// same refusal.
    fn initial_token<'a>(
        &self,
        registration: &'a RegistrationSpec,
        parts: &request::Parts,
    ) -> Result<&'a InitialToken, TokenError> {
        let presented = presented(TokenKind::Initial, parts)?;
        let token = registration.tokens.iter().find(|token| token.digest == presented);
        let token = token.ok_or(TokenError::InvalidRegistrationToken)?;
        let is_over = token.expires.is_some_and(|expires| self.inner.clock.unix_time() >= expires);
        if is_over || self.uses_left(token) == Some(0) {
            return Err(TokenError::InvalidRegistrationToken);
        }
        Ok(token)
    }

    /// Returns how often an initial access token can still be used, as far as this gateway knows. Returns
    /// `None` if the number is not limited.
    pub(crate) fn uses_left(&self, token: &InitialToken) -> Option<u64> {
        let max = token.max_uses?;
        Some(max.saturating_sub(self.uses(token.digest)))
    }

    /// Returns how often the initial access token with this digest was used, as far as this gateway knows.
    pub(crate) fn uses(&self, token: RegistrationToken) -> u64 {
        let key = uses_key(&token.to_text());
        let table = self.inner.registry.table(&*self.inner.store);
        table.known(&key).map_or(0, |value| number(&value))
    }

    /// Counts a use of an initial access token. Fails if the token is used up.
    async fn use_up(&self, token: &InitialToken) -> Result<(), TokenError> {
        let table = self.inner.registry.table(&*self.inner.store);
        let most = token.max_uses.unwrap_or(u64::MAX);
        match table.count_up(&uses_key(&token.digest.to_text()), most).get().await {
            Ok(true) => Ok(()),
            Ok(false) => Err(TokenError::InvalidRegistrationToken),
            Err(_) => Err(TokenError::Unavailable(RETRY_WHEN_FULL)),
        }
    }

    /// Limits how fast clients register. Requests that fail later count, too.
    fn admit_registration(
        &self,
        registration: &RegistrationSpec,
        token: &InitialToken,
        origin: Origin<'_>,
    ) -> Result<(), TokenError> {
        self.admit_registering(registration.max_per_minute, &token.name, origin)
    }

    /// Limits how often a client replaces its registration.
    pub(super) fn admit_update(
        &self,
        settings: &Settings,
        id: &str,
        origin: Origin<'_>,
    ) -> Result<(), TokenError> {
        let max_per_minute =
            settings.registration.as_ref().map_or(0, |registration| registration.max_per_minute);
        // This cannot be the name of an initial access token, so the two never share a counter.
        self.admit_registering(max_per_minute, &client_key(id), origin)
    }

    fn admit_registering(
        &self,
        max_per_minute: u32,
        name: &str,
        origin: Origin<'_>,
    ) -> Result<(), TokenError> {
        let policy = ThrottlePolicy { failures: max_per_minute, per: Duration::from_secs(60) };
        let (address, now) = (origin.address_or_shared(), self.inner.clock.now());
        let admitted = self.inner.registry.throttle.admit_one(policy, name, address, now);
        admitted.map_err(TokenError::RegistrationThrottled)
    }

    /// Makes the secret of a client that authenticates with one. The hash waits in the queue for the hashing
    /// threads.
    pub(super) async fn new_secret(
        &self,
        metadata: &ClientMetadata,
        origin: Origin<'_>,
    ) -> Result<Option<(Secret, SecretHash)>, TokenError> {
        if !metadata.method.has_secret() {
            return Ok(None);
        }
        let (random, salt) = (self.random::<32>()?, self.random::<16>()?);
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(random));
        let to_hash = secret.clone();
        let network = network(origin.address_or_shared());
        let hashed = self.inner.hashing.run(network, move || SecretHash::of(&to_hash, &salt)).await;
        match hashed {
            Ok(Ok(hash)) => Ok(Some((secret, hash))),
            Ok(Err(_)) | Err(_) => Err(TokenError::Unavailable(RETRY_WHEN_BUSY)),
        }
    }

    pub(super) fn new_token(&self) -> Result<(Secret, RegistrationToken), TokenError> {
        Ok(RegistrationToken::from_random(TokenKind::Registration, &self.random()?))
    }

    fn new_id(&self) -> Result<ClientId, TokenError> {
        ClientId::new(&client_id(&self.random()?)).ok_or(TokenError::Unavailable(RETRY_WHEN_FULL))
    }

    fn random<const BYTES: usize>(&self) -> Result<[u8; BYTES], TokenError> {
        let mut random = [0; BYTES];
        getrandom::fill(&mut random).map_err(|_| TokenError::Unavailable(RETRY_WHEN_FULL))?;
        Ok(random)
    }

    /// Puts a new client into force and stores it. If this succeeds, the client can authenticate, and the
    /// store has it.
    async fn keep_new(&self, client: Registered, outcome: &mut EndpointOutcome) -> Result<(), TokenError> {
        let id = client.id.as_str().to_owned();
        let row = (client_key(&id), Some(client.to_bytes()));
        let registry = &self.inner.registry;
        // If the caller disconnects, this future is dropped, but a write that has begun continues. The client
        // is therefore put into force before the write.
        registry.keep(client);
        drop(self.refresh_client(&id, Changed::Here));
        outcome.client = self.settings().clients.get(id.as_str()).map(|client| Arc::clone(&client.state));
        if registry.table(&*self.inner.store).write(vec![row]).get().await.is_err() {
            registry.forget(&id);
            drop(self.refresh_client(&id, Changed::Here));
            return Err(TokenError::Unavailable(RETRY_WHEN_FULL));
        }
        Ok(())
    }
}

/// Returns the digest of the token in the `Authorization` header.
pub(super) fn presented(kind: TokenKind, parts: &request::Parts) -> Result<RegistrationToken, TokenError> {
    let presented = match bearer::presented(&parts.headers) {
        Ok(presented) if presented.scheme == Scheme::Bearer => presented,
        Ok(_) | Err(Denial::Missing) => return Err(TokenError::NoRegistrationToken),
        Err(_) => {
            return Err(TokenError::InvalidRequest("the Authorization header is malformed or repeated"));
        }
    };
    RegistrationToken::of_presented(kind, presented.token).ok_or(TokenError::InvalidRegistrationToken)
}

/// Returns the JSON of a request.
pub(super) fn json_body(parts: &request::Parts, body: FormBody) -> Result<Bytes, TokenError> {
    if is_encoded(&parts.headers) {
        return Err(TokenError::UnsupportedEncoding);
    }
    if !is_json(&parts.headers) {
        return Err(TokenError::InvalidRequest("the content type must be application/json"));
    }
    body.whole()
}

/// Makes the response with all registered metadata of a client.
pub(super) fn answer(
    settings: &Settings,
    status: StatusCode,
    client: &Registered,
    secret: Option<&(Secret, SecretHash)>,
    access_token: &Secret,
) -> Response<Full<Bytes>> {
    let endpoint = settings.registration.as_ref().map_or("", |registration| registration.endpoint.as_str());
    let issuer = settings.issuer.trim_end_matches('/');
    let uri = format!("{issuer}{endpoint}/{}", client.id);
    let issued = Issued {
        client_id: client.id.as_str(),
        secret: secret.map(|(secret, _)| secret),
        has_secret: client.secret.is_some(),
        issued_at: client.issued_at,
        uri: &uri,
        access_token,
    };
    registered(status, &issued, client.metadata.members())
}

/// Returns the template of a client.
pub(super) fn template_of<'a>(settings: &'a Settings, client: &Registered) -> Option<&'a Arc<Template>> {
    settings.registration.as_ref()?.template(&client.template)
}
