//! The Prometheus text format, version 0.0.4, and OpenMetrics 1.0, which differs only slightly.

use std::fmt::{self, Display, Write as _};
use std::time::Duration;

use super::meter::{BOUNDS, Histogram};

/// The format of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Prometheus text, version 0.0.4.
    Prometheus,
    /// OpenMetrics, version 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the format for an `Accept` header.
    pub(super) fn accepted(accept: Option<&str>) -> Self {
        // A client that names OpenMetrics can read it, whatever its preferences are.
        match accept {
            Some(accept) if accept.contains("application/openmetrics-text") => Self::OpenMetrics,
            _ => Self::Prometheus,
        }
    }

    pub(super) fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Label names and values.
pub(super) type Labels<'a> = &'a [(&'a str, &'a str)];

/// A page that is being written.
pub(super) struct Page {
    text: String,
    format: Format,
}

/// A metric family of the page.
pub(super) struct Family<'p> {
    page: &'p mut Page,
    name: &'static str,
    suffix: &'static str,
}

impl Page {
    pub(super) fn new(format: Format) -> Self {
        Self { text: String::new(), format }
    }

    /// Begins a counter. `name` is without `_total`.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        let suffix = if self.format == Format::Prometheus { "_total" } else { "" };
        self.begin(name, suffix, "counter", help);
        Family { page: self, name, suffix: "_total" }
    }

    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.begin(name, "", "gauge", help);
        Family { page: self, name, suffix: "" }
    }

    pub(super) fn histogram(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.begin(name, "", "histogram", help);
        Family { page: self, name, suffix: "" }
    }

    fn begin(&mut self, name: &str, suffix: &str, kind: &str, help: &str) {
        self.add(format_args!("# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} {kind}\n"));
    }

    fn add(&mut self, text: fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(text);
    }

    /// Returns the complete page.
    pub(super) fn finish(mut self) -> String {
        if self.format == Format::OpenMetrics {
            self.text.push_str("# EOF\n");
        }
        self.text
    }
}

impl Family<'_> {
    /// Writes one sample.
    pub(super) fn value(&mut self, labels: Labels<'_>, value: impl Display) -> &mut Self {
        let (name, suffix) = (self.name, self.suffix);
        self.page.add(format_args!("{name}{suffix}{} {value}\n", Braced(labels, None)));
        self
    }

    /// Writes the sum of these histograms.
    pub(super) fn durations<'h>(&mut self, labels: Labels<'_>, all: impl Iterator<Item = &'h Histogram>) {
        let (name, mut nanos) = (self.name, 0_u64);
        let mut buckets = [0_u64; BOUNDS.len() + 1];
        for histogram in all {
            nanos = nanos.wrapping_add(histogram.nanos.now());
            for (sum, bucket) in buckets.iter_mut().zip(&histogram.buckets) {
                *sum = sum.wrapping_add(bucket.now());
            }
        }
        let mut so_far = 0_u64;
        let bounds = BOUNDS.iter().map(|bound| format!("{:?}", bound.as_secs_f64()));
        for (bucket, bound) in buckets.iter().zip(bounds.chain(["+Inf".to_owned()])) {
            so_far = so_far.wrapping_add(*bucket);
            self.page.add(format_args!("{name}_bucket{} {so_far}\n", Braced(labels, Some(("le", &bound)))));
        }
        let sum = Duration::from_nanos(nanos).as_secs_f64();
        let labels = Braced(labels, None);
        self.page.add(format_args!("{name}_sum{labels} {sum:?}\n{name}_count{labels} {so_far}\n"));
    }
}

/// Labels in braces, as they follow a metric name.
struct Braced<'a>(Labels<'a>, Option<(&'a str, &'a str)>);

impl Display for Braced<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = '{';
        for (name, value) in self.0.iter().chain(&self.1) {
            write!(f, "{before}{name}=\"")?;
            for character in value.chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    '"' => f.write_str("\\\"")?,
                    '\n' => f.write_str("\\n")?,
                    _ => f.write_char(character)?,
                }
            }
            f.write_char('"')?;
            before = ',';
        }
        if before == ',' { f.write_char('}') } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::meter::{Meter, UpstreamCells};
    use crate::telemetry::thread_counters;

    #[test]
    fn both_formats_are_written() {
        let page = |format| {
            let mut page = Page::new(format);
            page.counter("t_requests", "Requests.").value(&[("route", "a\"b\\c\nd")], 3).value(&[], 4);
            page.gauge("t_open", "Open.").value(&[], 1.5);
            page.finish()
        };
        let prometheus = "# HELP t_requests_total Requests.\n# TYPE t_requests_total counter\n\
            t_requests_total{route=\"a\\\"b\\\\c\\nd\"} 3\nt_requests_total 4\n\
            # HELP t_open Open.\n# TYPE t_open gauge\nt_open 1.5\n";
        assert_eq!(page(Format::Prometheus), prometheus);
        let open = prometheus.replace("HELP t_requests_total", "HELP t_requests");
        let open = open.replace("TYPE t_requests_total", "TYPE t_requests") + "# EOF\n";
        assert_eq!(page(Format::OpenMetrics), open);
    }

    #[test]
    fn buckets_are_cumulative() {
        let meter: Meter<UpstreamCells> = Meter::new("u", 1_000);
        let cells = meter.cells(thread_counters()).unwrap();
        for millis in [0, 1, 1, 7, 100_000] {
            cells.end(Some(Duration::from_millis(millis)), 0);
        }
        let mut page = Page::new(Format::Prometheus);
        page.histogram("t_seconds", "How long.")
            .durations(&[("u", "x")], meter.used().map(|cells| &cells.duration));
        let text = page.finish();
        for line in [
            "t_seconds_bucket{u=\"x\",le=\"0.0005\"} 1",
            "t_seconds_bucket{u=\"x\",le=\"0.001\"} 3",
            "t_seconds_bucket{u=\"x\",le=\"0.005\"} 3",
            "t_seconds_bucket{u=\"x\",le=\"0.01\"} 4",
            "t_seconds_bucket{u=\"x\",le=\"1.0\"} 4",
            "t_seconds_bucket{u=\"x\",le=\"+Inf\"} 5",
            "t_seconds_sum{u=\"x\"} 100.009",
            "t_seconds_count{u=\"x\"} 5",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn openmetrics_is_used_only_if_accepted() {
        for (accept, format) in [
            (None, Format::Prometheus),
            (Some("*/*"), Format::Prometheus),
            (Some("text/plain;version=0.0.4;q=0.3"), Format::Prometheus),
            (Some("application/openmetrics-text;version=1.0.0;q=0.5,*/*;q=0.1"), Format::OpenMetrics),
        ] {
            assert_eq!(Format::accepted(accept), format, "{accept:?}");
        }
    }
}
