//! The outcome as an HTML page: one file that loads no other file and runs no script.

use std::fmt::Write as _;

use super::numbers::{micros, rate, three_digits, time};
use super::plot::{self, Bar, Trace, escape};
use super::table::sentence;
use crate::bench::comparison::{Ratio, Spread, Verdict};
use crate::bench::outcome::{Measured, Outcome};
use crate::bench::scenario::Kind;
use crate::config::grouped;
use crate::utc;

const STYLE: &str = include_str!("page.css");

/// Returns the whole document.
pub(crate) fn page(outcome: &Outcome) -> String {
    let measured: Vec<&Measured> =
        outcome.measured.iter().filter(|measured| !measured.rounds.is_empty()).collect();
    let mut page = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>tollgate bench</title>\n<style>\n",
    );
    page.push_str(STYLE);
    page.push_str("</style>\n</head>\n<body>\n<main>\n");
    page.push_str(&header(outcome));
    page.push_str(&cards(outcome));
    page.push_str("<div class=\"grid\">\n");
    page.push_str(&rates(&measured));
    page.push_str(&costs(&measured));
    page.push_str("</div>\n");
    page.push_str(&latencies(&measured));
    page.push_str(&timeline(&measured));
    page.push_str(&table(&measured));
    page.push_str(&remarks(outcome));
    page.push_str(&how(outcome));
    page.push_str("</main>\n</body>\n</html>\n");
    page
}

fn header(outcome: &Outcome) -> String {
    let target = &outcome.target;
    let what = if target.own {
        "A temporary gateway of this configuration, in front of a stand-in API"
    } else {
        "A running gateway"
    };
    let route = target.route.as_deref().or(target.public_route.as_deref()).unwrap_or("the token endpoint");
    format!(
        "<header><h1>tollgate bench</h1><p class=\"soft\">{what}: <code>{}</code> at <code>{}</code> · {}</p></header>\n",
        escape(route),
        escape(&target.url),
        escape(&utc::from_unix(outcome.started).to_string().replace('T', " ").replace('Z', " UTC")),
    )
}

/// The figures that a reader looks for first.
fn cards(outcome: &Outcome) -> String {
    let mut cards = Vec::new();
    if let Some(spread) = outcome.of(Kind::Protected).and_then(Measured::rate) {
        cards.push((rate(spread.median), "protected requests/s".to_owned()));
    }
    for comparison in outcome.comparisons() {
        if (comparison.of, comparison.to) == (Kind::Protected, Kind::Public) {
            if let Some(cpu) = comparison.cpu {
                cards.push(ratio_card(&cpu, "gateway CPU, protected to public"));
            } else if let Some(rate) = comparison.rate {
                cards.push(ratio_card(&rate, "requests/s, protected to public"));
            }
        }
    }
    if let Some(fixed) = outcome.of(Kind::Fixed) {
        let p99 = time(fixed.total().latency.quantile(0.99));
        let offered = fixed.offered.map(rate).unwrap_or_default();
        cards.push((p99, format!("99th percentile at {offered} requests/s")));
    }
    if let Some(issuing) = outcome.of(Kind::Issuing).and_then(Measured::rate) {
        cards.push((rate(issuing.median), "tokens issued per second".to_owned()));
    }
    let errors: u64 = outcome.measured.iter().map(errors).sum();
    cards.push((grouped(errors), "errors".to_owned()));
    let mut html = String::from("<div class=\"cards\">");
    for (figure, what) in cards {
        let _ = write!(
            html,
            "<div class=\"card\"><b>{}</b><span>{}</span></div>",
            escape(&figure),
            escape(&what)
        );
    }
    html + "</div>\n"
}

fn ratio_card(ratio: &Ratio, what: &str) -> (String, String) {
    match ratio.verdict() {
        Verdict::Clear | Verdict::SingleRound => (format!("{:.2}×", ratio.value), what.to_owned()),
        Verdict::TooNoisy => {
            (format!("{:.2}–{:.2}×", ratio.least, ratio.greatest), format!("{what}: too noisy to say"))
        }
    }
}

