//! Access tests: what a configuration must do with requests, and which requests it must never accept.
//!
//! A test of one request calls the gateway's own function, as `explain` does. A test that no request of a
//! pattern is accepted is proved, by a search of all hosts, methods and paths that the routes distinguish.

mod hosts;
mod never;
mod sample;

use self::sample::{Compile, who};
use crate::config::{Config, ConfigError, ConfigErrors, ErrorKind, Expectation, Expected, Position};

/// An access test that the configuration violates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Its position among the access tests.
    pub(crate) index: usize,
    /// The key, and its position.
    pub(crate) key: String,
    pub(crate) position: Position,
    /// The expected and the actual outcome of the request.
    pub(crate) message: String,
}

/// Verifies every access test, and returns those that are violated, in the order of the file.
pub(crate) fn violations(config: &Config, compile: Compile<'_>) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (index, expectation) in config.expectations.iter().enumerate() {
        let (client, found) = (expectation.client.as_deref(), &mut violations);
        let mut add = |key: String, position, message| {
            let key = format!("expect[{index}]{key}");
            found.push(Violation { index, key, position, message });
        };
        match &expectation.expected {
            Expected::Outcome { method, url, outcome } => {
                if let Err(message) = sample::verify(config, client, method, url, *outcome, compile) {
                    add(String::new(), expectation.position, message);
                }
            }
            Expected::Never(patterns) => {
                for (at, pattern) in patterns.iter().enumerate() {
                    if let Err(message) = never::prove(config, client, pattern, compile) {
                        add(format!(".never[{at}]"), pattern.position, message);
                    }
                }
            }
        }
    }
    violations
}

/// Returns the violations as errors of the configuration, or `None` if there are none.
pub(crate) fn as_errors(config: &Config, violations: &[Violation]) -> Option<ConfigErrors> {
    let error = |violation: &Violation| {
        let Violation { key, position, message, .. } = violation;
        let file = config.file_of(*position);
        ConfigError::late(ErrorKind::ExpectationViolated, file, *position, key.clone(), message.clone())
    };
    ConfigErrors::collect(violations.iter().map(error).collect())
}

/// Describes what an access test expects.
pub(crate) fn describe(expectation: &Expectation) -> String {
    let who = who(expectation.client.as_deref());
    match &expectation.expected {
        Expected::Outcome { method, url, outcome } => {
            format!("{method} {url} with {who}: {}", sample::expected(*outcome))
        }
        Expected::Never(patterns) => {
            let patterns: Vec<&str> = patterns.iter().map(|pattern| pattern.text.as_str()).collect();
            format!("never {} with {who}", patterns.join(", "))
        }
    }
}

#[cfg(test)]
mod tests;
