//! The plots of the page, as inline SVG. The page's style sheet gives each kind of traffic its colour.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::numbers::{rate, three_digits};
use crate::bench::histogram::Histogram;
use crate::bench::scenario::Kind;

/// The width of a plot that takes the whole width of the page. Letters are 13 units high.
const WIDE: f64 = 1060.0;
/// The width of a plot that is beside another one.
const HALF: f64 = 500.0;

/// A bar with its label and value.
pub(super) struct Bar {
    pub(super) kind: Kind,
    pub(super) label: String,
    /// The parts from left to right. Later ones are lighter.
    pub(super) parts: Vec<f64>,
    /// The smallest and the greatest value of the rounds.
    pub(super) range: Option<(f64, f64)>,
    pub(super) value: String,
}

/// One line of a plot over time.
pub(super) struct Trace {
    pub(super) kind: Kind,
    /// Seconds, and requests per second.
    pub(super) points: Vec<(f64, f64)>,
}

/// Draws horizontal bars that start at zero.
pub(super) fn bars(title: &str, bars: &[Bar]) -> String {
    const ROW: f64 = 32.0;
    const LEFT: f64 = 120.0;
    const RIGHT: f64 = 150.0;
    let reach = |bar: &Bar| bar.range.map_or(0.0, |(_, greatest)| greatest).max(bar.parts.iter().sum());
    let most = bars.iter().map(reach).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| LEFT + value / most * (HALF - LEFT - RIGHT);
    let height = ROW * as_f64(bars.len()) + 6.0;
    let mut svg = open(title, HALF, height);
    for (at, bar) in bars.iter().enumerate() {
        let top = ROW * as_f64(at) + 6.0;
        let middle = top + 11.0;
        let kind = bar.kind.name();
        text(&mut svg, "label", LEFT - 10.0, middle + 4.5, "end", &bar.label);
        let mut from = 0.0;
        for (part, value) in bar.parts.iter().enumerate() {
            put(
                &mut svg,
                format_args!(
                    r#"<rect class="bar {kind} part{part}" x="{:.1}" y="{top:.1}" width="{:.1}" height="22"/>"#,
                    x(from),
                    x(from + value) - x(from)
                ),
            );
            from += value;
        }
        let mut end = from;
        if let Some((least, greatest)) = bar.range {
            put(
                &mut svg,
                format_args!(
                    r#"<path class="range" d="M{0:.1} {middle:.1}H{1:.1}M{0:.1} {2:.1}v8M{1:.1} {2:.1}v8"/>"#,
                    x(least),
                    x(greatest),
                    middle - 4.0
                ),
            );
            end = end.max(greatest);
        }
        text(&mut svg, "value", x(end) + 10.0, middle + 4.5, "start", &bar.value);
    }
    svg + "</svg>"
}

/// Draws latency (logarithmic) over percentiles. Each further nine takes the same width.
pub(super) fn percentiles(title: &str, lines: &[(Kind, &Histogram)]) -> String {
    const STEPS: u32 = 160;
    let lines: Vec<_> = lines.iter().filter(|(_, histogram)| histogram.count() > 0).collect();
    let most = lines.iter().map(|(_, histogram)| histogram.count()).max().unwrap_or(1);
    // Percentiles beyond this have fewer than ten requests.
    let nines = (as_f64_of(most) / 10.0).log10().floor().clamp(1.0, 6.0);
    let spans = lines.iter().map(|(_, histogram)| (histogram.quantile(0.0), histogram.max()));
    let (least, greatest) = spans.fold((Duration::MAX, Duration::ZERO), |(least, greatest), (low, high)| {
        (least.min(low), greatest.max(high))
    });
    let ticks = log_ticks(micros(least), micros(greatest));
    let (low, high) = (*ticks.first().unwrap_or(&1.0), *ticks.last().unwrap_or(&10.0));
    let frame = Frame::new(340.0);
    let x = |nines_here: f64| frame.x(nines_here / nines);
    let y = |micros: f64| frame.y((micros.max(low) / low).log10() / (high / low).log10());
    let mut svg = open(title, WIDE, frame.height);
    for tick in &ticks {
        frame.rule(&mut svg, y(*tick), &round_time(*tick));
    }
    let shares: [(f64, &str); 8] = [
        (0.0, "0 %"),
        (0.5, "50 %"),
        (0.9, "90 %"),
        (0.99, "99 %"),
        (0.999, "99.9 %"),
        (0.9999, "99.99 %"),
        (0.99999, "99.999 %"),
        (0.999_999, "99.9999 %"),
    ];
    for (share, label) in shares {
        let at = -(1.0 - share).log10();
        if at <= nines + 1e-6 {
            frame.mark(&mut svg, x(at), label);
        }
    }
    for (kind, histogram) in lines {
        let mut path = String::new();
        for step in 0..=STEPS {
            let at = nines * f64::from(step) / f64::from(STEPS);
            let latency = histogram.quantile(1.0 - 10_f64.powf(-at));
            let command = if step == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", x(at), y(micros(latency)));
        }
        line(&mut svg, *kind, &path);
    }
    frame.close(&mut svg, "share of the requests that took at most this long");
    svg + "</svg>"
}

