//! A strict reader of the Prometheus text format, which rejects what promtool would report.

use super::{Conn, Gateway};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// One scrape: every sample by its name and labels.
pub(crate) struct Scrape {
    samples: BTreeMap<String, f64>,
    /// The text of the page.
    pub(crate) text: String,
}

impl Scrape {
    /// Requests the page from the gateway's metrics listener.
    #[track_caller]
    pub(crate) fn of(gateway: &Gateway) -> Self {
        let answer =
            Conn::plain(address(gateway)).request("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        answer.status(200).has("content-type", "text/plain; version=0.0.4; charset=utf-8");
        Self::parse(std::str::from_utf8(answer.body()).expect("UTF-8"))
    }

    /// Parses a page, or panics with its defect.
    #[track_caller]
    pub(crate) fn parse(text: &str) -> Self {
        let (mut samples, mut kinds, mut helped) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        let mut family: Option<(String, String)> = None;
        assert!(text.ends_with('\n'), "the last line has no end");
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
                assert!(helped.insert(name.to_owned()) && !help.is_empty(), "{line}");
                family = None;
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
                assert!(helped.contains(name), "TYPE before HELP: {line}");
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
                assert!(is_name(name), "{line}");
                assert!(kinds.insert(name.to_owned(), kind.to_owned()).is_none(), "twice: {line}");
                family = Some((name.to_owned(), kind.to_owned()));
            } else {
                let (family, kind) =
                    family.as_ref().unwrap_or_else(|| panic!("a sample of no family: {line}"));
                let (key, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
                let name = key.split('{').next().unwrap_or(key);
                let suffix = name.strip_prefix(family.as_str());
                let suffixes: &[&str] =
                    if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
                assert!(suffix.is_some_and(|suffix| suffixes.contains(&suffix)), "not of {family}: {line}");
                check_labels(&key[name.len()..], line);
                let number: f64 = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
                assert!(number.is_finite() && number >= 0.0, "{line}");
                assert!(samples.insert(key.to_owned(), number).is_none(), "twice: {line}");
            }
        }
        let scrape = Self { samples, text: text.to_owned() };
        scrape.check_histograms(&kinds);
        scrape
    }

    /// Asserts that buckets are cumulative and that the last one is the count.
    #[track_caller]
    fn check_histograms(&self, kinds: &BTreeMap<String, String>) {
        for name in kinds.iter().filter(|(_, kind)| *kind == "histogram").map(|(name, _)| name) {
            let mut last: BTreeMap<String, f64> = BTreeMap::new();
            // In the order of the page, which is that of their bounds.
            for line in self.text.lines().filter(|line| line.starts_with(&format!("{name}_bucket{{"))) {
                let (labels, value) = line.rsplit_once(' ').expect("a value");
                let (others, bound) = labels.split_once("le=\"").expect("a bound");
                let value: f64 = value.parse().expect("a number");
                let before = last.insert(others.to_owned(), value).unwrap_or(0.0);
                assert!(before <= value, "not cumulative: {line}");
                if bound.starts_with("+Inf") {
                    let others = others.trim_start_matches(&format!("{name}_bucket{{")).trim_end_matches(',');
                    let braced = if others.is_empty() { String::new() } else { format!("{{{others}}}") };
                    assert_eq!(self.samples.get(&format!("{name}_count{braced}")), Some(&value), "{line}");
                    assert!(self.samples.contains_key(&format!("{name}_sum{braced}")), "{line}");
                }
            }
        }
    }

    /// Returns the sample with this name and labels, as `name{label="value"}`, or 0.
    pub(crate) fn value(&self, key: &str) -> f64 {
        self.samples.get(key).copied().unwrap_or(0.0)
    }

    /// Returns the sum of all samples with this name.
    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.named(name).map(|(_, value)| value).sum()
    }

    /// Returns the samples with this name.
    pub(crate) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, f64)> {
        let is_named = move |key: &str| key.split('{').next() == Some(name);
        self.samples.iter().filter(move |(key, _)| is_named(key)).map(|(key, value)| (key.as_str(), *value))
    }

    /// Returns the names and labels of all samples.
    pub(crate) fn keys(&self) -> BTreeSet<&str> {
        self.samples.keys().map(String::as_str).collect()
    }
}

/// Returns the address of the metrics listener.
#[track_caller]
pub(crate) fn address(gateway: &Gateway) -> SocketAddr {
    let written = gateway.written();
    let (_, rest) =
        written.split_once("metrics on http://").unwrap_or_else(|| panic!("no metrics\n{written}"));
    rest.split('/').next().and_then(|address| address.parse().ok()).expect("an address")
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Parses `{name="value",…}` with its three escapes, or nothing.
#[track_caller]
fn check_labels(text: &str, line: &str) {
    if text.is_empty() {
        return;
    }
    let inner = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    let mut rest = inner.unwrap_or_else(|| panic!("no braces: {line}"));
    let mut seen = BTreeSet::new();
    loop {
        let (name, behind) = rest.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        assert!(is_name(name) && seen.insert(name), "label {name}: {line}");
        let mut characters = behind.char_indices();
        let end = loop {
            match characters.next().unwrap_or_else(|| panic!("a value without end: {line}")) {
                (at, '"') => break at,
                (_, '\\') => {
                    let escaped = characters.next().map(|(_, escaped)| escaped);
                    assert!(matches!(escaped, Some('\\' | '"' | 'n')), "escape: {line}");
                }
                _ => {}
            }
        };
        match &behind[end + 1..] {
            "" => return,
            more => rest = more.strip_prefix(',').unwrap_or_else(|| panic!("behind a label: {line}")),
        }
    }
}

#[test]
fn it_finds_what_is_wrong() {
    let good = "# HELP a_total A.\n# TYPE a_total counter\na_total{x=\"a\\\"}\"} 1\na_total 2\n\
        # HELP h H.\n# TYPE h histogram\nh_bucket{le=\"1.0\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 0.5\nh_count 2\n";
    assert_eq!(Scrape::parse(good).sum("a_total"), 3.0);
    for (from, to) in [
        ("# HELP a_total A.\n", ""),
        ("a_total counter", "a_total timer"),
        ("a_total 2", "a_total two"),
        ("a_total 2", "b_total 2"),
        ("a_total 2", "a_total{x=\"a\\\"}\"} 2"),
        ("x=\"a", "X=\"a"),
        ("h_count 2", "h_count 3"),
        ("le=\"1.0\"} 1", "le=\"1.0\"} 3"),
        ("h_count 2\n", "h_count 2"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good);
        assert!(std::panic::catch_unwind(|| Scrape::parse(&bad)).is_err(), "{from:?} -> {to:?}");
    }
}
