//! An ACME authority for tests, written from RFC 8555, RFC 8737 and RFC 9773.
//!
//! The authority verifies the nonce, the URL and the signature of every request, the external account, the
//! gateway's answer to the challenge, and the certificate request. It answers a violation with the problem
//! document of the RFC, and records the violation, so that a test can assert that there was none.

mod der;
mod issue;
mod jws;
mod server;
mod validate;

use super::certificates::Authority;
use super::tls::Identity;
use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use validate::{Shown, handshake, try_handshake};

/// Returns a certificate for `localhost` that the directory's authority has issued.
pub(crate) fn own_identity(authority: &AcmeAuthority) -> Identity {
    authority.0.own.sign("localhost")
}

/// How long a test waits for the authority or the gateway on a busy machine.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// The faults of the authority.
#[derive(Default)]
pub(crate) struct Faults {
    /// Connections are closed without an answer.
    pub(crate) down: bool,
    /// The number of requests that are still to be refused with badNonce.
    pub(crate) bad_nonces: usize,
    /// New orders are refused with rateLimited and this `Retry-After`.
    pub(crate) rate_limited: Option<u64>,
    /// The domains that are never validated.
    pub(crate) invalid: Vec<String>,
    /// The number of requests about an order that still report it as being processed.
    pub(crate) processing: usize,
}

/// An order of a certificate for one domain.
struct Order {
    pub(super) account: usize,
    pub(super) domain: String,
    pub(super) token: String,
    /// `pending`, `valid` or `invalid`: the state of the authorization and of its challenge.
    pub(super) authorization: &'static str,
    pub(super) problem: Option<String>,
    pub(super) replaces: Option<String>,
    pub(super) chain: Option<String>,
    pub(super) processing: usize,
}

/// The state of the authority.
#[derive(Default)]
struct State {
    pub(super) faults: Faults,
    pub(super) nonces: HashSet<String>,
    pub(super) accounts: Vec<jws::PublicKey>,
    pub(super) contacts: Vec<Vec<String>>,
    pub(super) orders: Vec<Order>,
    /// The gateway to which challenges lead. Validation waits until it is known.
    pub(super) gateway: Option<SocketAddr>,
    pub(super) lifetime: Duration,
    /// The external account that a new account must be bound to: key identifier and key.
    pub(super) external: Option<(String, Vec<u8>)>,
    /// Whether each certificate should be renewed at once (RFC 9773).
    pub(super) renew_now: Option<bool>,
    pub(super) violations: Vec<String>,
    pub(super) most_open_orders: usize,
}

/// The running authority.
pub(crate) struct AcmeAuthority(Arc<Shared>);

struct Shared {
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
    pub(super) address: SocketAddr,
    /// The issuer of the ordered certificates.
    pub(super) issuer: Authority,
    /// The issuer of the certificate of the directory's server.
    pub(super) own: Authority,
}

impl Shared {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }
}

impl AcmeAuthority {
    /// Starts an authority whose certificates live for this long.
    pub(crate) fn start(lifetime: Duration) -> Self {
        Self(server::start(State { lifetime, ..State::default() }))
    }

    /// Returns the URL of the directory.
    pub(crate) fn directory(&self) -> String {
        self.0.url("/directory")
    }

    /// Returns the authority of the directory's server, in PEM.
    pub(crate) fn own_ca(&self) -> &str {
        &self.0.own.pem
    }

    /// Returns the authority of the issued certificates, in PEM.
    pub(crate) fn issuer_ca(&self) -> &str {
        &self.0.issuer.pem
    }

    /// Changes how the authority behaves.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Faults)) {
        change(&mut self.0.lock().faults);
    }

    /// Sets the lifetime of certificates.
    pub(crate) fn set_lifetime(&self, lifetime: Duration) {
        self.0.lock().lifetime = lifetime;
    }

    /// Suggests renewing each certificate at once, or in a long time.
    pub(crate) fn suggest_renewal(&self, now: bool) {
        self.0.lock().renew_now = Some(now);
    }

    /// Requires an external account.
    pub(crate) fn require_external_account(&self, kid: &str, key: &[u8]) {
        self.0.lock().external = Some((kid.to_owned(), key.to_vec()));
    }

    /// Makes the domains lead to a gateway.
    pub(crate) fn lead_to(&self, gateway: SocketAddr) {
        self.0.lock().gateway = Some(gateway);
        self.0.changed.notify_all();
    }

    /// Returns the number of orders so far.
    pub(crate) fn orders(&self) -> usize {
        self.0.lock().orders.len()
    }

    /// Returns the number of certificates so far.
    pub(crate) fn issued(&self) -> usize {
        self.0.lock().orders.iter().filter(|order| order.chain.is_some()).count()
    }

    /// Returns the number of accounts.
    pub(crate) fn accounts(&self) -> usize {
        self.0.lock().accounts.len()
    }

    /// Returns the contacts of the newest account.
    pub(crate) fn contacts(&self) -> Vec<String> {
        self.0.lock().contacts.last().cloned().unwrap_or_default()
    }

    /// Returns whether an order has named the certificate that it replaces.
    pub(crate) fn has_replacement(&self) -> bool {
        self.0.lock().orders.iter().any(|order| order.replaces.is_some())
    }

    /// Returns the largest number of orders that were neither finished nor refused at the same time.
    pub(crate) fn most_open_orders(&self) -> usize {
        self.0.lock().most_open_orders
    }

    /// Waits until the state is as expected.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !is_so(self) {
            assert!(started.elapsed() < LONG, "{what} does not come: {:?}", self.0.lock().violations);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asserts that no request violated the RFC.
    #[track_caller]
    pub(crate) fn assert_no_violation(&self) {
        assert_eq!(self.0.lock().violations, [""; 0]);
    }
}