/// Draws requests per second over the time of the run.
pub(super) fn timeline(title: &str, traces: &[Trace]) -> String {
    let points = || traces.iter().flat_map(|trace| &trace.points);
    let most = points().map(|(_, rate)| *rate).fold(0.0, f64::max);
    let seconds = points().map(|(at, _)| *at).fold(0.0, f64::max).max(0.1);
    let ticks = ticks(most);
    let high = ticks.last().copied().unwrap_or(1.0);
    let frame = Frame::new(280.0);
    let mut svg = open(title, WIDE, frame.height);
    for tick in &ticks {
        frame.rule(&mut svg, frame.y(tick / high), &rate(*tick));
    }
    for tick in self::ticks(seconds).iter().filter(|tick| **tick <= seconds) {
        frame.mark(&mut svg, frame.x(tick / seconds), &format!("{} s", shortest(*tick)));
    }
    for trace in traces {
        let mut path = String::new();
        for (at, (seconds_in, rate)) in trace.points.iter().enumerate() {
            let command = if at == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{command}{:.1} {:.1}", frame.x(seconds_in / seconds), frame.y(rate / high));
        }
        line(&mut svg, trace.kind, &path);
    }
    frame.close(&mut svg, "seconds since the start");
    svg + "</svg>"
}

/// The area of a plot with axes.
struct Frame {
    height: f64,
}

impl Frame {
    const LEFT: f64 = 70.0;
    const RIGHT: f64 = 24.0;
    const TOP: f64 = 12.0;
    const BOTTOM: f64 = 46.0;

    fn new(height: f64) -> Self {
        Self { height }
    }

    fn x(&self, share: f64) -> f64 {
        Self::LEFT + share * (WIDE - Self::LEFT - Self::RIGHT)
    }

    fn y(&self, share: f64) -> f64 {
        self.height - Self::BOTTOM - share * (self.height - Self::BOTTOM - Self::TOP)
    }

