//! docs/observability.md names every metric and every reason that the program knows.

use super::document::{path, read};

const PAGE: &str = "docs/observability.md";

/// The texts in quotes in a file of Rust.
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
                // Counters have a suffix on the page of metrics.
                let listed = page.contains(&format!("`{text}`")) || page.contains(&format!("`{text}_total`"));
                assert!(listed, "{PAGE} does not list {text}");
                seen += 1;
            }
        }
    }
    assert!(seen > 20, "only {seen} metrics found");
}
