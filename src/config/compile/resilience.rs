//! Keys of an upstream for servers that fail and for overload.

use std::num::NonZeroUsize;

use crate::config::{
    error::ErrorKind,
    model::{Ejection, ExpectedStatus, HealthCheck, Probe, QueueLimits, RetryBudget},
    reader::{Table, Value},
    settings::{
        Bounds, ejection, health_check, retry_budget,
        upstreams::{MAX_IN_FLIGHT, MAX_QUEUE, QUEUE_TIMEOUT},
    },
    values::as_count,
};

/// Reads `max_in_flight` of an upstream or a route.
pub(super) fn max_in_flight(table: &mut Table<'_>) -> Option<NonZeroUsize> {
    NonZeroUsize::new(as_count(table.take(MAX_IN_FLIGHT.name)?.number(&MAX_IN_FLIGHT)?))
}

/// Reads `max_queue` and `queue_timeout`.
pub(super) fn queue(table: &mut Table<'_>, limited: bool) -> Option<QueueLimits> {
    let (most, timeout) = (table.take(MAX_QUEUE.name), table.take(QUEUE_TIMEOUT.bounds.name));
    if let (Some(value), false) = (&most, limited) {
        value.problem(
            ErrorKind::Conflict,
            "needs `max_in_flight`, which is not set: requests beyond it wait in the queue",
        );
    }
    if let (Some(value), None) = (&timeout, &most) {
        value
            .problem(ErrorKind::Conflict, "needs `max_queue`, which is not set: without it no request waits");
    }
    let timeout =
        timeout.and_then(|value| value.duration(&QUEUE_TIMEOUT.bounds)).unwrap_or(QUEUE_TIMEOUT.default);
    let most = NonZeroUsize::new(as_count(most?.number(&MAX_QUEUE)?))?;
    Some(QueueLimits { most, timeout })
}

pub(super) fn health_check(value: &Value<'_>) -> Option<HealthCheck> {
    const WANTED: &str =
        "{ path = \"/health\", interval = \"5s\", timeout = \"2s\" }; without a path, connecting is enough";
    value.table(WANTED, |table| {
        let path = table.take("path");
        let status = table.take("status");
        if let (Some(status), None) = (&status, &path) {
            status.problem(
                ErrorKind::Conflict,
                "needs `path`, which is not set: without it the probe only connects",
            );
        }
        let expected = status
            .and_then(|value| expected(&value))
            .unwrap_or(ExpectedStatus::Range(health_check::STATUS.0, health_check::STATUS.1));
        let probe = match path.map(|value| probe_path(&value)) {
            Some(Some(path)) => Probe::Http { path, expected },
            _ => Probe::Tcp,
        };
        let interval = table.duration(&health_check::INTERVAL);
        let default_timeout = health_check::TIMEOUT.default.min(interval);
        let timeout = table.or(health_check::TIMEOUT.bounds.name, default_timeout, |value| {
            let timeout = value.duration(&health_check::TIMEOUT.bounds)?;
            if timeout > interval {
                return value.fail(
                    ErrorKind::Conflict,
                    "is longer than `interval`: a probe must end before the next one begins",
                );
            }
            Some(timeout)
        });
        HealthCheck {
            probe,
            interval,
            timeout,
            healthy_after: table.positive(&health_check::HEALTHY_AFTER),
            unhealthy_after: table.positive(&health_check::UNHEALTHY_AFTER),
        }
    })
}

fn probe_path(value: &Value<'_>) -> Option<String> {
    let text = value.string("a path such as \"/health\"")?;
    let good = text.starts_with('/')
        && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#')
        && text.parse::<http::Uri>().is_ok_and(|uri| uri.authority().is_none());
    if good { Some(text.to_owned()) } else { value.invalid("must be a path such as \"/health\"") }
}

/// Reads `"2xx"`, `"200-399"`, `204` or `[200, 204]`.
fn expected(value: &Value<'_>) -> Option<ExpectedStatus> {
    const WANTED: &str = "a range such as \"2xx\" or \"200-299\", or statuses such as [200, 204]";
    const STATUS: Bounds<u32> = Bounds {
        name: "status",
        least: health_check::STATUSES.0 as u32,
        most: health_check::STATUSES.1 as u32,
    };
    let one = |value: &Value<'_>| u16::try_from(value.number(&STATUS)?).ok();
    if value.inner().is_integer() {
        return Some(ExpectedStatus::OneOf(vec![one(value)?]));
    }
    if value.inner().is_array() {
        let statuses = value.each("statuses", |value| one(&value))?;
        return if statuses.is_empty() {
            value.invalid(format!("is empty; it must be {WANTED}"))
        } else {
            Some(ExpectedStatus::OneOf(statuses))
        };
    }
    let text = value.string(WANTED)?;
    let status = |text: &str| {
        let number = text.parse::<u16>().ok()?;
        (text.len() == 3 && (health_check::STATUSES.0..=health_check::STATUSES.1).contains(&number))
            .then_some(number)
    };
    let range = match (text.strip_suffix("xx"), text.split_once('-')) {
        (Some(class), _) => status(&format!("{class}00")).map(|first| (first, first + 99)),
        (None, Some((first, last))) => status(first).zip(status(last)),
        (None, None) => None,
    };
    match range.filter(|(first, last)| first <= last) {
        Some((first, last)) => Some(ExpectedStatus::Range(first, last)),
        None => value.invalid(format!("must be {WANTED}")),
    }
}

/// Reads `ejection`, which is on unless it is `false`.
pub(super) fn ejection(table: &mut Table<'_>) -> Option<Ejection> {
    const WANTED: &str = "{ failures = 5, for = \"10s\", max = \"5m\" }, or false";
    table.or("ejection", Some(Ejection::default()), |value| {
        if value.inner().as_bool() == Some(false) {
            return Some(None);
        }
        value.table(WANTED, |table| {
            let span = table.duration(&ejection::FOR);
            let max = table.or(ejection::MAX.bounds.name, ejection::MAX.default.max(span), |value| {
                let max = value.duration(&ejection::MAX.bounds)?;
                if max < span {
                    return value.fail(
                        ErrorKind::Conflict,
                        "is shorter than `for`, the time of the first ejection: make it at least as long",
                    );
                }
                Some(max)
            });
            Some(Ejection {
                failures: table.positive(&ejection::FAILURES),
                server_errors: table.flag("server_errors"),
                span,
                max,
                return_over: table.duration(&ejection::RETURN_OVER),
            })
        })
    })
}

/// Reads `retry_budget`, which is on unless it is `false`.
pub(super) fn retry_budget(table: &mut Table<'_>) -> Option<RetryBudget> {
    const WANTED: &str = "{ percent = 20, min_per_second = 10 }, or false";
    table.or("retry_budget", Some(RetryBudget::default()), |value| {
        if value.inner().as_bool() == Some(false) {
            return Some(None);
        }
        value.table(WANTED, |table| {
            Some(RetryBudget {
                percent: table.number(&retry_budget::PERCENT),
                min_per_second: table.number(&retry_budget::MIN_PER_SECOND),
            })
        })
    })
}
