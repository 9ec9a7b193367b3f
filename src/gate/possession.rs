//! Proof of possession at the protected resources and at the token endpoint (DPoP, RFC 9449).

use http::{header::HOST, request};

use crate::clock::Clock;
use crate::gate::instance::{Gate, RETRY_WHEN_FULL};
use crate::gate::origin::Origin;
use crate::gate::proof::{self, ProofVerifier, USED, UseUp};
use crate::gate::question::{Answers, Undecided};
use crate::gate::settings::Settings;
use crate::oauth::bearer::Presented;
use crate::oauth::decide::{self, Permit, Possession};
use crate::oauth::denial::{Denial, Mismatch, TokenError};
use crate::oauth::dpop::{self, DpopError};
use crate::oauth::evidence::{Credentials, Target};
use crate::oauth::grant::Record;
use crate::oauth::replay::Replay;
use crate::oauth::scope::Requirement;
use crate::oauth::token::TokenDigest;
use crate::store::Use;

/// A request with a token under the DPoP scheme, and what it is checked against.
pub(super) struct DpopRequest<'a, C> {
    pub(super) presented: Presented<'a>,
    pub(super) credentials: &'a C,
    pub(super) requirement: &'a Requirement,
    pub(super) audience: Option<&'a str>,
    pub(super) certificate: Option<&'a [u8; 32]>,
    pub(super) target: Target<'a>,
}

impl<C: Credentials> DpopRequest<'_, C> {
    /// Decides on the record that was found for the token (RFC 9449 §7.1).
    pub(super) fn decide(
        &self,
        record: Option<Record>,
        digest: TokenDigest,
        (proofs, use_up): (&ProofVerifier, UseUp<'_>),
        clock: &dyn Clock,
    ) -> Result<Permit, Undecided> {
        let now = clock.now();
        // Both checks come before the proof: only for a live, bound token is a signature verified and a `jti` remembered.
        let record = record.filter(|record| record.is_live(now)).ok_or(Denial::InvalidToken)?;
        let bound_to = record.grant().terms().confirmation;
        let key = bound_to.and_then(|bound_to| bound_to.key().copied());
        let key = key.ok_or(Denial::NotHeld(Mismatch::BearerAsKey))?;
        let proof = proofs.prove(self.credentials, self.presented.token, key, self.target, use_up, clock)?;
        let held = Possession { certificate: self.certificate, key: Some(proof.key.as_bytes()) };
        Ok(decide::decide(Some(record), digest, self.requirement, self.audience, held, now)?)
    }
}

impl Gate {
    /// Authorizes a request with a token under the DPoP scheme (RFC 9449 §7.1).
    pub(super) fn authorize_dpop(
        &self,
        request: &DpopRequest<'_, impl Credentials>,
        answers: &Answers,
    ) -> Result<Permit, Undecided> {
        let authorize = || {
            let digest = TokenDigest::of_presented(request.presented.token).ok_or(Denial::InvalidToken)?;
            let record = self.find(digest, answers)?;
            let use_up = if self.inner.store.is_shared() { UseUp::InStore(answers) } else { UseUp::Here };
            request.decide(record, digest, (&self.inner.proofs, use_up), self.clock())
        };
        authorize().map_err(|undecided| undecided.map_denial(|denial| Denial::Dpop(Box::new(denial))))
    }

    /// Returns the key that a token request proves to hold, if it has a proof (RFC 9449 §5).
    ///
    /// The `htu` may be the endpoint's URL as the metadata has it or as this request has it. A client that reaches the
    /// server under another name than the issuer's can know either.
    pub(super) async fn proven_key(
        &self,
        settings: &Settings,
        parts: &request::Parts,
        origin: Origin<'_>,
    ) -> Result<Option<[u8; 32]>, TokenError> {
        let refused = |error: DpopError| TokenError::InvalidProof(error.public_description());
        let Some(header) = dpop::from_headers(&parts.headers).map_err(refused)? else { return Ok(None) };
        let check = |uri: &str| proof::check(header, parts.method.as_str(), uri, None, self.clock());
        let checked = match (check(&settings.token_url), requested_url(settings, parts, origin)) {
            (Err(DpopError::Uri), Some(uri)) => check(&uri),
            (checked, _) => checked,
        };
        let proof = checked.map_err(refused)?;
        self.inner.proofs.use_up(&proof, self.clock()).map_err(|replay| match replay {
            Replay::Seen | Replay::Expired => TokenError::InvalidProof(USED),
            _ => TokenError::Unavailable(RETRY_WHEN_FULL),
        })?;
        if self.inner.store.is_shared() {
            let (name, keep) = proof::used_name(&proof, self.clock());
            match self.inner.store.use_once(name, keep).get().await {
                Ok(Use::First) => {}
                Ok(Use::Again) => return Err(TokenError::InvalidProof(USED)),
                Err(_) => return Err(TokenError::Unavailable(RETRY_WHEN_FULL)),
            }
        }
        Ok(Some(*proof.key.as_bytes()))
    }
}

/// Returns the URL of the token endpoint as the request names it, if it is known whether the client speaks TLS.
fn requested_url(settings: &Settings, parts: &request::Parts, origin: Origin<'_>) -> Option<String> {
    let authority = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts.headers.get(HOST)?.to_str().ok()?,
    };
    let target =
        Target { method: &parts.method, https: origin.https?, authority, path: &settings.token_endpoint };
    Some(target.uri())
}
