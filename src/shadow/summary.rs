//! A summary of the observations, for people and scripts: the callers that would be refused on each route,
//! and why.

use std::time::Duration;

use serde::Serialize;

use super::counts::Counts;
use super::learned::{Learned, Table};
use super::refusal::Refusal;
use crate::config::{Config, Mode, Route};
use crate::sorting::sort_by;

/// The observations about all routes in shadow mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// The routes in the order of the configuration.
    pub(crate) routes: Vec<RouteSummary>,
}

/// The observations about one route in shadow mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RouteSummary {
    /// The name of the route in metrics and logs.
    pub(crate) route: String,
    /// The position of the route in the configuration.
    #[serde(skip)]
    pub(crate) index: usize,
    /// When the first request was seen, in seconds since 1970.
    pub(crate) since: Option<u64>,
    /// The requests of the last seven days that an enforced route would have let through.
    pub(crate) passed: u64,
    /// The requests of the last seven days that an enforced route would have refused.
    pub(crate) refused: u64,
    /// All callers. Callers whose last request would be refused come first, the busiest of them first.
    pub(crate) callers: Vec<CallerSummary>,
}

/// The observations about one caller of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct CallerSummary {
    #[serde(flatten)]
    pub(crate) who: Who,
    /// The first `User-Agent` of a caller without a client.
    pub(crate) user_agent: Option<String>,
    /// Whether an enforced route would have let the last request through.
    pub(crate) would_pass: bool,
    /// Whether a request of the last seven days would have been refused.
    pub(crate) refused_lately: bool,
    pub(crate) passed: u64,
    /// The reasons for refusals, with the number of requests.
    pub(crate) refused: Vec<(&'static str, u64)>,
    /// The time of the last request, in seconds since 1970, like all times in this module.
    pub(crate) first_seen: u64,
    pub(crate) last_passed: Option<u64>,
    pub(crate) last_refused: Option<u64>,
}

/// The identity of a caller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Who {
    /// A client, by its id.
    Client(String),
    /// An address, or a network of IPv6, without a valid token.
    Address(String),
    /// All callers beyond the limits of memory.
    Others(()),
}

impl Summary {
    /// Summarizes the observations about the routes that are in shadow mode.
    pub(crate) fn of(learned: &Learned, config: &Config, now: Duration) -> Self {
        let routes = config.routes.iter().enumerate().filter(|(_, route)| route.mode == Mode::Shadow);
        Self { routes: routes.map(|(index, route)| RouteSummary::of(learned, index, route, now)).collect() }
    }
}

impl RouteSummary {
    fn of(learned: &Learned, index: usize, route: &Route, now: Duration) -> Self {
        let name = route.label();
        let Table { since, week, clients, callers, others } = learned.route(&name).table();
        let (passed, refused) = week.sums(now);
        let clients = clients
            .into_iter()
            .map(|(id, counts)| CallerSummary::of(Who::Client(id.into()), None, &counts, now));
        let callers = callers.into_iter().map(|(address, caller)| {
            let who = if address.is_ipv6() { format!("{address}/64") } else { address.to_string() };
            CallerSummary::of(Who::Address(who), caller.user_agent.map(Into::into), &caller.counts, now)
        });
        let mut all: Vec<_> = clients.chain(callers).collect();
        if others.first_seen != 0 {
            all.push(CallerSummary::of(Who::Others(()), None, &others, now));
        }
        sort_by(&mut all, |one, other| {
            let order =
                |caller: &CallerSummary| (caller.would_pass, std::cmp::Reverse(caller.refused_in_all()));
            order(one).cmp(&order(other)).then_with(|| one.who.cmp(&other.who))
        });
        let since = Some(since).filter(|since| *since != 0);
        Self { route: name, index, since, passed, refused, callers: all }
    }

    /// Returns the share of the last seven days' requests that an enforced route would have let through, from
    /// 0 to 1; or `None` if there was no request.
    pub(crate) fn ready(&self) -> Option<f64> {
        let all = self.passed.saturating_add(self.refused);
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        (all > 0).then(|| self.passed as f64 / all as f64)
    }

    /// Returns the callers whose last request would have been refused, within the last seven days.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &CallerSummary> {
        self.callers.iter().filter(|caller| !caller.would_pass && caller.refused_lately)
    }
}

impl CallerSummary {
    fn of(who: Who, user_agent: Option<String>, counts: &Counts, now: Duration) -> Self {
        let time = |time: u64| Some(time).filter(|time| *time != 0);
        let kinds = Refusal::ALL.into_iter().zip(counts.refused).filter(|(_, count)| *count > 0);
        Self {
            who,
            user_agent,
            would_pass: !counts.refused_last,
            refused_lately: counts.was_refused_lately(now),
            passed: counts.passed,
            refused: kinds.map(|(kind, count)| (kind.as_str(), count)).collect(),
            first_seen: counts.first_seen,
            last_passed: time(counts.last_passed),
            last_refused: time(counts.last_refused),
        }
    }

    /// Returns how many requests would have been refused.
    pub(crate) fn refused_in_all(&self) -> u64 {
        self.refused.iter().fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// Returns whether a request would have been refused at this time or later, in seconds since 1970.
    pub(crate) fn was_refused_since(&self, time: u64) -> bool {
        self.last_refused.is_some_and(|last| last >= time)
    }

    /// Returns whether some requests would have been refused for this reason.
    pub(crate) fn was_refused_for(&self, kind: Refusal) -> bool {
        self.refused.iter().any(|(name, _)| *name == kind.as_str())
    }
}
