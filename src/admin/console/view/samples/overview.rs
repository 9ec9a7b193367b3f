//! The first page.

use askama::Template;

use super::pieces::*;
use crate::admin::console::view::chart::stacked;
use crate::admin::console::view::frame::*;
use crate::admin::console::view::overview::*;
use crate::admin::console::view::parts::*;

/// Renders the pages.
pub(super) fn pages(word: &str) -> Vec<(&'static str, String)> {
    let mut pages = Vec::new();
    let mut add =
        |name: &'static str, page: Result<String, askama::Error>| pages.push((name, page.expect(name)));
    let mut overview = frame("Overview", Section::Overview, word);
    overview.is_live = true;
    overview.pending = Some(Pending {
        version: 13,
        deadline: "2026-11-27T12:40:00Z".into(),
        deadline_unix: 4_000_000_000,
        at: "12:40:00 UTC".into(),
        left: "4:12".into(),
    });
    overview.notices.push(Notice::new(
        Tone::Warn,
        "gateway.toml has an error since 11:58; the gateway keeps what it had.",
    ));
    let (passed, refused) = (wave(400.0), wave(23.0));
    let chart = |height| {
        let mut chart = stacked(
            "Requests per second by verdict".into(),
            &[("passed", &passed), ("refused", &refused)],
            height,
        );
        chart.from = "5 minutes ago".into();
        chart.to = "now".into();
        chart
    };
    let card = |figure: &str, what: &str| Card { figure: figure.into(), what: what.into() };
    add(
        "overview",
        OverviewPage {
            frame: overview,
            cards: vec![
                card("1,284", "requests/s"),
                card("2.3 %", "refused"),
                card("1.8 ms", "p50"),
                card("6.1 ms", "p95"),
                card("14 ms", "p99"),
                card("4,113", "live tokens"),
                card("3.2/s", "tokens issued"),
                card("0", "waiting to be hashed"),
            ],
            note: "",
            spans: vec![
                Span { url: "/".into(), text: "5 min", chosen: true },
                Span { url: "/?span=hour".into(), text: "1 h", chosen: false },
                Span { url: "/?span=day".into(), text: "24 h", chosen: false },
            ],
            legend: vec![
                Legend { class: "passed", name: "passed", count: "383,120".into() },
                Legend { class: "refused", name: "refused", count: "9,021".into() },
                Legend { class: "limited", name: "rate limited", count: "0".into() },
                Legend { class: "failed", name: "upstream failed", count: "12".into() },
            ],
            chart: chart(150),
            busiest_title: "last 5 minutes",
            busiest: vec![
                BusyRoute {
                    name: "GET, HEAD /hello_world".into(),
                    rate: "1,021".into(),
                    refused: "0.1 %".into(),
                    chart: chart(22),
                },
                BusyRoute { name: word.into(), rate: "263".into(), refused: "11 %".into(), chart: chart(22) },
            ],
            upstreams: vec![
                UpstreamLine {
                    anchor: "u1".into(),
                    name: "hello".into(),
                    state: badge(Tone::Good, "3 of 3"),
                    detail: "no fault since the start".into(),
                },
                UpstreamLine {
                    anchor: "u2".into(),
                    name: word.into(),
                    state: badge(Tone::Warn, "2 of 3"),
                    detail: "connection refused, 2 minutes ago".into(),
                },
            ],
            ending: vec![EndingSecret {
                url: "/clients/x".into(),
                client: word.into(),
                state: badge(Tone::Warn, "in 3 days"),
                detail: "secret 2026-11, used 4 minutes ago".into(),
            }],
            shadow: vec![ShadowedRoute { name: word.into(), state: badge(Tone::Warn, "99.2 % would pass") }],
            last: vec![
                LastVersion {
                    number: 12,
                    comment: word.into(),
                    who: "alice".into(),
                    when: "5 minutes ago".into(),
                },
                LastVersion {
                    number: 11,
                    comment: "edited by hand".into(),
                    who: "file".into(),
                    when: "yesterday".into(),
                },
            ],
        }
        .render(),
    );
    pages
}
