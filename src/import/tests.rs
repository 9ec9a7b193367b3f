mod gateways;
mod openapi;

use std::path::Path;

use super::{Draft, Gateway, compare, gateway, render};
use crate::config::Config;

/// Every text that an import makes must be a valid gateway.toml.
fn valid(draft: &Draft) -> Config {
    let text = render(draft);
    Config::parse(&text, Path::new("gateway.toml"), Path::new("."), &|_| None)
        .unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn findings(draft: &Draft) -> Vec<String> {
    draft
        .findings
        .iter()
        .map(|finding| format!("{}:{} {}", finding.position.line, finding.position.column, finding.text))
        .collect()
}
