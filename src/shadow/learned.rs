//! The observations about callers of routes in shadow mode, in bounded memory.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::counts::{Counts, Week, earlier};
use super::refusal::Refusal;
use crate::gate::network;
use crate::telemetry::Reason;

/// The most pairs of a client and a route.
pub(super) const MOST_CLIENTS: usize = 65_536;
/// The most callers without a client, on one route and in all.
pub(super) const MOST_CALLERS_OF_ROUTE: usize = 256;
pub(super) const MOST_CALLERS: usize = 4_096;
/// The longest `User-Agent` that is kept, in bytes.
const LONGEST_USER_AGENT: usize = 160;

/// The observations about all routes. Nothing is evicted: callers beyond a limit are counted together as one
/// caller per route.
#[derive(Debug, Default)]
pub(crate) struct Learned {
    routes: Mutex<BTreeMap<Box<str>, Arc<LearnedRoute>>>,
    used: Arc<Used>,
}

/// The number of used places.
#[derive(Debug, Default)]
struct Used {
    clients: AtomicUsize,
    callers: AtomicUsize,
    /// Whether there are new observations since the last check.
    changed: AtomicBool,
}

/// The observations about one route.
#[derive(Debug)]
pub(crate) struct LearnedRoute {
    name: Box<str>,
    used: Arc<Used>,
    table: Mutex<Table>,
    /// The number of requests that an enforced route would have refused since the start, by reason.
    refusals: [AtomicU64; Reason::COUNT],
}

/// The callers of one route.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Table {
    /// The time of the first request, in seconds since 1970; 0 if there was none.
    pub(super) since: u64,
    pub(super) week: Week,
    pub(super) clients: HashMap<Box<str>, Counts>,
    /// By address (IPv6: by its /64).
    pub(super) callers: HashMap<IpAddr, Caller>,
    /// All callers beyond a limit.
    pub(super) others: Counts,
}

/// A caller whose client is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Caller {
    pub(super) counts: Counts,
    /// The first `User-Agent` of the address.
    pub(super) user_agent: Option<Box<str>>,
}

/// Observations that were taken from [`Learned`], by route.
#[derive(Debug)]
pub(crate) struct Taken(Vec<(Arc<LearnedRoute>, Table)>);

/// A request on a route in shadow mode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// The client of the token, if the token is valid.
    pub(crate) client: Option<&'a str>,
    /// The address of the caller.
    pub(crate) address: IpAddr,
    /// The `User-Agent` of the request.
    pub(crate) user_agent: Option<&'a [u8]>,
    /// Why an enforced route would refuse the request; `None` if it would not.
    pub(crate) refused: Option<Refusal>,
    /// The time since 1970.
    pub(crate) now: Duration,
}

impl Taken {
    /// Iterates over the names of the routes and their observations.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.0.iter().map(|(route, table)| (route.name(), table))
    }
}

impl Learned {
    /// Returns the observations about the route with this name. They are empty for a new route.
    pub(crate) fn route(&self, name: &str) -> Arc<LearnedRoute> {
        let mut routes = self.lock();
        if let Some(route) = routes.get(name) {
            return Arc::clone(route);
        }
        let route = Arc::new(LearnedRoute {
            name: name.into(),
            used: Arc::clone(&self.used),
            table: Mutex::default(),
            refusals: std::array::from_fn(|_| AtomicU64::new(0)),
        });
        routes.insert(name.into(), Arc::clone(&route));
        route
    }

    /// Returns all routes, by name.
    pub(crate) fn routes(&self) -> Vec<Arc<LearnedRoute>> {
        self.lock().values().cloned().collect()
    }

    /// Removes the routes whose names `exists` does not accept. A route that is in use is kept.
    pub(crate) fn retain(&self, exists: impl Fn(&str) -> bool) {
        self.lock().retain(|name, route| {
            let stays = exists(name) || Arc::strong_count(route) > 1;
            if !stays {
                drop(route.take());
                self.used.changed.store(true, Relaxed);
            }
            stays
        });
    }

    /// Takes the observations, so that later ones can be saved apart.
    pub(crate) fn take(&self) -> Taken {
        Taken(self.routes().into_iter().map(|route| (Arc::clone(&route), route.take())).collect())
    }

    /// Adds observations that were taken.
    pub(crate) fn give_back(&self, taken: Taken) {
        taken.0.into_iter().for_each(|(route, table)| route.add(table));
        self.set_changed();
    }

