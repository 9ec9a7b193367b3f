//! Proof of possession: the gate's side of DPoP (RFC 9449).

use http::{header::HOST, request};

use super::Gate;
use super::authenticate::Origin;
use super::endpoints::FULL;
use super::settings::Settings;
use crate::oauth::bearer::Presented;
use crate::oauth::decide::{self, Permit, Possession};
use crate::oauth::denial::{Denial, Mismatch, TokenError};
use crate::oauth::dpop::{self, BoundToken, DpopError, Proof};
use crate::oauth::evidence::{Credentials, Target};
use crate::oauth::replay::{Capacity, Owner, Replay, ReplayMemory};
use crate::oauth::scope::Requirement;
use crate::oauth::thumbprint::Thumbprint;
use crate::oauth::token::TokenDigest;

/// How old a proof may be, in seconds, and so how long its `jti` is kept (RFC 9449 §11.1).
const MAX_AGE: u64 = 60;
/// How far the client's clock may be ahead, in seconds.
const MAX_AHEAD: u64 = 30;

/// What is remembered of assertions and proofs, so that none is taken twice.
pub(super) struct Replays {
    pub(super) assertions: ReplayMemory,
    proofs: ReplayMemory,
}

impl Replays {
    /// Empty memories. Both fill only with what carries a good signature of a client, or of the key of a live token.
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        let memory = |total, per_owner| {
            let mut seed = [0; 32];
            getrandom::fill(&mut seed)?;
            Ok(ReplayMemory::new(Capacity { total, per_owner }, seed))
        };
        Ok(Self { assertions: memory(262_144, 65_536)?, proofs: memory(1_048_576, 262_144)? })
    }
}

const NO_PROOF: &str = "the DPoP scheme needs a proof, in one DPoP header";
const USED: &str = "the jti of the DPoP proof was used before";

impl Gate {
    /// Authorises a token that came under the DPoP scheme (RFC 9449 §7.1).
    pub(super) fn judge_dpop(
        &self,
        presented: Presented<'_>,
        credentials: &impl Credentials,
        requirement: &Requirement,
        audience: Option<&str>,
        certificate: Option<&[u8; 32]>,
        target: Option<Target<'_>>,
    ) -> Result<Permit, Denial> {
        presented.check_syntax()?;
        // Without a target no proof can be checked: the scheme is one of those that are not on offer.
        let Some(target) = target else { return Err(Denial::Missing) };
        let judge = || {
            let digest = TokenDigest::of_presented(presented.token).ok_or(Denial::InvalidToken)?;
            let record = self.inner.store.find(&digest).map_err(|_| Denial::Unavailable)?;
            let now = self.inner.clock.now();
            // Both before the proof: no signature is verified, and no `jti` remembered, for what is no bound token.
            let record = record.filter(|record| record.is_live(now)).ok_or(Denial::InvalidToken)?;
            let bound_to = record.grant().terms().confirmation;
            let key = bound_to.and_then(|bound_to| bound_to.key().copied());
            let key = key.ok_or(Denial::NotHeld(Mismatch::BearerAsKey))?;
            let proof = self.prove(credentials, presented.token, key, target)?;
            let held = Possession { certificate, key: Some(proof.key.as_bytes()) };
            decide::decide(Some(record), digest, requirement, audience, held, now)
        };
        judge().map_err(|denial| Denial::Dpop(Box::new(denial)))
    }

    fn prove(
        &self,
        credentials: &impl Credentials,
        token: &[u8],
        key: [u8; 32],
        target: Target<'_>,
    ) -> Result<Proof, Denial> {
        let denied = |error: DpopError| match error {
            DpopError::Key => Denial::NotHeld(Mismatch::Key),
            error => Denial::InvalidProof(error.public_description()),
        };
        let proof =
            dpop::only(credentials.proofs()).map_err(denied)?.ok_or(Denial::InvalidProof(NO_PROOF))?;
        let access_token = std::str::from_utf8(token).map_err(|_| Denial::InvalidToken)?;
        let token = BoundToken { access_token, key: Thumbprint::from_bytes(key) };
        let proof =
            self.check_proof(proof, target.method.as_str(), &target.uri(), Some(token)).map_err(denied)?;
        self.use_up(&proof).map_err(|replay| match replay {
            Replay::Seen | Replay::Expired => Denial::InvalidProof(USED),
            // No room to remember it: a proof that might be taken again is not taken at all.
            _ => Denial::Unavailable,
        })?;
        Ok(proof)
    }

    /// The key that a token request proves to hold, where it has a proof (RFC 9449 §5).
    ///
    /// The `htu` may be the endpoint's URL as the metadata has it, or as this request has it: behind another name than
    /// the issuer's, both are what a client can know.
    pub(super) fn proven_key(
        &self,
        settings: &Settings,
        parts: &request::Parts,
        origin: Origin<'_>,
    ) -> Result<Option<[u8; 32]>, TokenError> {
        let refused = |error: DpopError| TokenError::InvalidProof(error.public_description());
        let Some(header) = dpop::from_headers(&parts.headers).map_err(refused)? else { return Ok(None) };
        let method = parts.method.as_str();
        let as_published = self.check_proof(header, method, &settings.token_url, None);
        let checked = match (as_published, as_asked(settings, parts, origin)) {
            (Err(DpopError::Uri), Some(uri)) => self.check_proof(header, method, &uri, None),
            (checked, _) => checked,
        };
        let proof = checked.map_err(refused)?;
        self.use_up(&proof).map_err(|replay| match replay {
            Replay::Seen | Replay::Expired => TokenError::InvalidProof(USED),
            _ => TokenError::Unavailable(FULL),
        })?;
        Ok(Some(*proof.key.as_bytes()))
    }

    fn check_proof(
        &self,
        proof: &str,
        method: &str,
        uri: &str,
        token: Option<BoundToken<'_>>,
    ) -> Result<Proof, DpopError> {
        let now = self.inner.clock.unix_time().as_secs();
        dpop::check(proof, &dpop::Expect { method, uri, now, max_age: MAX_AGE, max_ahead: MAX_AHEAD, token })
    }

    fn use_up(&self, proof: &Proof) -> Result<(), Replay> {
        let now = unix_millis(self);
        let proofs = &self.inner.replays.proofs;
        proofs.check_and_remember(Owner::Key(&proof.key), &proof.jti, proof.remember_until, now)
    }
}

/// Wall-clock time as the replay memories count it.
pub(super) fn unix_millis(gate: &Gate) -> u64 {
    u64::try_from(gate.inner.clock.unix_time().as_millis()).unwrap_or(u64::MAX)
}

/// The URL of the token endpoint as the request names it, where it is known whether the client speaks TLS.
fn as_asked(settings: &Settings, parts: &request::Parts, origin: Origin<'_>) -> Option<String> {
    let authority = match parts.uri.authority() {
        Some(authority) => authority.as_str(),
        None => parts.headers.get(HOST)?.to_str().ok()?,
    };
    let target =
        Target { method: &parts.method, https: origin.https?, authority, path: &settings.token_endpoint };
    Some(target.uri())
}
