//! The counts of the metrics page as numbers, for the console.

use super::meter::{BOUNDS, Class, Meter, RouteCells};
use super::reason::Reason;
use super::scrape::Gauges;
use super::thread::{EndpointName, Event, total, total_endpoint_refused, total_refused};

/// The number of buckets of a histogram of durations: one below each bound, and one above the last.
pub(crate) const BUCKETS: usize = BOUNDS.len() + 1;

/// The counts since the start.
#[derive(Debug, Clone)]
pub(crate) struct Totals {
    /// Requests that are over, on routes and on the endpoints of the gateway.
    pub(crate) requests: u64,
    /// Requests that the gateway refused for another reason than a rate.
    pub(crate) refused: u64,
    /// Requests that were refused because there were too many.
    pub(crate) limited: u64,
    /// Requests that an upstream failed, and those without any response.
    pub(crate) failed: u64,
    /// Tokens that were issued, and refusals of the token endpoint.
    pub(crate) issued: u64,
    pub(crate) not_issued: u64,
    /// The durations of requests, as counts of buckets.
    pub(crate) durations: [u64; BUCKETS],
    /// The routes that had requests.
    pub(crate) routes: Vec<RouteTotals>,
}

/// The counts of a route.
#[derive(Debug, Clone)]
pub(crate) struct RouteTotals {
    pub(crate) name: Box<str>,
    pub(crate) requests: u64,
    /// Requests that were answered with 4xx.
    pub(crate) client_errors: u64,
    /// Requests that were answered with 5xx or not at all.
    pub(crate) server_errors: u64,
}

/// The category of a refusal, for the console.
enum Cause {
    Caller,
    Rate,
    Upstream,
}

impl Cause {
    fn of(reason: Reason) -> Self {
        match reason {
            Reason::AddressRate
            | Reason::ClientRate
            | Reason::RouteRate
            | Reason::RouteBusy
            | Reason::UpstreamBusy
            | Reason::Throttled
            | Reason::TemporarilyUnavailable => Self::Rate,
            Reason::NoServer
            | Reason::UpstreamUnreachable
            | Reason::UpstreamTooSlow
            | Reason::UpstreamBadAnswer
            | Reason::UpstreamBroken
            | Reason::StoreUnavailable => Self::Upstream,
            _ => Self::Caller,
        }
    }
}

impl Totals {
    /// Reads the counters. It takes no lock that a request waits for.
    pub(crate) fn read(gauges: &Gauges) -> Self {
        let (mut refused, mut limited, mut failed, mut not_issued) = (0, 0, 0, 0);
        for reason in Reason::ALL {
            let count = total_refused(*reason);
            *match Cause::of(*reason) {
                Cause::Caller => &mut refused,
                Cause::Rate => &mut limited,
                Cause::Upstream => &mut failed,
            } += count;
            not_issued += total_endpoint_refused(EndpointName::Token, *reason);
        }
        let meters = || gauges.own.iter().chain(gauges.routes.iter().map(|route| &**route));
        let mut durations = [0_u64; BUCKETS];
        for (at, bucket) in durations.iter_mut().enumerate() {
            *bucket = meters()
                .map(|meter| meter.sum(|cells| cells.duration.buckets.get(at).map_or(0, |count| count.now())))
                .sum();
        }
        let routes: Vec<RouteTotals> = meters().filter(|meter| meter.is_used()).map(route).collect();
        Self {
            requests: routes.iter().map(|route| route.requests).sum(),
            refused,
            limited,
            failed,
            issued: total(Event::TokenIssued),
            not_issued,
            durations,
            routes,
        }
    }
}

fn route(meter: &Meter<RouteCells>) -> RouteTotals {
    let of =
        |class: Class| meter.sum(|cells| cells.requests.get(class as usize).map_or(0, |count| count.now()));
    RouteTotals {
        name: meter.name().into(),
        requests: Class::ALL.into_iter().map(of).sum(),
        client_errors: of(Class::ClientError),
        server_errors: of(Class::ServerError) + of(Class::None),
    }
}

/// Returns an upper bound of a quantile of durations, in seconds; `None` if nothing was timed. Durations
/// are assumed to be spread evenly within a bucket.
pub(crate) fn quantile(buckets: &[u64; BUCKETS], share: f64) -> Option<f64> {
    let all: u64 = buckets.iter().sum();
    if all == 0 {
        return None;
    }
    let number = |count: u64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    let wanted = share * number(all);
    let (mut below, mut from) = (0, 0.0);
    for (at, count) in buckets.iter().enumerate() {
        let to = BOUNDS.get(at).map_or(from, std::time::Duration::as_secs_f64);
        if *count > 0 && number(below + count) >= wanted {
            return Some(from + (to - from) * (wanted - number(below)) / number(*count));
        }
        below += count;
        from = to;
    }
    Some(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_their_bucket() {
        let mut buckets = [0; BUCKETS];
        assert_eq!(quantile(&buckets, 0.5), None);
        buckets[1] = 90; // 0.5 to 1 ms
        buckets[3] = 10; // 2.5 to 5 ms
        let at = |share| quantile(&buckets, share).unwrap() * 1e3;
        assert!((0.5..=1.0).contains(&at(0.5)), "{}", at(0.5));
        assert!((2.5..=5.0).contains(&at(0.95)), "{}", at(0.95));
        buckets = [0; BUCKETS];
        buckets[BUCKETS - 1] = 1;
        assert_eq!(quantile(&buckets, 0.99), Some(10.0), "the last bound is all that is known");
    }
}
