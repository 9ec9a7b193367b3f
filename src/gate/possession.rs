//! Proof of possession at the protected resources and at the token endpoint (DPoP, RFC 9449).

use http::request;

use crate::clock::Clock;
use crate::gate::instance::{Gate, RETRY_WHEN_FULL};
use crate::gate::proof::{self, ProofScope, ProofVerifier, USED, UseUp};
use crate::gate::question::{Answers, Undecided};
use crate::gate::settings::{Client, Settings};
use crate::oauth::bearer::Presented;
use crate::oauth::decide::{self, Permit, Possession, RouteDemand};
use crate::oauth::denial::{Denial, Mismatch};
use crate::oauth::dpop::{self, DpopError};
use crate::oauth::evidence::{Credentials, Target};
use crate::oauth::grant::Record;
use crate::oauth::replay::Replay;
use crate::oauth::token::TokenDigest;
use crate::oauth::token_error::TokenError;
use crate::store::Use;

/// A request with a token under the DPoP scheme, and what it is checked against.
pub(super) struct DpopRequest<'a, C> {
    pub(super) presented: Presented<'a>,
    pub(super) credentials: &'a C,
    pub(super) demand: RouteDemand<'a>,
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
        scope: ProofScope<'_>,
        clock: &dyn Clock,
    ) -> Result<Permit, Undecided> {
        let now = clock.now();
        // Both checks come before the proof: only for a live, bound token is a signature verified and a `jti`
        // remembered.
        let record = record.filter(|record| record.is_live(now)).ok_or(Denial::InvalidToken)?;
        let bound_to = record.grant().terms().confirmation;
        let key = bound_to.and_then(|bound_to| bound_to.key().copied());
        let key = key.ok_or(Denial::NotHeld(Mismatch::BearerAsKey))?;
        let holder = (record.grant().client().id().as_str(), key);
        let token = self.presented.token;
        let proof = proofs.prove((self.credentials, token), holder, self.target, scope, use_up, clock)?;
        let held = Possession { certificate: self.certificate, key: Some(proof.key.as_bytes()) };
        Ok(decide::decide(Some(record), digest, self.demand, held, now)?)
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
            let settings = self.settings();
            request.decide(record, digest, (&self.inner.proofs, use_up), settings.proof_scope(), self.clock())
        };
        authorize().map_err(|undecided| undecided.map_denial(|denial| Denial::Dpop(Box::new(denial))))
    }

    /// Returns the key that a token request of `client` proves to hold, if it has a proof (RFC 9449 §5).
    ///
    /// The `htu` may be the endpoint's URL as the metadata has it, or the same path at another of the
    /// server's origins.
    pub(super) async fn proven_key(
        &self,
        settings: &Settings,
        client: &Client,
        parts: &request::Parts,
    ) -> Result<Option<[u8; 32]>, TokenError> {
        let refused = |error: DpopError| TokenError::InvalidProof(error.public_description());
        let Some(header) = dpop::from_headers(&parts.headers).map_err(refused)? else { return Ok(None) };
        let (scope, proofs) = (settings.proof_scope(), &self.inner.proofs);
        // The endpoint is the same under each of the server's names, so the one that the request has does not
        // matter.
        let check =
            |path: &str| proofs.check(header, parts.method.as_str(), (None, path), None, scope, self.clock());
        // With an issuer that has a path, the metadata puts it before the path of the endpoint.
        let public_path = format!("{}{}", settings.issuer_path, settings.token_endpoint);
        let checked = match check(&settings.token_endpoint) {
            Err(DpopError::Uri) if !settings.issuer_path.is_empty() => check(&public_path),
            checked => checked,
        };
        let proof = checked.map_err(refused)?;
        let used = proofs.use_up(&proof, client.state.id().as_str(), scope, self.clock());
        used.map_err(|replay| match replay {
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