fn rates(measured: &[&Measured]) -> String {
    let bars: Vec<Bar> = measured
        .iter()
        .filter(|measured| measured.offered.is_none())
        .filter_map(|measured| {
            let spread = measured.rate()?;
            Some(Bar {
                kind: measured.kind,
                label: measured.kind.title().to_owned(),
                parts: vec![spread.median],
                range: Some((spread.least, spread.greatest)),
                value: rate(spread.median),
            })
        })
        .collect();
    section(
        "Requests per second",
        "Each request follows the response to the one before. The median of the rounds; the line is their range.",
        || plot::bars("Requests per second", &bars),
    )
    .when(!bars.is_empty())
}

fn costs(measured: &[&Measured]) -> String {
    let bars: Vec<Bar> = measured
        .iter()
        .filter_map(|measured| {
            let cpu = measured.cpu()?;
            let range = measured.cpu_by_round().and_then(Spread::of);
            let (user, system) = (three_digits(cpu.user), three_digits(cpu.system));
            Some(Bar {
                kind: measured.kind,
                label: measured.kind.title().to_owned(),
                parts: vec![cpu.user, cpu.system],
                range: range.map(|spread| (spread.least, spread.greatest)),
                value: format!("{} ({user} + {system})", micros(cpu.total())),
            })
        })
        .collect();
    section(
        "Gateway CPU per request",
        "Processor time of the gateway's process: its own code and (lighter) the system calls. The median of the rounds; the line is their range.",
        || plot::bars("Gateway CPU per request", &bars),
    )
    .when(!bars.is_empty())
}

fn latencies(measured: &[&Measured]) -> String {
    let totals: Vec<_> = measured.iter().map(|measured| (measured.kind, measured.total().latency)).collect();
    let lines: Vec<_> = totals.iter().map(|(kind, latency)| (*kind, latency)).collect();
    let note = if measured.iter().any(|measured| measured.offered.is_some()) {
        "Under full load these show how long the queue is. At the fixed rate they show how long a client waits, counted from when its request was due."
    } else {
        "Under full load these show how long the queue is."
    };
    section("Latency by percentile", note, || {
        key(measured) + &scrolled(&plot::percentiles("Latency by percentile", &lines))
    })
    .when(totals.iter().any(|(_, latency)| latency.count() > 0))
}

fn timeline(measured: &[&Measured]) -> String {
    let traces: Vec<Trace> = measured
        .iter()
        .flat_map(|measured| {
            measured.rounds.iter().map(|(began, round)| Trace {
                kind: measured.kind,
                points: round.samples.iter().map(|(at, rate)| (began + at, *rate)).collect(),
            })
        })
        .filter(|trace| !trace.points.is_empty())
        .collect();
    section("Throughput over time", "Good responses per second, round after round.", || {
        key(measured) + &scrolled(&plot::timeline("Throughput over time", &traces))
    })
    .when(!traces.is_empty())
}

fn table(measured: &[&Measured]) -> String {
    let has_cpu = measured.iter().any(|measured| measured.cpu().is_some());
    let mut html = String::from("<div class=\"wide\"><table><thead><tr><th></th><th>requests/s</th>");
    if has_cpu {
        html.push_str("<th>gateway CPU</th>");
    }
    html.push_str("<th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>longest</th><th>requests</th><th>errors</th></tr></thead><tbody>");
    for measured in measured {
        let total = measured.total();
        let _ = write!(
            html,
            "<tr><td><i class=\"{}\"></i>{}</td><td>{}</td>",
            measured.kind.name(),
            escape(measured.kind.title()),
            rate(measured.rate().map_or(0.0, |spread| spread.median)),
        );
        if has_cpu {
            let cpu = measured.cpu().map_or_else(|| "–".to_owned(), |cpu| micros(cpu.total()));
            let _ = write!(html, "<td>{cpu}</td>");
        }
        for share in [0.5, 0.9, 0.99, 0.999] {
            let _ = write!(html, "<td>{}</td>", time(total.latency.quantile(share)));
        }
        let _ = write!(
            html,
            "<td>{}</td><td>{}</td><td>{}</td></tr>",
            time(total.latency.max()),
            grouped(total.answers() + total.faults()),
            grouped(errors(measured)),
        );
    }
    html.push_str("</tbody></table></div>");
    section("All figures", "", || html).when(!measured.is_empty())
}

