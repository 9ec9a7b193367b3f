//! What an upstream does about servers that fail, and about more requests than it takes.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use crate::config::{
    error::ErrorKind,
    model::{Ejection, ExpectedStatus, HealthCheck, Probe, QueueLimits, RetryBudget},
    reader::{Table, Value},
    values::TIMEOUT,
};

/// `max_in_flight` of an upstream or a route.
pub(super) fn max_in_flight(table: &mut Table<'_>) -> Option<NonZeroUsize> {
    table.or("max_in_flight", None, |value| {
        Some(NonZeroUsize::new(usize::try_from(value.integer(1..=10_000_000)?).ok()?))
    })
}

/// `max_queue` and `queue_timeout`.
pub(super) fn queue(table: &mut Table<'_>, limited: bool) -> Option<QueueLimits> {
    let (most, timeout) = (table.take("max_queue"), table.take("queue_timeout"));
    if let (Some(value), false) = (&most, limited) {
        value.problem(ErrorKind::Conflict, "is for requests beyond `max_in_flight`, which is not set");
    }
    if let (Some(value), None) = (&timeout, &most) {
        value.problem(ErrorKind::Conflict, "is for requests that wait, and without `max_queue` none does");
    }
    let timeout =
        timeout.and_then(|value| value.duration(LONG_ENOUGH_TO_WAIT)).unwrap_or(Duration::from_secs(1));
    let most = NonZeroUsize::new(usize::try_from(most?.integer(1..=100_000)?).ok()?)?;
    Some(QueueLimits { most, timeout })
}

/// A client that waits longer has better things to do.
const LONG_ENOUGH_TO_WAIT: std::ops::RangeInclusive<Duration> =
    Duration::from_millis(1)..=Duration::from_secs(60);

pub(super) fn health_check(value: &Value<'_>) -> Option<HealthCheck> {
    const WANTED: &str =
        "{ path = \"/health\", interval = \"5s\", timeout = \"2s\" }; without a path, connecting is enough";
    value.table(WANTED, |table| {
        let path = table.take("path");
        let status = table.take("status");
        if let (Some(status), None) = (&status, &path) {
            status.problem(ErrorKind::Conflict, "is for answers, and without `path` nothing is asked for");
        }
        let expected = status.and_then(|value| expected(&value)).unwrap_or(ExpectedStatus::Range(200, 399));
        let probe = match path.map(|value| probe_path(&value)) {
            Some(Some(path)) => Probe::Http { path, expected },
            _ => Probe::Tcp,
        };
        let interval_value = table.take("interval");
        let interval = interval_value
            .as_ref()
            .and_then(|value| value.duration(TIMEOUT))
            .unwrap_or(Duration::from_secs(5));
        let default_timeout = Duration::from_secs(2).min(interval);
        let timeout = table.or("timeout", default_timeout, |value| {
            let timeout = value.duration(TIMEOUT)?;
            if timeout > interval {
                return value.fail(
                    ErrorKind::Conflict,
                    "is longer than `interval`; a probe must end before the next",
                );
            }
            Some(timeout)
        });
        let times = |value: Value<'_>| NonZeroU32::new(value.integer32(1..=1_000)?);
        HealthCheck {
            probe,
            interval,
            timeout,
            healthy_after: table.or("healthy_after", NonZeroU32::MIN, times),
            unhealthy_after: table.or("unhealthy_after", NonZeroU32::MIN.saturating_add(2), times),
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

/// `"2xx"`, `"200-399"`, `204` or `[200, 204]`.
fn expected(value: &Value<'_>) -> Option<ExpectedStatus> {
    const WANTED: &str = "a range such as \"2xx\" or \"200-299\", or statuses such as [200, 204]";
    let one = |value: &Value<'_>| u16::try_from(value.integer(200..=599)?).ok();
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
        (text.len() == 3 && (200..600).contains(&number)).then_some(number)
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

/// `ejection`: on unless it is `false`.
pub(super) fn ejection(table: &mut Table<'_>) -> Option<Ejection> {
    const WANTED: &str = "{ failures = 5, for = \"10s\", max = \"5m\" }, or false";
    let default = Ejection {
        failures: NonZeroU32::MIN.saturating_add(4),
        server_errors: false,
        span: Duration::from_secs(10),
        max: Duration::from_secs(300),
        return_over: Duration::from_secs(10),
    };
    table.or("ejection", Some(default), |value| {
        if value.inner().as_bool() == Some(false) {
            return Some(None);
        }
        value.table(WANTED, |table| {
            let span = table.or("for", default.span, |value| value.duration(TIMEOUT));
            let max = table.or("max", default.max.max(span), |value| {
                let max = value.duration(TIMEOUT)?;
                if max < span {
                    return value.fail(ErrorKind::Conflict, "is shorter than `for`, which is the first time");
                }
                Some(max)
            });
            Some(Ejection {
                failures: table
                    .or("failures", default.failures, |value| NonZeroU32::new(value.integer32(1..=1_000)?)),
                server_errors: table.flag("server_errors"),
                span,
                max,
                return_over: table.or("return_over", default.return_over, |value| value.duration(TIMEOUT)),
            })
        })
    })
}

/// `retry_budget`: on unless it is `false`.
pub(super) fn retry_budget(table: &mut Table<'_>) -> Option<RetryBudget> {
    const WANTED: &str = "{ percent = 20, min_per_second = 10 }, or false";
    let default = RetryBudget { percent: 20, min_per_second: 10 };
    table.or("retry_budget", Some(default), |value| {
        if value.inner().as_bool() == Some(false) {
            return Some(None);
        }
        value.table(WANTED, |table| {
            Some(RetryBudget {
                percent: table.or("percent", default.percent, |value| value.integer32(0..=100)),
                min_per_second: table
                    .or("min_per_second", default.min_per_second, |value| value.integer32(0..=1_000_000)),
            })
        })
    })
}
