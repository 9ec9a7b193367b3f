//! The stored form of a grant, and the table that maps equal stored forms to one grant.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::clock::Millis;
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::grant::{Confirmation, Grant, Record, Terms};
use crate::oauth::scope::Scopes;

/// The first byte of every stored grant: the version of the format.
const VERSION: u8 = 2;
/// The previous version, in which a grant has no registration.
const WITHOUT_REGISTRATION: u8 = 1;

/// A grant in the form in which a store outside of this process keeps it: the client, its epoch, the terms,
/// and the registration of the client.
///
/// ```
/// use std::time::Duration;
/// use tollgate::oauth::{ClientId, Scopes, Terms};
/// use tollgate::store::StoredGrant;
///
/// let Some(client) = ClientId::new("server") else { unreachable!() };
/// let terms = Terms {
///     scopes: Scopes::none(),
///     lifetime: Duration::from_secs(299),
///     audience: None,
///     confirmation: None,
/// };
/// let stored = StoredGrant { client, epoch: 3, terms, registration: None };
/// assert_eq!(StoredGrant::from_bytes(&stored.to_bytes()), Some(stored));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoredGrant {
    /// The client whose tokens these are.
    pub client: ClientId,
    /// The epoch in which they were issued.
    pub epoch: u32,
    /// The terms on which they were issued.
    pub terms: Terms,
    /// The registration of the client under which they were issued, if it is known: see [`Grant::under`].
    pub registration: Option<Arc<[u8]>>,
}

impl StoredGrant {
    /// Makes the stored form of a grant, with the lifetime that the grant has now.
    #[must_use]
    pub fn of(grant: &Grant) -> Self {
        let terms = Terms { lifetime: grant.lifetime(), ..grant.terms().clone() };
        Self {
            client: grant.client().id().clone(),
            epoch: grant.epoch(),
            terms,
            registration: grant.registration().cloned(),
        }
    }

    /// Serializes the grant: a version, then fields in a fixed order, with a length before each text.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { client, epoch, terms, registration } = self;
        let Terms { scopes, lifetime, audience, confirmation } = terms;
        let mut out = vec![VERSION];
        out.extend_from_slice(&epoch.to_be_bytes());
        let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
        out.extend_from_slice(&millis.to_be_bytes());
        put(&mut out, client.as_str().as_bytes());
        put(&mut out, scopes.as_str().as_bytes());
        match audience {
            None => out.push(0),
            Some(audience) => {
                out.push(1);
                put(&mut out, audience.as_bytes());
            }
        }
        for thumbprint in [
            confirmation.as_ref().and_then(Confirmation::certificate),
            confirmation.as_ref().and_then(Confirmation::key),
        ] {
            match thumbprint {
                None => out.push(0),
                Some(thumbprint) => {
                    out.push(1);
                    out.extend_from_slice(thumbprint);
                }
            }
        }
        match registration {
            None => out.push(0),
            Some(registration) => {
                out.push(1);
                put(&mut out, registration);
            }
        }
        out
    }

    /// Parses the output of [`StoredGrant::to_bytes`]. Returns `None` for anything else.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let [version @ (VERSION | WITHOUT_REGISTRATION)] = take(&mut rest)? else { return None };
        let epoch = u32::from_be_bytes(take(&mut rest)?);
        let lifetime = Duration::from_millis(u64::from_be_bytes(take(&mut rest)?));
        let client = ClientId::new(text(&mut rest)?)?;
        let scopes = match text(&mut rest)? {
            "" => Scopes::none(),
            scopes => Scopes::parse(scopes).ok()?,
        };
        let audience = match take(&mut rest)? {
            [0] => None,
            [1] => Some(text(&mut rest)?.into()),
            _ => return None,
        };
        let certificate = thumbprint(&mut rest)?;
        let key = thumbprint(&mut rest)?;
        let confirmation = Confirmation::new(certificate, key);
        let terms = Terms { scopes, lifetime, audience, confirmation };
        let registration = match version {
            WITHOUT_REGISTRATION => None,
            _ => match take(&mut rest)? {
                [0] => None,
                [1] => Some(sized(&mut rest)?.into()),
                _ => return None,
            },
        };
        rest.is_empty().then_some(Self { client, epoch, terms, registration })
    }
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(bytes);
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

fn sized<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::from_be_bytes(take(rest)?)).ok()?;
    let (bytes, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(bytes)
}

fn text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    std::str::from_utf8(sized(rest)?).ok()
}

fn thumbprint(rest: &mut &[u8]) -> Option<Option<[u8; 32]>> {
    match take(rest)? {
        [0] => Some(None),
        [1] => take(rest).map(Some),
        _ => None,
    }
}

/// Makes records of stored grants. Equal grants become one [`Grant`], so that a record takes sixteen bytes,
/// and all grants of a client share its [`ClientState`].
///
/// A store that makes records returns [`Interner::client`] from
/// [`TokenStore::client`](crate::store::TokenStore::client). It keeps an entry for each client there ever was
/// in this process, and one for each grant with a live record.
#[derive(Default)]
pub struct Interner {
    clients: Mutex<HashMap<ClientId, Arc<ClientState>>>,
    grants: Mutex<HashMap<StoredGrant, Weak<Grant>>>,
}

/// The number of grants from which unused ones are removed before the map grows.
const GRANTS_BEFORE_CLEANING: usize = 1024;