fn remarks(outcome: &Outcome) -> String {
    let comparisons = outcome.comparisons();
    let sentences = comparisons.iter().map(|comparison| sentence(comparison) + ".");
    let mut html = String::from("<ul class=\"remarks\">");
    for remark in sentences.chain(outcome.remarks()) {
        let _ = write!(html, "<li>{}</li>", escape(&remark));
    }
    section("Remarks", "", || html + "</ul>").when(true)
}

fn how(outcome: &Outcome) -> String {
    let (settings, machine, target) = (&outcome.settings, &outcome.machine, &outcome.target);
    let protocol = match (target.http2, target.tls) {
        (false, false) => "HTTP/1.1 without TLS",
        (false, true) => "HTTP/1.1 over TLS, kept alive",
        (true, false) => "HTTP/2 without TLS",
        (true, true) => "HTTP/2 over TLS, kept alive",
    };
    let model = machine.model.as_deref().map(|model| format!(", {model}")).unwrap_or_default();
    let rows = [
        ("requests in flight", grouped(settings.connections as u64)),
        ("load threads", settings.threads.to_string()),
        ("tokens used in turn", grouped(settings.tokens as u64)),
        (
            "time per scenario",
            format!(
                "{:.1} s, in {} rounds that alternate with the other scenarios",
                settings.duration.as_secs_f64(),
                settings.rounds
            ),
        ),
        ("protocol", protocol.to_owned()),
        ("machine", format!("{} cores{model}", machine.cores)),
        ("tollgate", env!("CARGO_PKG_VERSION").to_owned()),
    ];
    let mut html = String::from("<dl>");
    for (what, value) in rows {
        let _ = write!(html, "<dt>{}</dt><dd>{}</dd>", escape(what), escape(&value));
    }
    section("How it was measured", "", || html + "</dl>").when(true)
}

fn errors(measured: &Measured) -> u64 {
    let total = measured.total();
    total.faults() + total.unexpected
}

/// Wraps a plot so that a narrow window scrolls it instead of making it too small to read.
fn scrolled(plot: &str) -> String {
    format!("<div class=\"wide plot\">{plot}</div>")
}

fn key(measured: &[&Measured]) -> String {
    let mut html = String::from("<ul class=\"key\">");
    for measured in measured {
        let title = match measured.offered {
            None => measured.kind.title().to_owned(),
            Some(offered) => format!("{}, {}/s", measured.kind.title(), rate(offered)),
        };
        let _ = write!(html, "<li><i class=\"{}\"></i>{}</li>", measured.kind.name(), escape(&title));
    }
    html + "</ul>"
}

/// A part of the page, which is left out if it has no content.
struct Section<'a, F> {
    title: &'a str,
    note: &'a str,
    content: F,
}

fn section<'a, F: FnOnce() -> String>(title: &'a str, note: &'a str, content: F) -> Section<'a, F> {
    Section { title, note, content }
}

impl<F: FnOnce() -> String> Section<'_, F> {
    fn when(self, is_worth_it: bool) -> String {
        if !is_worth_it {
            return String::new();
        }
        let note = if self.note.is_empty() {
            String::new()
        } else {
            format!("<p class=\"note\">{}</p>", escape(self.note))
        };
        format!("<section><h2>{}</h2>{note}{}</section>\n", escape(self.title), (self.content)())
    }
}
