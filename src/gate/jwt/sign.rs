//! Signing JWTs for the tokens of a gate.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::gate::instance::Gate;
use crate::gate::jwt::ring::KeyRing;
use crate::gate::jwt::state::JwtStats;
use crate::gate::question::{Answers, Undecided};
use crate::gate::settings::Settings;
use crate::oauth::access_jwt::{self, AccessClaims};
use crate::oauth::decide::{Identity, Lease};
use crate::oauth::denial::Denial;
use crate::oauth::evidence::{Credentials, Evidence};
use crate::oauth::grant::Record;
use crate::oauth::grant_jwts::{CachePlace, GrantJwt, WantedJwt};
use crate::oauth::scope::Demand;

/// The most JWTs that all grants together keep. A JWT takes about 700 bytes. When this many are kept, the
/// gate signs a JWT for each request for which none is kept.
const MOST_KEPT: usize = 65_536;

impl Gate {
    /// Replaces the keys. If a key is not published any more, the JWTs that were signed so far are not used
    /// again.
    pub(crate) fn set_signing_keys(&self, keys: Arc<KeyRing>) {
        let signer = &self.inner.jwt;
        let before = signer.keys.swap(Some(Arc::clone(&keys)));
        if before.is_some_and(|before| !keys.has_all_of(&before)) {
            signer.forget();
        }
    }

    /// Returns the keys, if there are any.
    pub(crate) fn signing_keys(&self) -> Option<Arc<KeyRing>> {
        self.inner.jwt.keys.load_full()
    }

    /// Returns the numbers about signed JWTs.
    pub(crate) fn jwt_stats(&self) -> JwtStats {
        let signer = &self.inner.jwt;
        let keys = signer.keys.load();
        let now = self.inner.clock.unix_time();
        JwtStats {
            signed: signer.signed.load(Ordering::Relaxed),
            kept: signer.kept.load(Ordering::Relaxed),
            keys: keys.as_ref().map_or(0, |keys| keys.published()),
            key_age: keys.as_ref().and_then(|keys| Some(now.saturating_sub(keys.signs_since()?))),
        }
    }

    /// Makes a lease like [`Gate::lease`], and puts the JWT for `audience` into `identity`.
    pub(crate) fn lease_with_jwt(
        &self,
        credentials: &impl Credentials,
        demand: &Demand,
        evidence: &Evidence<'_>,
        identity: &mut Identity,
        answers: &Answers,
        audience: &Arc<str>,
    ) -> Result<Lease, Undecided> {
        let mut jwt = Jwt::new(self, audience);
        let look = |record: &Record, identity: &mut Identity| jwt.look(record, identity);
        let lease = self.lease_and(credentials, demand, evidence, identity, answers, look)?;
        jwt.finish(identity)?;
        Ok(lease)
    }
}

/// Finds the JWT for one request: first among the JWTs of the record, while the store lends the record. If
/// there is none, it is signed afterwards.
struct Jwt<'a> {
    gate: &'a Gate,
    audience: &'a Arc<str>,
    settings: arc_swap::Guard<Arc<Settings>>,
    generation: u64,
    unix_time: Duration,
    /// The record for which a JWT has to be signed.
    unsigned: Option<Record>,
}

impl<'a> Jwt<'a> {
    fn new(gate: &'a Gate, audience: &'a Arc<str>) -> Self {
        // The generation is read before the keys and the settings. If these change in between, the JWT has
        // the earlier generation and is not used again. The wall clock is read before the token's clock, so
        // that the JWT never expires later than the token.
        let generation = gate.inner.jwt.generation.load(Ordering::Acquire);
        let unix_time = gate.inner.clock.unix_time();
        Self { gate, audience, settings: gate.settings(), generation, unix_time, unsigned: None }
    }

    fn wanted(&self, record: &Record) -> WantedJwt<'a> {
        let left = record.expires().since(self.gate.inner.clock.now());
        WantedJwt {
            audience: self.audience,
            generation: self.generation,
            now: self.unix_time.as_secs(),
            token_expires: (self.unix_time + left).as_secs(),
            lifetime: self.settings.jwt.map_or(0, |policy| policy.lifetime.as_secs()),
        }
    }

    /// Uses a JWT that is kept. This runs while the store lends the record, so it must not spend time on a
    /// signature.
    fn look(&mut self, record: &Record, identity: &mut Identity) {
        let wanted = self.wanted(record);
        if !record.grant().jwts().find(&wanted, |authorization| identity.set_authorization(authorization)) {
            self.unsigned = Some(record.clone());
        }
    }

    /// Signs a JWT if none was found.
    fn finish(self, identity: &mut Identity) -> Result<(), Denial> {
        match &self.unsigned {
            None => Ok(()),
            Some(record) => self.sign(record, identity).ok_or(Denial::Unavailable),
        }
    }

    #[cold]
    fn sign(&self, record: &Record, identity: &mut Identity) -> Option<()> {
        let signer = &self.gate.inner.jwt;
        let wanted = self.wanted(record);
        let keys = signer.keys.load();
        let (grant, mut random) = (record.grant(), [0; 16]);
        getrandom::fill(&mut random).ok()?;
        let client = grant.client().id().as_str();
        let expires = grant.jwts().expiry(&wanted);
        let claims = AccessClaims {
            iss: &self.settings.issuer,
            sub: client,
            aud: self.audience,
            client_id: client,
            scope: grant.terms().scopes.as_str(),
            iat: wanted.now,
            exp: expires,
            jti: &access_jwt::encode(&random),
        };
        let jwt = keys.as_ref()?.signing().sign(&claims).ok()?;
        signer.signed.fetch_add(1, Ordering::Relaxed);
        let authorization = format!("Bearer {jwt}");
        identity.set_authorization(&authorization);
        if let Some(place) = CachePlace::take(&signer.kept, MOST_KEPT) {
            let jwt = GrantJwt {
                audience: Arc::clone(self.audience),
                generation: self.generation,
                expires,
                authorization: authorization.into(),
                _place: place,
            };
            grant.jwts().keep(jwt, wanted.now);
        }
        Some(())
    }
}
