//! All series of the console.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::ring::{Point, Rings, Span};
use crate::sorting::{sort, sort_by, sort_by_key};
use crate::telemetry::{BUCKETS, Totals};

/// The maximum number of routes with a separate series.
const MOST_ROUTES: usize = 20;
/// The time, in seconds, after which a route loses its series to a busier route.
const TAKE_OVER_EVERY: u64 = 60;
/// The number of seconds whose durations the quantiles cover.
const TIMED_SECONDS: usize = 60;

/// The series of one route, in the form that pages show.
#[derive(Debug)]
pub(crate) struct RouteSeries {
    pub(crate) name: Box<str>,
    pub(crate) points: Vec<Point>,
    /// The requests of the last minute.
    pub(crate) last_minute: u64,
}

/// The traffic data that the pages show.
#[derive(Debug, Default)]
pub(crate) struct SeriesStore(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    before: Option<Totals>,
    all: Rings,
    routes: HashMap<Box<str>, Rings>,
    /// The requests of routes without a series since the series were last reassigned.
    others: HashMap<Box<str>, u64>,
    seconds: u64,
    /// The duration buckets of the last seconds, as a ring buffer.
    durations: Vec<[u64; BUCKETS]>,
    issued: Vec<(u64, u64)>,
}

impl SeriesStore {
    /// Adds the increments since the last call, which was a second ago.
    pub(crate) fn sample(&self, now: Totals) {
        self.lock().sample(now);
    }

    /// Returns the points of all requests.
    pub(crate) fn points(&self, span: Span) -> Vec<Point> {
        self.lock().all.points(span)
    }

    /// Returns the busiest routes, the busiest first.
    pub(crate) fn busiest(&self, span: Span, most: usize) -> Vec<RouteSeries> {
        let state = self.lock();
        let mut routes: Vec<_> =
            state.routes.iter().map(|(name, rings)| (rings.last_minute(), name, rings)).collect();
        sort_by(&mut routes, |one, other| (other.0, one.1).cmp(&(one.0, other.1)));
        let busy = routes.into_iter().take(most);
        busy.map(|(last_minute, name, rings)| RouteSeries {
            name: name.clone(),
            points: rings.points(span),
            last_minute,
        })
        .collect()
    }

    /// Returns the requests of the last minute.
    pub(crate) fn last_minute(&self) -> u64 {
        self.lock().all.last_minute()
    }

    /// Returns the durations of the requests of the last minute, as counts per bucket.
    pub(crate) fn durations(&self) -> [u64; BUCKETS] {
        let state = self.lock();
        let (Some(first), Some(last)) = (state.durations.first(), state.durations.last()) else {
            return [0; BUCKETS];
        };
        let mut added = [0; BUCKETS];
        for ((added, last), first) in added.iter_mut().zip(last).zip(first) {
            *added = last.saturating_sub(*first);
        }
        added
    }