/// The number of clients from which those that had registered and are gone are removed before the map grows.
const CLIENTS_BEFORE_CLEANING: usize = 4096;

/// Returns whether a client has registered itself. Its id never comes again, so its epoch can be forgotten.
#[cfg(feature = "gateway")]
pub(super) fn is_registered(id: &ClientId) -> bool {
    crate::oauth::registration::is_client_id(id.as_str())
}

/// Only the gateway registers clients.
#[cfg(not(feature = "gateway"))]
pub(super) fn is_registered(_: &ClientId) -> bool {
    false
}

impl Interner {
    /// Returns the state of a client. The first call creates the state.
    #[must_use]
    pub fn client(&self, id: &ClientId) -> Arc<ClientState> {
        let mut clients = lock(&self.clients);
        if let Some(client) = clients.get(id) {
            return Arc::clone(client);
        }
        if clients.len() >= CLIENTS_BEFORE_CLEANING && clients.len() == clients.capacity() {
            clients.retain(|id, client| Arc::strong_count(client) > 1 || !is_registered(id));
        }
        Arc::clone(clients.entry(id.clone()).or_insert_with(|| ClientState::new(id.clone())))
    }

    /// Returns the grant of a stored form.
    #[must_use]
    pub fn grant(&self, stored: &StoredGrant) -> Arc<Grant> {
        let client = self.client(&stored.client);
        let mut grants = lock(&self.grants);
        if let Some(grant) = grants.get(stored).and_then(Weak::upgrade) {
            return grant;
        }
        if grants.len() >= GRANTS_BEFORE_CLEANING && grants.len() == grants.capacity() {
            grants.retain(|_, grant| grant.strong_count() > 0);
        }
        let grant = Grant::new(client, stored.epoch, stored.terms.clone());
        let grant = Arc::new(grant.under(stored.registration.clone()));
        grants.insert(stored.clone(), Arc::downgrade(&grant));
        grant
    }

    /// Lists the clients whose epoch has advanced.
    #[cfg(feature = "redis")]
    pub(super) fn epochs(&self) -> Vec<(ClientId, u32)> {
        let clients = lock(&self.clients);
        let advanced = clients.values().filter(|client| client.epoch() > 0);
        advanced.map(|client| (client.id().clone(), client.epoch())).collect()
    }

    /// Makes the record of a token that was issued at `issued` on this process's clock.
    #[must_use]
    pub fn record(&self, grant: &StoredGrant, issued: Millis) -> Record {
        Record::new(self.grant(grant), issued)
    }
}

impl fmt::Debug for Interner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interner").field("clients", &lock(&self.clients).len()).finish_non_exhaustive()
    }
}

/// Locks a table. A thread that panicked with the lock held left it whole: entries are inserted by one call.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stored(scopes: &str, audience: Option<&str>, certificate: bool, key: bool) -> StoredGrant {
        let confirmation = Confirmation::new(certificate.then_some([1; 32]), key.then_some([2; 32]));
        let scopes = if scopes.is_empty() { Scopes::none() } else { Scopes::parse(scopes).unwrap() };
        let lifetime = Duration::from_millis(298_765);
        let terms = Terms { scopes, lifetime, audience: audience.map(Into::into), confirmation };
        let registration = audience.map(|_| b"\x01registered".as_slice().into());
        StoredGrant { client: ClientId::new("a server").unwrap(), epoch: u32::MAX - 1, terms, registration }
    }

    #[test]
    fn a_grant_is_read_as_it_was_written_and_nothing_else_is_read() {
        let grants = [
            stored("", None, false, false),
            stored("read write", Some("https://orders.example.com"), true, false),
            stored("read", Some(""), false, true),
            stored("read", None, true, true),
        ];
        for grant in grants {
            let bytes = grant.to_bytes();
            assert_eq!(StoredGrant::from_bytes(&bytes).as_ref(), Some(&grant));
            for end in 0..bytes.len() {
                assert_eq!(StoredGrant::from_bytes(&bytes[..end]), None, "the first {end} bytes");
            }
            assert_eq!(StoredGrant::from_bytes(&[&bytes[..], b"\0"].concat()), None, "one byte more");
            let other = [&[VERSION + 1], &bytes[1..]].concat();
            assert_eq!(StoredGrant::from_bytes(&other), None, "another version");
            if grant.registration.is_none() {
                let earlier = [&[WITHOUT_REGISTRATION], &bytes[1..bytes.len() - 1]].concat();
                assert_eq!(StoredGrant::from_bytes(&earlier), Some(grant), "the previous version");
            }
        }
    }

    #[test]
    fn equal_grants_are_one_and_share_the_state_of_their_client() {
        let interner = Interner::default();
        let (first, second) = (stored("read", None, false, false), stored("write", None, false, false));
        let grant = interner.grant(&first);
        assert!(Arc::ptr_eq(&grant, &interner.grant(&first)));
        assert!(!Arc::ptr_eq(&grant, &interner.grant(&second)));
        assert!(Arc::ptr_eq(grant.client(), interner.grant(&second).client()));
        assert!(Arc::ptr_eq(grant.client(), &interner.client(&first.client)));
        assert_eq!(StoredGrant::of(&grant), first);
        assert_eq!(size_of::<Record>(), 16);
    }

    proptest! {
        #[test]
        fn reading_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = StoredGrant::from_bytes(&bytes);
        }
    }
}
