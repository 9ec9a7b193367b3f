//! The JWTs that were signed for the tokens of a grant. The grant owns them, so they are dropped with it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;

/// The most JWTs that one grant keeps. A grant whose tokens have many different ages needs about forty for
/// each audience.
const MOST: usize = 128;
/// If a grant has at least this many JWTs, new ones expire at round times, so that tokens share them.
const CROWDED: usize = 16;
/// Rounding shortens the life of a JWT by less than one part in this many.
const PARTS: u64 = 4;

/// The signed JWTs of a grant, for all of its tokens and audiences.
///
/// Readers take no lock and change nothing that other threads read.
#[derive(Default)]
pub(crate) struct GrantJwts(ArcSwapOption<Vec<Arc<GrantJwt>>>);

/// A signed JWT.
pub(crate) struct GrantJwt {
    pub(crate) audience: Arc<str>,
    /// The generation of the settings and keys with which it was signed.
    pub(crate) generation: u64,
    /// The `exp` claim.
    pub(crate) expires: u64,
    /// `Bearer`, a space, and the JWT.
    pub(crate) authorization: Box<str>,
    /// Its place in the cache, which becomes free when the JWT is dropped.
    pub(crate) _place: CachePlace,
}

/// The JWT that a request needs. All times are in seconds since 1970, by one clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WantedJwt<'a> {
    pub(crate) audience: &'a Arc<str>,
    pub(crate) generation: u64,
    pub(crate) now: u64,
    /// When the token expires, rounded down.
    pub(crate) token_expires: u64,
    /// The longest lifetime of a JWT, in seconds.
    pub(crate) lifetime: u64,
}

impl WantedJwt<'_> {
    /// Returns the `exp` claim of a JWT that is signed now. It is as late as possible, or a little earlier if
    /// `crowded` says that tokens of many ages share JWTs.
    fn expires(&self, crowded: bool) -> u64 {
        let latest = self.token_expires.min(self.now.saturating_add(self.lifetime));
        let left = latest.saturating_sub(self.now);
        if crowded && left >= PARTS {
            let step = 1 << (left / PARTS).ilog2();
            return latest / step * step;
        }
        latest
    }

    /// Returns whether a JWT can be used: it does not outlive the token, and the time that it has left is at
    /// least half of what a JWT that is signed now would have. A token that lives no longer than a JWT
    /// therefore needs only one.
    fn is_met_by(&self, jwt: &GrantJwt) -> bool {
        let same_audience = Arc::ptr_eq(&jwt.audience, self.audience) || jwt.audience == *self.audience;
        let left = |expires: u64| expires.saturating_sub(self.now);
        same_audience
            && jwt.generation == self.generation
            && jwt.expires <= self.token_expires
            && jwt.expires >= self.now.min(self.token_expires)
            && left(jwt.expires) >= left(self.expires(false)) / 2
    }
}

impl GrantJwts {
    /// Calls `use_it` with the JWT that expires last among those that can be used. Returns `false` if there
    /// is none.
    pub(crate) fn find(&self, wanted: &WantedJwt<'_>, use_it: impl FnOnce(&str)) -> bool {
        let kept = self.0.load();
        let Some(kept) = kept.as_ref() else { return false };
        let usable = kept.iter().filter(|jwt| wanted.is_met_by(jwt));
        match usable.max_by_key(|jwt| jwt.expires) {
            Some(jwt) => {
                use_it(&jwt.authorization);
                true
            }
            None => false,
        }
    }

    /// Returns the `exp` claim of a JWT that is signed now.
    pub(crate) fn expiry(&self, wanted: &WantedJwt<'_>) -> u64 {
        wanted.expires(self.len() >= CROWDED)
    }

    fn len(&self) -> usize {
        self.0.load().as_ref().map_or(0, |kept| kept.len())
    }

    /// Keeps a JWT. Drops JWTs that have expired at `now` or have an earlier generation.
    pub(crate) fn keep(&self, jwt: GrantJwt, now: u64) {
        let jwt = Arc::new(jwt);
        self.0.rcu(|kept| {
            let before = kept.iter().flat_map(|kept| kept.iter());
            let stays = |old: &&Arc<GrantJwt>| old.expires > now && old.generation >= jwt.generation;
            let mut after: Vec<Arc<GrantJwt>> = before.filter(stays).cloned().collect();
            if after.len() >= MOST
                && let Some((first, _)) = after.iter().enumerate().min_by_key(|(_, old)| old.expires)
            {
                after.swap_remove(first);
            }
            after.push(Arc::clone(&jwt));
            Some(Arc::new(after))
        });
    }

    /// Removes all JWTs.
    pub(crate) fn clear(&self) {
        self.0.store(None);
    }
}

impl fmt::Debug for GrantJwts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GrantJwts({})", self.len())
    }
}

/// A place among the JWTs that are kept. It becomes free when the value is dropped.
pub(crate) struct CachePlace(Arc<AtomicUsize>);