    /// Returns the tokens that were issued in the last minute, and the requests for tokens that were refused.
    pub(crate) fn issued(&self) -> (u64, u64) {
        let state = self.lock();
        let (Some(first), Some(last)) = (state.issued.first(), state.issued.last()) else { return (0, 0) };
        (last.0.saturating_sub(first.0), last.1.saturating_sub(first.1))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn sample(&mut self, now: Totals) {
        remember(&mut self.durations, now.durations);
        remember(&mut self.issued, (now.issued, now.not_issued));
        if let Some(before) = self.before.take() {
            let (refused, limited, failed) = (
                added(now.refused, before.refused),
                added(now.limited, before.limited),
                added(now.failed, before.failed),
            );
            let all = added(now.requests, before.requests);
            let passed = all.saturating_sub(refused).saturating_sub(limited).saturating_sub(failed);
            self.all.push(&Point { passed, refused, limited, failed });
            let old: HashMap<&str, _> = before.routes.iter().map(|route| (&*route.name, route)).collect();
            let mut idle: Vec<Box<str>> = self.routes.keys().cloned().collect();
            for route in &now.routes {
                let earlier = |of: fn(&_) -> u64| old.get(&*route.name).map_or(0, of);
                let all = added(route.requests, earlier(|route| route.requests));
                let refused = added(route.client_errors, earlier(|route| route.client_errors));
                let failed = added(route.server_errors, earlier(|route| route.server_errors));
                let passed = all.saturating_sub(refused).saturating_sub(failed);
                let point = Point { passed, refused, limited: 0, failed };
                idle.retain(|name| *name != route.name);
                self.push(&route.name, &point);
            }
            for name in idle {
                self.push(&name, &Point::default());
            }
            self.seconds += 1;
            if self.seconds.is_multiple_of(TAKE_OVER_EVERY) {
                self.take_over();
            }
        }
        self.before = Some(now);
    }

    fn push(&mut self, name: &str, point: &Point) {
        if let Some(rings) = self.routes.get_mut(name) {
            rings.push(point);
        } else if point.all() > 0 && self.routes.len() < MOST_ROUTES {
            self.routes.entry(name.into()).or_default().push(point);
        } else if point.all() > 0 {
            // The names are those of the configuration's routes.
            *self.others.entry(name.into()).or_default() += point.all();
        }
    }

    /// Reassigns the series of the quietest routes to busier routes without a series.
    fn take_over(&mut self) {
        let mut busy: Vec<(u64, Box<str>)> =
            self.others.drain().map(|(name, requests)| (requests, name)).collect();
        sort_by_key(&mut busy, |(requests, _)| Reverse(*requests));
        let mut quiet: Vec<(u64, Box<str>)> =
            self.routes.iter().map(|(name, rings)| (rings.last_minute(), name.clone())).collect();
        sort(&mut quiet);
        for ((more, busy), (fewer, quiet)) in busy.into_iter().zip(quiet) {
            if more <= fewer {
                break;
            }
            self.routes.remove(&quiet);
            self.routes.insert(busy, Rings::default());
        }
    }
}

/// Appends a value to the most recent ones.
fn remember<T>(last: &mut Vec<T>, value: T) {
    if last.len() > TIMED_SECONDS {
        last.remove(0);
    }
    last.push(value);
}

/// Returns the increment of a counter. A route that is new in the configuration counts from zero.
fn added(now: u64, before: u64) -> u32 {
    u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::RouteTotals;

    fn totals(requests: u64, refused: u64, routes: &[(&str, u64)]) -> Totals {
        let route = |(name, requests): &(&str, u64)| RouteTotals {
            name: (*name).into(),
            requests: *requests,
            client_errors: 0,
            server_errors: 0,
        };
        Totals {
            requests,
            refused,
            limited: 0,
            failed: 0,
            issued: requests,
            not_issued: 0,
            durations: [requests; BUCKETS],
            routes: routes.iter().map(route).collect(),
        }
    }

    #[test]
    fn counts_before_the_first_sample_are_not_current_traffic() {
        let series = SeriesStore::default();
        series.sample(totals(1_000, 100, &[]));
        assert_eq!(series.last_minute(), 0);
        series.sample(totals(1_010, 103, &[]));
        let last = *series.points(Span::Minutes).last().unwrap();
        assert_eq!(last, Point { passed: 7, refused: 3, limited: 0, failed: 0 });
        assert_eq!(series.durations(), [10; BUCKETS]);
        assert_eq!(series.issued(), (10, 0));
    }

    #[test]
    fn series_belong_to_the_busiest_routes_and_are_bounded() {
        let series = SeriesStore::default();
        let names: Vec<String> = (0..40).map(|n| format!("/r{n}")).collect();
        for second in 0..130_u64 {
            let routes: Vec<(&str, u64)> =
                names.iter().enumerate().map(|(n, name)| (name.as_str(), second * (n as u64 + 1))).collect();
            series.sample(totals(second, 0, &routes));
        }
        let busiest = series.busiest(Span::Minutes, 100);
        assert_eq!(busiest.len(), MOST_ROUTES);
        let expected: Vec<&str> = names.iter().rev().take(20).map(String::as_str).collect();
        let mut found: Vec<&str> = busiest.iter().map(|route| &*route.name).collect();
        found.sort_unstable_by_key(|name| std::cmp::Reverse(name[2..].parse::<u32>().unwrap()));
        assert_eq!(found, expected);
    }
}
