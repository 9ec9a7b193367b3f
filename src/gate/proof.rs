//! Verifying DPoP proofs (RFC 9449): the checks that need a clock and a memory of used proofs.

use std::time::Duration;

use crate::clock::Clock;
use crate::gate::question::{Answers, Question, Undecided};
use crate::gate::used_once::{self, UsedOnce};
use crate::oauth::denial::{Denial, Mismatch};
use crate::oauth::dpop::{self, BoundToken, DpopError, Proof};
use crate::oauth::evidence::{Credentials, Target};
use crate::oauth::public_origin::{PublicOrigin, PublicOrigins};
use crate::oauth::replay::{Capacity, Replay, UsedJti};
use crate::oauth::thumbprint::Thumbprint;
use crate::store::{Use, UsedName};

/// The oldest accepted proof, in seconds. A `jti` is remembered for as long (RFC 9449 §11.1).
const MAX_AGE: u64 = 60;
/// The maximum time by which the client's clock may be ahead, in seconds.
const MAX_AHEAD: u64 = 30;
/// The maximum number of proofs that are remembered. One client can have a quarter of them. A proof is
/// remembered for about 90 s, so that is 2,900 requests a second of one client.
const PROOFS: Capacity = Capacity { total: 1_048_576 };

const NO_PROOF: &str = "the DPoP scheme needs a proof, in one DPoP header";
/// The refusal of a proof that was used before.
pub(crate) const USED: &str = "the jti of the DPoP proof was used before";

/// Verifies proofs and remembers them, so that none is accepted twice. Only proofs with a valid signature are
/// remembered, at a protected resource only those by the key of a live token.
pub(super) struct ProofVerifier {
    used: UsedOnce,
}

/// The properties of a gate that a proof is checked against.
#[derive(Clone, Copy)]
pub(super) struct ProofScope<'a> {
    /// The origins of the server.
    pub(super) origins: &'a PublicOrigins,
    /// The number of clients that share the memory of proofs.
    pub(super) clients: usize,
}

/// Where used proofs are recorded.
#[derive(Clone, Copy)]
pub(super) enum UseUp<'a> {
    /// In this process alone.
    Here,
    /// In the store too, which other processes share. It has given these answers.
    InStore(&'a Answers),
}

impl ProofVerifier {
    /// Makes a verifier that has seen no proof.
    ///
    /// # Errors
    /// The operating system's, if it provides no randomness.
    pub(super) fn new(clock: &dyn Clock) -> Result<Self, getrandom::Error> {
        Ok(Self { used: UsedOnce::new(PROOFS, clock)? })
    }

    /// Verifies the proof of a request to a protected resource: that its sender holds `key`, which the token
    /// of `client` is bound to (RFC 9449 §7.1). Uses the proof up.
    pub(super) fn prove(
        &self,
        (credentials, token): (&impl Credentials, &[u8]),
        (client, key): (&str, [u8; 32]),
        target: Target<'_>,
        scope: ProofScope<'_>,
        use_up: UseUp<'_>,
        clock: &dyn Clock,
    ) -> Result<Proof, Undecided> {
        let denied = |error: DpopError| match error {
            DpopError::Key => Denial::NotHeld(Mismatch::Key),
            error => Denial::InvalidProof(error.public_description()),
        };
        let proof =
            dpop::only(credentials.proofs()).map_err(denied)?.ok_or(Denial::InvalidProof(NO_PROOF))?;
        let access_token = std::str::from_utf8(token).map_err(|_| Denial::InvalidToken)?;
        let token = BoundToken { access_token, key: Thumbprint::from_bytes(key) };
        let requested = PublicOrigin::of_authority(target.https, target.authority);
        let site = (requested.as_ref(), target.path);
        let proof =
            self.check(proof, target.method.as_str(), site, Some(token), scope, clock).map_err(denied)?;
        let here = || {
            self.use_up(&proof, client, scope, clock).map_err(|replay| match replay {
                Replay::Seen | Replay::Expired => Denial::InvalidProof(USED),
                // There is no room to remember the proof, so it is refused: it could be used again.
                _ => Denial::Unavailable,
            })
        };
        match use_up {
            UseUp::Here => here()?,
            UseUp::InStore(answers) => {
                let (name, keep) = used_name(&proof, clock);
                match answers.used(name) {
                    // It was recorded here before the store was queried.
                    Some(Ok(Use::First)) => {}
                    Some(Ok(Use::Again)) => return Err(Denial::InvalidProof(USED).into()),
                    Some(Err(_)) => return Err(Denial::Unavailable.into()),
                    None => {
                        here()?;
                        return Err(Undecided::Ask(Question::Use { name, keep }));
                    }
                }
            }
        }
        Ok(proof)
    }

    /// Checks everything about a proof except that it was not used before. `site` is the origin that the
    /// request names, and its path.
    pub(super) fn check(
        &self,
        proof: &str,
        method: &str,
        (requested, path): (Option<&PublicOrigin>, &str),
        token: Option<BoundToken<'_>>,
        scope: ProofScope<'_>,
        clock: &dyn Clock,
    ) -> Result<Proof, DpopError> {
        let expect = dpop::Expect {
            method,
            origins: scope.origins,
            requested,
            path,
            now: clock.unix_time().as_secs(),
            // No store keeps proofs over a restart.
            earliest: self.used.earliest(clock, false),
            max_age: MAX_AGE,
            max_ahead: MAX_AHEAD,
            token,
        };
        dpop::check(proof, &expect)
    }

    /// Remembers a proof of `client` as used.
    pub(super) fn use_up(
        &self,
        proof: &Proof,
        client: &str,
        scope: ProofScope<'_>,
        clock: &dyn Clock,
    ) -> Result<(), Replay> {
        let name = UsedJti { client, key: Some(&proof.key), jti: &proof.jti };
        self.used.use_up(name, proof.remember_until, scope.clients, clock)
    }
}

/// Returns the name of a proof in the store, and how long the store remembers it.
pub(super) fn used_name(proof: &Proof, clock: &dyn Clock) -> (UsedName, Duration) {
    let keep = used_once::time_to_keep(proof.remember_until, clock);
    (UsedName::of_proof(proof.key.as_bytes(), &proof.jti), keep)
}