impl CachePlace {
    /// Takes a place. Returns `None` if `most` places are taken.
    pub(crate) fn take(taken: &Arc<AtomicUsize>, most: usize) -> Option<Self> {
        if taken.fetch_add(1, Ordering::Relaxed) < most {
            return Some(Self(Arc::clone(taken)));
        }
        taken.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for CachePlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Cache {
        jwts: GrantJwts,
        taken: Arc<AtomicUsize>,
        audience: Arc<str>,
        signed: usize,
    }

    impl Cache {
        fn new() -> Self {
            let taken = Arc::new(AtomicUsize::new(0));
            Self { jwts: GrantJwts::default(), taken, audience: "orders".into(), signed: 0 }
        }

        /// Returns the `exp` of the JWT that a token gets, and signs one if there is none.
        fn serve(&mut self, now: u64, token_expires: u64, lifetime: u64) -> u64 {
            let audience = Arc::clone(&self.audience);
            let wanted = WantedJwt { audience: &audience, generation: 1, now, token_expires, lifetime };
            let mut found = None;
            if self.jwts.find(&wanted, |text| found = text.parse().ok()) {
                return found.unwrap();
            }
            self.signed += 1;
            let expires = self.jwts.expiry(&wanted);
            let jwt = GrantJwt {
                audience: Arc::clone(&audience),
                generation: 1,
                expires,
                authorization: expires.to_string().into(),
                _place: CachePlace::take(&self.taken, usize::MAX).unwrap(),
            };
            self.jwts.keep(jwt, now);
            expires
        }
    }

    #[test]
    fn a_token_has_one_jwt_for_its_whole_life() {
        let mut cache = Cache::new();
        for now in 1_000..1_299 {
            assert_eq!(cache.serve(now, 1_299, 300), 1_299);
        }
        assert_eq!(cache.signed, 1);
        // In its last second, the JWT has the token's `exp` and no other.
        assert_eq!(cache.serve(1_299, 1_299, 300), 1_299);
    }

    #[test]
    fn no_jwt_outlives_the_token_that_it_is_sent_for() {
        let mut cache = Cache::new();
        assert_eq!(cache.serve(1_000, 1_299, 300), 1_299);
        assert_eq!(cache.serve(1_000, 1_298, 300), 1_298, "of an older token of the same grant");
        // The newer token shares the JWT that lives a little shorter, or keeps its own.
        assert!(cache.serve(1_001, 1_299, 300) <= 1_299);
        assert_eq!(cache.signed, 2);
        assert_eq!(cache.serve(1_001, 1_010, 300), 1_010, "and of one that is about to expire");
    }

    #[test]
    fn long_lived_tokens_share_jwts_and_get_new_ones_in_time() {
        let mut cache = Cache::new();
        for now in 0..3_600_u64 {
            for token in 0..50 {
                let expires = cache.serve(now, 100_000 + token, 300);
                assert!(expires - now >= 150, "{now}: {expires}");
            }
        }
        assert_eq!(cache.signed, 24, "one for 151 seconds, whatever the number of tokens");
    }

    #[test]
    fn many_tokens_of_all_ages_need_few_signatures() {
        let mut cache = Cache::new();
        let mut requests = 0;
        for now in 1_000..1_300_u64 {
            for age in 0..299 {
                let token_expires = now + 299 - age;
                let expires = cache.serve(now, token_expires, 300);
                assert!(expires <= token_expires && expires >= now);
                requests += 1;
            }
            let kept = cache.taken.load(Ordering::Relaxed);
            assert!(kept <= MOST, "{kept}");
        }
        assert!(cache.signed < requests / 200, "{} of {requests}", cache.signed);
    }

    #[test]
    fn places_are_given_back_and_bounded() {
        let taken = Arc::new(AtomicUsize::new(0));
        let first = CachePlace::take(&taken, 1);
        assert!(first.is_some() && CachePlace::take(&taken, 1).is_none());
        drop(first);
        assert_eq!(taken.load(Ordering::Relaxed), 0);
        let mut cache = Cache::new();
        for upstream in 0..200 {
            cache.audience = format!("upstream {upstream}").into();
            cache.serve(0, 1_000, 300);
        }
        assert_eq!(cache.taken.load(Ordering::Relaxed), MOST);
        cache.jwts.clear();
        assert_eq!(cache.taken.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn another_audience_and_another_generation_have_their_own() {
        let mut cache = Cache::new();
        cache.serve(0, 100, 300);
        let other: Arc<str> = "stock".into();
        let wanted = WantedJwt { audience: &other, generation: 1, now: 0, token_expires: 100, lifetime: 300 };
        assert!(!cache.jwts.find(&wanted, |_| ()));
        let same: Arc<str> = "orders".into();
        assert!(cache.jwts.find(&WantedJwt { audience: &same, ..wanted }, |_| ()), "after a reload");
        assert!(!cache.jwts.find(&WantedJwt { audience: &same, generation: 2, ..wanted }, |_| ()));
    }
}
