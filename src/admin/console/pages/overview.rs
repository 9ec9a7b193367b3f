//! The first page: traffic, servers, secrets and changes at a glance.

use std::time::{Duration, SystemTime};

use super::history::{when, who};
use super::routes::name as route_name;
use super::shadow::share;
use super::upstreams::{ServerStateShown, server_states};
use crate::admin::console::series::{Point, Span};
use crate::admin::console::view::chart::{Chart, stacked};
use crate::admin::console::view::frame::Section;
use crate::admin::console::view::overview::{
    BusyRoute, Card, EndingSecret, LastVersion, Legend, OverviewPage, ShadowedRoute, Span as SpanLink,
    UpstreamLine,
};
use crate::admin::console::view::parts::{Badge, Tone};
use crate::admin::console::visit::{Answer, Visit};
use crate::admin::console::wording;
use crate::change::versions::Version;
use crate::config::grouped;
use crate::shadow::{RouteSummary, Summary};
use crate::sorting::sort_by_key;
use crate::telemetry::{is_timed, quantile};

/// Secrets that end within this time are shown.
const SOON: Duration = Duration::from_secs(30 * 86_400);
/// The maximum number of entries in a list.
const MOST: usize = 8;
/// The number of busiest routes that are shown.
const BUSIEST: usize = 5;
const MINUTE: Duration = Duration::from_secs(60);

/// Shows the page.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let wanted = visit.query.value("span");
    let span = Span::ALL.into_iter().find(|span| span.name() == wanted).unwrap_or(Span::Minutes);
    let series = &visit.console.series;
    let points = series.points(span);
    let sum = |of: fn(&Point) -> u32| -> u64 { points.iter().map(|point| u64::from(of(point))).sum() };
    let counts = [sum(|p| p.passed), sum(|p| p.refused), sum(|p| p.limited), sum(|p| p.failed)];
    let legend = VERDICTS.iter().zip(counts).map(|((class, name), count)| Legend {
        class,
        name,
        count: grouped(count),
    });
    let busiest = series.busiest(span, BUSIEST).into_iter().map(|route| {
        let all: u64 = route.points.iter().map(Point::all).sum();
        let refused: u64 = route.points.iter().map(|point| u64::from(point.refused)).sum();
        BusyRoute {
            rate: wording::per_second(route.last_minute, MINUTE),
            refused: wording::percent(refused, all),
            chart: chart(format!("Requests of {}", route.name), &route.points, span, 22),
            name: route.name.into(),
        }
    });
    let page = OverviewPage {
        cards: cards(&visit),
        // Timing costs something, so requests are timed only if something needs it.
        note: if is_timed() {
            ""
        } else {
            "Latencies are measured if [metrics] or the access log is configured."
        },
        spans: Span::ALL.into_iter().map(|other| link(other, span)).collect(),
        legend: legend.collect(),
        chart: chart(format!("Requests per second by verdict, {}", title(span)), &points, span, 150),
        busiest_title: title(span),
        busiest: busiest.collect(),
        upstreams: upstreams(&visit),
        ending: ending(&visit),
        shadow: shadow(&visit),
        last: last_versions(&visit).await,
        frame: visit.live_frame(Section::Overview, "Overview"),
    };
    visit.page(&page)
}

/// The classes of the style sheet, and their meanings.
const VERDICTS: [(&str, &str); 4] = [
    ("passed", "passed"),
    ("refused", "refused"),
    ("limited", "rate limited"),
    ("failed", "upstream failed"),
];

fn cards(visit: &Visit) -> Vec<Card> {
    let series = &visit.console.series;
    let last: Vec<Point> = series.points(Span::Minutes).into_iter().rev().take(60).collect();
    let all: u64 = last.iter().map(Point::all).sum();
    let refused: u64 = last.iter().map(|point| u64::from(point.refused) + u64::from(point.limited)).sum();
    let durations = series.durations();
    let latency = |share| wording::latency(quantile(&durations, share));
    let (issued, not_issued) = series.issued();
    let gate = visit.admin.gate();
    let card = |figure: String, what: &str| Card { figure, what: what.to_owned() };
    vec![
        card(wording::per_second(all, MINUTE), "requests/s, last minute"),
        card(wording::percent(refused, all), "refused, last minute"),
        card(latency(0.5), "p50 latency"),
        card(wording::pair(latency(0.95), latency(0.99)), "p95 · p99"),
        card(grouped(gate.tokens_live()), "live tokens"),
        card(grouped(issued), "tokens issued, last minute"),
        card(grouped(not_issued), "token requests refused, last minute"),
        card(grouped(gate.hashing_queue() as u64), "secrets waiting to be hashed"),
    ]
}