    fn rule(&self, svg: &mut String, y: f64, label: &str) {
        let (from, to) = (self.x(0.0), self.x(1.0));
        put(svg, format_args!(r#"<path class="rule" d="M{from:.1} {y:.1}H{to:.1}"/>"#));
        text(svg, "tick", from - 8.0, y + 4.0, "end", label);
    }

    fn mark(&self, svg: &mut String, x: f64, label: &str) {
        let bottom = self.y(0.0);
        put(svg, format_args!(r#"<path class="rule" d="M{x:.1} {:.1}V{bottom:.1}"/>"#, self.y(1.0)));
        text(svg, "tick", x, bottom + 17.0, "middle", label);
    }

    fn close(&self, svg: &mut String, label: &str) {
        put(
            svg,
            format_args!(
                r#"<path class="axis" d="M{:.1} {:.1}H{:.1}"/>"#,
                self.x(0.0),
                self.y(0.0),
                self.x(1.0)
            ),
        );
        text(svg, "tick", f64::midpoint(self.x(0.0), self.x(1.0)), self.height - 8.0, "middle", label);
    }
}

fn open(title: &str, width: f64, height: f64) -> String {
    let title = escape(title);
    format!(
        r#"<svg viewBox="0 0 {width:.0} {height:.0}" role="img" aria-label="{title}"><title>{title}</title>"#
    )
}

fn line(svg: &mut String, kind: Kind, path: &str) {
    put(
        svg,
        format_args!(
            r#"<path class="line {}" d="{path}"><title>{}</title></path>"#,
            kind.name(),
            kind.title()
        ),
    );
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, anchor: &str, content: &str) {
    let content = escape(content);
    put(
        svg,
        format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{content}</text>"#
        ),
    );
}

fn put(svg: &mut String, part: fmt::Arguments<'_>) {
    let _ = svg.write_fmt(part);
}

/// Returns ticks from zero to at least `most`, in four to seven round steps.
pub(super) fn ticks(most: f64) -> Vec<f64> {
    let most = if most.is_finite() { most.max(1e-9) } else { 1.0 };
    let rough = most / 5.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|step| step * power)
        .find(|step| *step >= rough)
        .unwrap_or(10.0 * power);
    (0..).map(|n| f64::from(n) * step).take_while(|tick| *tick < most + step).take(12).collect()
}

/// Returns ticks at 1, 2 and 5 times the powers of ten around the values, or only at the powers if those are
/// too many.
fn log_ticks(least: f64, greatest: f64) -> Vec<f64> {
    let least = least.max(0.01);
    let greatest = greatest.max(least * 1.01);
    let candidates = |steps: &'static [f64]| {
        (-2..10).flat_map(move |power| steps.iter().map(move |step| step * 10_f64.powi(power)))
    };
    let around = |steps: &'static [f64]| -> Vec<f64> {
        let below = candidates(steps).rfind(|tick| *tick <= least);
        let within = candidates(steps).filter(|tick| *tick > least && *tick < greatest);
        let above = candidates(steps).find(|tick| *tick >= greatest);
        below.into_iter().chain(within).chain(above).collect()
    };
    let fine = around(&[1.0, 2.0, 5.0]);
    if fine.len() <= 9 { fine } else { around(&[1.0]) }
}

/// Formats a tick without trailing zeros.
fn shortest(number: f64) -> String {
    let text = three_digits(number);
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// Formats a tick in microseconds: `50 µs`, `2 ms`, `1 s`.
fn round_time(micros: f64) -> String {
    match micros {
        _ if micros < 1e3 => format!("{} µs", shortest(micros)),
        _ if micros < 1e6 => format!("{} ms", shortest(micros / 1e3)),
        _ => format!("{} s", shortest(micros / 1e6)),
    }
}

/// Escapes a text for HTML and its attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss)]
fn as_f64(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss)]
fn as_f64_of(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_reach_far_enough() {
        for (most, expected) in [(1.0, "0 0.2 0.4 0.6 0.8 1"), (24.0, "0 5 10 15 20 25"), (0.0, "")] {
            let found: Vec<String> = ticks(most).iter().map(|tick| shortest(*tick)).collect();
            if !expected.is_empty() {
                assert_eq!(found.join(" "), expected, "{most}");
            }
        }
        for most in [0.0, 0.3, 7.0, 999.0, 48_123.0, 1e9, f64::NAN, f64::INFINITY] {
            let ticks = ticks(most);
            assert!((2..=12).contains(&ticks.len()), "{most}: {ticks:?}");
            assert!(!most.is_finite() || *ticks.last().unwrap() >= most * 0.999, "{most}: {ticks:?}");
        }
    }

    #[test]
    fn log_ticks_are_few_and_reach_both_ends() {
        for (least, greatest) in [(80.0, 900.0), (1.0, 1.0), (0.0, 0.0), (50.0, 5e6), (999.0, 1001.0)] {
            let ticks = log_ticks(least, greatest);
            assert!((2..=12).contains(&ticks.len()), "{least} {greatest}: {ticks:?}");
            assert!(*ticks.first().unwrap() <= least.max(0.01), "{least} {greatest}: {ticks:?}");
            assert!(*ticks.last().unwrap() >= greatest, "{least} {greatest}: {ticks:?}");
        }
    }
}