    /// Returns whether there are new observations since the last call.
    pub(super) fn take_changed(&self) -> bool {
        self.used.changed.swap(false, Relaxed)
    }

    /// Requests another save.
    pub(super) fn set_changed(&self) {
        self.used.changed.store(true, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Box<str>, Arc<LearnedRoute>>> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LearnedRoute {
    /// Returns the name of the route.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Counts a request that an enforced route would refuse.
    pub(crate) fn count_refusal(&self, reason: Reason) {
        if let Some(count) = self.refusals.get(reason as usize) {
            count.fetch_add(1, Relaxed);
        }
    }

    /// Returns the requests that an enforced route would have refused since the start.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = (Reason, u64)> {
        let counts = self.refusals.iter().map(|count| count.load(Relaxed));
        Reason::ALL.iter().copied().zip(counts).filter(|(_, count)| *count > 0)
    }

    /// Records a request. It holds a lock of this route for the duration of one map lookup.
    pub(crate) fn learn(&self, seen: &Seen<'_>) {
        let Seen { client, address, user_agent, refused, now } = *seen;
        self.used.changed.store(true, Relaxed);
        let mut table = self.lock();
        let table = &mut *table;
        if table.since == 0 {
            table.since = now.as_secs();
        }
        table.week.add(refused.is_some(), now);
        let counts = match client {
            Some(client) => self.client(&mut table.clients, client),
            None => self.caller(&mut table.callers, network(address), user_agent),
        };
        counts.unwrap_or(&mut table.others).add(refused, now);
        // The caller without a token has a token now, or another caller has the same address.
        if refused.is_none()
            && let Some(caller) = table.callers.get_mut(&network(address))
        {
            caller.counts.add(None, now);
        }
    }

    fn client<'t>(&self, clients: &'t mut HashMap<Box<str>, Counts>, client: &str) -> Option<&'t mut Counts> {
        if !clients.contains_key(client) {
            take(&self.used.clients, MOST_CLIENTS)?;
            clients.insert(client.into(), Counts::default());
        }
        clients.get_mut(client)
    }

    fn caller<'t>(
        &self,
        callers: &'t mut HashMap<IpAddr, Caller>,
        address: IpAddr,
        user_agent: Option<&[u8]>,
    ) -> Option<&'t mut Counts> {
        if !callers.contains_key(&address) {
            if callers.len() >= MOST_CALLERS_OF_ROUTE {
                return None;
            }
            take(&self.used.callers, MOST_CALLERS)?;
            callers.insert(address, Caller::default());
        }
        let caller = callers.get_mut(&address)?;
        if caller.user_agent.is_none() {
            caller.user_agent = user_agent.and_then(readable);
        }
        Some(&mut caller.counts)
    }

    /// Takes over the observations of an earlier process, unless there are already observations.
    pub(super) fn restore(&self, mut earlier: Table) {
        let mut table = self.lock();
        if table.since != 0 {
            return;
        }
        earlier.clients.retain(|_, _| take(&self.used.clients, MOST_CLIENTS).is_some());
        let mut callers = 0;
        earlier.callers.retain(|_, _| {
            callers += 1;
            callers <= MOST_CALLERS_OF_ROUTE && take(&self.used.callers, MOST_CALLERS).is_some()
        });
        *table = earlier;
    }

    /// Takes the observations, and frees their places.
    fn take(&self) -> Table {
        let table = std::mem::take(&mut *self.lock());
        self.used.clients.fetch_sub(table.clients.len(), Relaxed);
        self.used.callers.fetch_sub(table.callers.len(), Relaxed);
        table
    }

    /// Adds the observations of another process. Callers beyond a limit are counted together.
    pub(super) fn add(&self, other: Table) {
        let mut table = self.lock();
        let table = &mut *table;
        table.since = earlier(table.since, other.since);
        table.week.merge(&other.week);
        table.others.merge(&other.others);
        for (client, counts) in other.clients {
            self.client(&mut table.clients, &client).unwrap_or(&mut table.others).merge(&counts);
        }
        for (address, caller) in other.callers {
            let agent = caller.user_agent.as_deref().map(str::as_bytes);
            let known = self.caller(&mut table.callers, address, agent);
            known.unwrap_or(&mut table.others).merge(&caller.counts);
        }
    }

    /// Returns a copy of the observations.
    pub(super) fn table(&self) -> Table {
        self.lock().clone()
    }

    /// Counting cannot panic, so a poisoned lock protects a consistent state.
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one of `most` places, or returns `None` if all are taken.
fn take(used: &AtomicUsize, most: usize) -> Option<()> {
    used.fetch_update(Relaxed, Relaxed, |used| (used < most).then_some(used + 1)).ok().map(drop)
}

