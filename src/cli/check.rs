//! `tollgate check`.

use std::path::Path;

use serde_json::{Value, json};

use crate::access::expect::{self, Violation};
use crate::access::lint::lint;
use crate::cli::failure::Failure;
use crate::cli::output::{json as pretty, note, print};
use crate::config::{Config, ConfigError, ConfigErrors, ConfigWarning, Expectation, Lint, Position};
use crate::gateway::load;

/// The arguments of `tollgate check`.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Fail with exit code 2 if there is a warning.
    #[arg(long)]
    strict: bool,
    /// Leave out the warnings of this name, such as `unused-scope`. May be repeated.
    #[arg(long, value_name = "NAME", value_parser = lint_name)]
    allow: Vec<Lint>,
    /// Print errors and warnings as JSON, for scripts.
    #[arg(long)]
    json: bool,
}

fn lint_name(text: &str) -> Result<Lint, String> {
    Lint::ALL.into_iter().find(|lint| lint.name() == text).ok_or_else(|| {
        let names: Vec<&str> = Lint::ALL.into_iter().map(Lint::name).collect();
        format!("must be one of {}", names.join(", "))
    })
}

/// Reports every error and every warning of a configuration, or what it would make.
pub(super) fn check(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let mut expectations = Vec::new();
    let outcome = load::compile(path, None).and_then(|(config, _)| {
        let violations = load::violations(&config);
        expectations =
            config.expectations.iter().enumerate().map(of_expectation(&config, &violations)).collect();
        match expect::as_errors(&config, &violations) {
            None => Ok(config),
            Some(errors) => Err(errors),
        }
    });
    let warnings = outcome.as_ref().map(lint).unwrap_or_default();
    let warnings: Vec<_> =
        warnings.into_iter().filter(|warning| !arguments.allow.contains(&warning.lint)).collect();
    let too_many = arguments.strict && !warnings.is_empty();
    if arguments.json {
        print(&pretty(&report(path, &outcome, &warnings, &expectations)))?;
        let good = outcome.is_ok() && !too_many;
        return if good { Ok(()) } else { Err(Failure { code: Failure::USAGE, text: String::new() }) };
    }
    let config = outcome?;
    for warning in &warnings {
        note(&warning.to_string());
    }
    let tests = match config.expectations.len() {
        0 => String::new(),
        number => format!(", {}", count(number, "access test", "access tests")),
    };
    let found = match warnings.len() {
        0 => String::new(),
        number => format!(", {}", count(number, "warning", "warnings")),
    };
    if too_many {
        let number = count(warnings.len(), "warning", "warnings");
        return Err(Failure::config(format!("{number}, and --strict accepts none")));
    }
    print(&format!(
        "{}: good ({} listening, {}, {}, {}{tests}{found})\n",
        path.display(),
        count(config.server.listen.len(), "address", "addresses"),
        count(config.clients.len(), "client", "clients"),
        count(config.upstreams.len(), "upstream", "upstreams"),
        count(config.routes.len(), "route", "routes"),
    ))
}

fn report(
    path: &Path,
    outcome: &Result<Config, ConfigErrors>,
    warnings: &[ConfigWarning],
    expectations: &[Value],
) -> Value {
    let errors = match outcome {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(error_json).collect(),
    };
    let warnings: Vec<Value> = warnings.iter().map(warning_json).collect();
    json!({
        "file": path.display().to_string(),
        "good": outcome.is_ok(),
        "errors": errors,
        "warnings": warnings,
        "expectations": expectations,
    })
}

/// Returns a function that describes one access test.
fn of_expectation<'a>(
    config: &'a Config,
    violations: &'a [Violation],
) -> impl Fn((usize, &Expectation)) -> Value + 'a {
    move |(index, expectation)| {
        let violated = violations.iter().filter(|violation| violation.index == index);
        let messages: Vec<&str> = violated.map(|violation| violation.message.as_str()).collect();
        let position = expectation.position;
        json!({
            "file": config.file_of(position).display().to_string(),
            "line": position.line,
            "client": expectation.client,
            "expected": expect::describe(expectation),
            "holds": messages.is_empty(),
            "violations": messages,
        })
    }
}

fn error_json(error: &ConfigError) -> Value {
    let ConfigError { kind, file, position, key, value, message } = error;
    finding_json("kind", kind.name(), (file, *position), key, value.as_deref(), message)
}

fn warning_json(warning: &ConfigWarning) -> Value {
    let ConfigWarning { lint, file, position, key, value, message } = warning;
    finding_json("lint", lint.name(), (file, *position), key, value.as_deref(), message)
}

/// Describes an error or a warning. `class` is the name of the member with its kind.
fn finding_json(
    class: &str,
    kind: &str,
    (file, position): (&Path, Option<Position>),
    key: &str,
    value: Option<&str>,
    message: &str,
) -> Value {
    json!({
        class: kind,
        "file": file.display().to_string(),
        "line": position.map(|position| position.line),
        "column": position.map(|position| position.column),
        "key": key,
        "value": value,
        "message": message,
    })
}
fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