fn chart(label: String, points: &[Point], span: Span, height: u32) -> Chart {
    let step = span.step().as_secs_f64();
    let values =
        |of: fn(&Point) -> u32| -> Vec<f64> { points.iter().map(|p| f64::from(of(p)) / step).collect() };
    let all = [values(|p| p.passed), values(|p| p.refused), values(|p| p.limited), values(|p| p.failed)];
    let series: Vec<(&'static str, &[f64])> =
        VERDICTS.iter().zip(&all).map(|((class, _), values)| (*class, values.as_slice())).collect();
    let mut chart = stacked(label, &series, height);
    chart.from = match span {
        Span::Minutes => "5 minutes ago",
        Span::Hour => "an hour ago",
        Span::Day => "a day ago",
    }
    .to_owned();
    chart.to = "now".to_owned();
    chart
}

fn title(span: Span) -> &'static str {
    match span {
        Span::Minutes => "last 5 minutes",
        Span::Hour => "last hour",
        Span::Day => "last 24 hours",
    }
}

fn link(span: Span, chosen: Span) -> SpanLink {
    let text = match span {
        Span::Minutes => "5 min",
        Span::Hour => "1 h",
        Span::Day => "24 h",
    };
    SpanLink { url: format!("/?span={}", span.name()), text, chosen: span == chosen }
}

fn upstreams(visit: &Visit) -> Vec<UpstreamLine> {
    let config = visit.config();
    let lines = config.upstreams.iter().enumerate().map(|(at, upstream)| {
        let states = server_states(&visit.admin, upstream);
        let up = states.iter().filter(|state| state.is_up).count();
        let tone = match up {
            0 => Tone::Bad,
            up if up < states.len() => Tone::Warn,
            _ => Tone::Good,
        };
        UpstreamLine {
            anchor: format!("upstream-{at}"),
            name: upstream.name.clone(),
            state: Badge::new(tone, format!("{up} of {} up", states.len())),
            detail: worst(&states),
        }
    });
    lines.take(MOST).collect()
}

/// Describes a server that is not up, or else the last fault of the servers.
fn worst(states: &[ServerStateShown]) -> String {
    let down = states.iter().find(|state| !state.is_up);
    let last = || states.iter().filter(|state| state.fault.is_some());
    let last = || last().min_by_key(|state| state.fault.as_ref().map(|(_, ago)| *ago));
    match (down, last()) {
        (Some(state), _) => match state.fault() {
            fault if fault.is_empty() => format!("{}: {}", state.server, state.badge.text),
            fault => format!("{}: {fault}", state.server),
        },
        (None, Some(state)) => format!("last fault: {}: {}", state.server, state.fault()),
        (None, None) => String::new(),
    }
}

fn shadow(visit: &Visit) -> Vec<ShadowedRoute> {
    let config = visit.config();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let summary = Summary::of(&visit.admin.proxy().rules().learned, &config, now);
    let line = |route: &RouteSummary| ShadowedRoute {
        name: config.routes.get(route.index).map_or_else(|| route.route.clone(), route_name),
        state: match share(route) {
            share if share.is_empty() => Badge::new(Tone::Warn, "no request yet"),
            share if route.waiting().next().is_none() => {
                Badge::new(Tone::Good, format!("ready, {share} would pass"))
            }
            share => Badge::new(Tone::Warn, format!("{share} would pass")),
        },
    };
    summary.routes.iter().take(MOST).map(line).collect()
}

async fn last_versions(visit: &Visit) -> Vec<LastVersion> {
    let versions = visit.change(|changes, _| changes.history(None, 5)).await.unwrap_or_default();
    let line = |version: &Version| LastVersion {
        number: version.number,
        comment: version.comment.clone(),
        who: who(version),
        when: when(version),
    };
    versions.iter().map(line).collect()
}

/// Lists the secrets that expire soon, the earliest first.
fn ending(visit: &Visit) -> Vec<EndingSecret> {
    let (config, now) = (visit.config(), SystemTime::now());
    let mut ending = Vec::new();
    for client in &config.clients {
        for secret in client.authentication.secret.iter().flat_map(|secrets| &secrets.secrets) {
            if let Some(ends) = secret.expires.filter(|ends| *ends <= now + SOON) {
                ending.push((ends, client, secret));
            }
        }
    }
    sort_by_key(&mut ending, |(ends, ..)| *ends);
    let rows = ending.into_iter().take(MOST).map(|(ends, client, secret)| {
        let is_over = ends <= now;
        let when = wording::relative(ends, now);
        EndingSecret {
            url: super::clients::url(client.id.as_str()),
            client: client.id.to_string(),
            state: Badge::new(
                if is_over { Tone::Bad } else { Tone::Warn },
                if is_over { format!("ended {when}") } else { format!("ends {when}") },
            ),
            detail: format!("secret {}", secret.id),
        }
    });
    rows.collect()
}