/// Returns the beginning of a `User-Agent`, with `?` for each byte that is not printable ASCII.
fn readable(value: &[u8]) -> Option<Box<str>> {
    let value = value.get(..LONGEST_USER_AGENT).unwrap_or(value);
    let text: String =
        value.iter().map(|byte| if matches!(byte, b' '..=b'~') { char::from(*byte) } else { '?' }).collect();
    (!text.is_empty()).then(|| text.into())
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    pub(super) fn seen(
        client: Option<&'static str>,
        address: IpAddr,
        refused: Option<Refusal>,
    ) -> Seen<'static> {
        Seen { client, address, user_agent: Some(b"legacy/1.0"), refused, now: Duration::from_secs(1_000) }
    }

    #[test]
    fn callers_beyond_the_bounds_are_counted_together_and_nobody_is_evicted() {
        let learned = Learned::default();
        let route = learned.route("/legacy");
        for at in 0..300_u32 {
            let address = IpAddr::V4(Ipv4Addr::from(at));
            route.learn(&seen(None, address, Some(Refusal::NoToken)));
        }
        let table = route.table();
        assert_eq!(table.callers.len(), MOST_CALLERS_OF_ROUTE);
        assert!(table.callers.contains_key(&IpAddr::V4(Ipv4Addr::from(0))));
        assert_eq!(table.others.refused_in_all(), 300 - MOST_CALLERS_OF_ROUTE as u64);
        for route in 0..20 {
            let route = learned.route(&format!("/{route}"));
            for at in 0..300_u32 {
                route.learn(&seen(None, IpAddr::V4(Ipv4Addr::from(at)), Some(Refusal::NoToken)));
            }
        }
        let callers: usize = learned.routes().iter().map(|route| route.table().callers.len()).sum();
        assert_eq!(callers, MOST_CALLERS);
        drop(route);
        learned.retain(|name| name != "/legacy");
        assert_eq!(learned.used.callers.load(Relaxed), MOST_CALLERS - MOST_CALLERS_OF_ROUTE);
    }

    #[test]
    fn addresses_of_one_network_are_one_caller_with_its_first_user_agent() {
        let learned = Learned::default();
        let route = learned.route("/legacy");
        for last in 1..4 {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last);
            let user_agent = format!("agent {last}\u{1b}");
            let seen = seen(None, address.into(), Some(Refusal::NoToken));
            route.learn(&Seen { user_agent: Some(user_agent.as_bytes()), ..seen });
        }
        let table = route.table();
        let (address, caller) = table.callers.iter().next().unwrap();
        assert_eq!((table.callers.len(), address.to_string()), (1, "2001:db8:0:1::".to_owned()));
        assert_eq!((caller.counts.refused[0], caller.user_agent.as_deref()), (3, Some("agent 1?")));
    }

    #[test]
    fn a_client_is_counted_by_name_wherever_it_calls_from() {
        let learned = Learned::default();
        let route = learned.route("/legacy");
        let address = |last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
        route.learn(&seen(Some("shop"), address(1), None));
        route.learn(&seen(Some("shop"), address(2), Some(Refusal::MissingScope)));
        let table = route.table();
        assert!(table.callers.is_empty());
        assert_eq!((table.clients["shop"].passed, table.clients["shop"].refused_in_all()), (1, 1));
        assert!(learned.take_changed() && !learned.take_changed());
    }

    #[test]
    fn a_caller_without_a_client_passes_once_somebody_at_its_address_does() {
        let learned = Learned::default();
        let route = learned.route("/legacy");
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));
        route.learn(&seen(None, address, Some(Refusal::NoToken)));
        assert!(route.table().callers[&address].counts.refused_last);
        route.learn(&seen(Some("shop"), address, Some(Refusal::MissingScope)));
        assert!(route.table().callers[&address].counts.refused_last);
        route.learn(&seen(Some("shop"), address, None));
        assert!(!route.table().callers[&address].counts.refused_last);
    }

    #[test]
    fn a_route_in_use_is_not_forgotten() {
        let learned = Learned::default();
        let route = learned.route("/legacy");
        learned.retain(|_| false);
        assert!(Arc::ptr_eq(&route, &learned.route("/legacy")));
        drop(route);
        learned.retain(|_| false);
        assert!(learned.routes().is_empty());
    }
}
