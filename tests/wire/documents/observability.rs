//! docs/observability.md names every metric and every reason that the program knows.

use super::document::{path, read};

const PAGE: &str = "docs/observability.md";

/// Returns the string literals of a Rust file.
fn quoted(file: &str) -> Vec<String> {
    let text = read(file);
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_reason_is_explained() {
    let page = read(PAGE);
    let reasons = quoted("src/telemetry/reason.rs");
    assert!(reasons.len() > 20, "{reasons:?}");
    for reason in reasons {
        assert!(page.contains(&format!("`{reason}`")), "{PAGE} does not explain the reason {reason}");
    }
}

#[test]
fn every_metric_is_listed() {
    let page = read(PAGE);
    let mut seen = 0;
    for entry in std::fs::read_dir(path("src/telemetry")).expect("src/telemetry") {
        let name = entry.expect("an entry").file_name().into_string().expect("a name in UTF-8");
        if !name.ends_with(".rs") {
            continue;
        }
        for text in quoted(&format!("src/telemetry/{name}")) {
            let is_name = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if is_name && (text.starts_with("tollgate_") || text.starts_with("process_")) {
                // The names of counters have a suffix on the page of metrics.
                let listed = page.contains(&format!("`{text}`")) || page.contains(&format!("`{text}_total`"));
                assert!(listed, "{PAGE} does not list {text}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "only {seen} metrics found");
}

/// Returns the names of metrics in a text: `tollgate_…` and `process_…`.
fn metrics_in(text: &str) -> Vec<&str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|word| word.starts_with("tollgate_") || word.starts_with("process_"))
        .collect()
}

#[test]
fn the_dashboard_and_the_alert_rules_ask_for_metrics_that_exist() {
    let page = read(PAGE);
    for file in ["packaging/grafana/tollgate.json", "packaging/prometheus/alerts.yml"] {
        let text = read(file);
        let metrics = metrics_in(&text);
        assert!(metrics.len() > 5, "{file} asks for no metrics");
        for metric in metrics {
            // These are the parts of a histogram.
            let name = metric.strip_suffix("_bucket").unwrap_or(metric);
            assert!(
                page.contains(&format!("`{name}`")),
                "{file} asks for {metric}, which {PAGE} does not list"
            );
        }
    }
    // The dashboard shows every metric of the gateway.
    let dashboard = read("packaging/grafana/tollgate.json");
    let shown = metrics_in(&dashboard);
    let listed = metrics_in(&page);
    for metric in listed.iter().filter(|metric| metric.starts_with("tollgate_")) {
        let there = shown.iter().any(|name| name.strip_suffix("_bucket").unwrap_or(name) == *metric);
        assert!(there, "packaging/grafana/tollgate.json does not show {metric}");
    }
}

#[test]
fn alert_rules_ask_for_reasons_that_exist() {
    let reasons = quoted("src/telemetry/reason.rs");
    let rules = read("packaging/prometheus/alerts.yml");
    let mut seen = 0;
    for part in rules.split("reason").skip(1) {
        let Some(value) = part.strip_prefix("=~\"").or_else(|| part.strip_prefix("=\"")) else { continue };
        for reason in value.split('"').next().unwrap_or_default().split('|') {
            assert!(reasons.iter().any(|known| known == reason), "no reason is called {reason}");
            seen += 1;
        }
    }
    assert!(seen >= 4, "the rules ask for {seen} reasons");
}
