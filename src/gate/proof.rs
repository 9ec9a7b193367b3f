//! Verifying DPoP proofs (RFC 9449): the checks that need a clock and a memory of used proofs.

use std::time::Duration;

use crate::clock::Clock;
use crate::gate::question::{Answers, Question, Undecided};
use crate::oauth::denial::{Denial, Mismatch};
use crate::oauth::dpop::{self, BoundToken, DpopError, Proof};
use crate::oauth::evidence::{Credentials, Target};
use crate::oauth::replay::{Capacity, Owner, Replay, ReplayMemory};
use crate::oauth::thumbprint::Thumbprint;
use crate::store::{Use, UsedName};

/// The oldest accepted proof, in seconds. A `jti` is remembered for as long (RFC 9449 §11.1).
const MAX_AGE: u64 = 60;
/// How far the client's clock may be ahead, in seconds.
const MAX_AHEAD: u64 = 30;
/// How many proofs are remembered, in all and of one key.
const PROOFS: Capacity = Capacity { total: 1_048_576, per_owner: 262_144 };

const NO_PROOF: &str = "the DPoP scheme needs a proof, in one DPoP header";
/// The refusal of a proof that was used before.
pub(super) const USED: &str = "the jti of the DPoP proof was used before";

/// Verifies proofs and remembers them, so that none is accepted twice. Only proofs with a valid signature are
/// remembered, at a protected resource only those by the key of a live token.
pub(super) struct ProofVerifier {
    used: ReplayMemory,
}

/// Where the proofs of requests are used up.
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
    pub(super) fn new() -> Result<Self, getrandom::Error> {
        Ok(Self { used: replay_memory(PROOFS)? })
    }

    /// Verifies the proof of a request to a protected resource: that its sender holds `key`, which the token is bound to
    /// (RFC 9449 §7.1). Uses the proof up.
    pub(super) fn prove(
        &self,
        credentials: &impl Credentials,
        token: &[u8],
        key: [u8; 32],
        target: Target<'_>,
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
        let proof =
            check(proof, target.method.as_str(), &target.uri(), Some(token), clock).map_err(denied)?;
        let here = || {
            self.use_up(&proof, clock).map_err(|replay| match replay {
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
                    // It was used up here before the question.
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

    /// Remembers a proof as used.
    pub(super) fn use_up(&self, proof: &Proof, clock: &dyn Clock) -> Result<(), Replay> {
        let owner = Owner::Key(&proof.key);
        self.used.check_and_remember(owner, &proof.jti, proof.remember_until, unix_millis(clock))
    }
}

/// Makes an empty replay memory with a random seed.
///
/// # Errors
/// The operating system's, if it provides no randomness.
pub(super) fn replay_memory(capacity: Capacity) -> Result<ReplayMemory, getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(ReplayMemory::new(capacity, seed))
}

/// Returns the name of a proof in the store, and how long the store remembers it.
pub(super) fn used_name(proof: &Proof, clock: &dyn Clock) -> (UsedName, Duration) {
    let keep = Duration::from_millis(proof.remember_until.saturating_sub(unix_millis(clock)));
    (UsedName::of_proof(proof.key.as_bytes(), &proof.jti), keep)
}

/// Checks everything about a proof except that it was not used before.
pub(super) fn check(
    proof: &str,
    method: &str,
    uri: &str,
    token: Option<BoundToken<'_>>,
    clock: &dyn Clock,
) -> Result<Proof, DpopError> {
    let now = clock.unix_time().as_secs();
    dpop::check(proof, &dpop::Expect { method, uri, now, max_age: MAX_AGE, max_ahead: MAX_AHEAD, token })
}

/// Returns the wall-clock time in the unit of the replay memories.
pub(super) fn unix_millis(clock: &dyn Clock) -> u64 {
    u64::try_from(clock.unix_time().as_millis()).unwrap_or(u64::MAX)
}
