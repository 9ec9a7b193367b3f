//! `tollgate explain`: what becomes of a request, and why.

mod arguments;
mod credential;
mod report;

use std::path::Path;

use http::{HeaderValue, Method};

pub(super) use self::arguments::Arguments;
use self::arguments::Expected;
use crate::access::explain::{ExplainError, Explanation, Report, SampleRequest, Target, Verdict};
use crate::cli::failure::Failure;
use crate::cli::{output, with_registered};
use crate::config::{Config, parse_size};
use crate::gateway::build;

pub(super) fn explain(path: &Path, arguments: Arguments) -> Result<(), Failure> {
    let config = with_registered::read(path)?;
    let (json, expected) = (arguments.json, arguments.expect);
    let request = request(&config, arguments)?;
    let report = report(&config, &request)?;
    output::print(&if json { report::json(&report) } else { report::text(&report) })?;
    judge(&report.explanation, expected)
}

/// The exit code of a request that is refused.
const REFUSED: u8 = 3;

/// Compares the outcome with the expected one. Without one, a refused request is a failure.
fn judge(explanation: &Explanation<'_>, expected: Option<Expected>) -> Result<(), Failure> {
    let outcome = match &explanation.verdict {
        Verdict::Passes { .. } => Expected::Pass,
        Verdict::Endpoint(_) => Expected::Endpoint,
        Verdict::Preflight { .. } => Expected::Status(204),
        Verdict::Refused { status, .. } => Expected::Status(*status),
    };
    match expected {
        None if explanation.is_refused() => Err(Failure { code: REFUSED, text: String::new() }),
        Some(expected) if expected != outcome => {
            Err(Failure::other(format!("expected {expected}, and the outcome is {outcome}")))
        }
        _ => Ok(()),
    }
}

/// Explains a request.
fn report<'a>(config: &'a Config, request: &'a SampleRequest) -> Result<Report<'a>, Failure> {
    let explanation = crate::access::explain::explain(config, request, |config| build::rules(config, None));
    let explanation = explanation.map_err(|error| match error {
        ExplainError::Rules(errors) => Failure::from(errors),
        ExplainError::Gate(error) => Failure::other(error),
        ExplainError::Token => Failure::other("cannot make the token that the request carries"),
    })?;
    Ok(Report { config, request, explanation })
}

/// Reads the arguments.
fn request(config: &Config, arguments: Arguments) -> Result<SampleRequest, Failure> {
    let target = Target::parse(&arguments.url).map_err(Failure::config)?;
    let method = method(&arguments.method)?;
    let body = match &arguments.body {
        None => 0,
        Some(text) => parse_size(text).map_err(|error| Failure::config(format!("--body: {error}")))?,
    };
    let header = |text: &Option<String>, name: &str| match text.as_deref().map(HeaderValue::from_str) {
        None => Ok(None),
        Some(Ok(value)) => Ok(Some(value)),
        Some(Err(_)) => Err(Failure::config(format!("{name} is not a valid header value"))),
    };
    let origin = header(&arguments.origin, "--origin")?;
    if let Some(text) = &arguments.request_method {
        self::method(text)?;
    }
    let request_method = header(&arguments.request_method, "--request-method")?;
    let from = arguments.from;
    let credential = credential::read(config, arguments)?;
    Ok(SampleRequest { method, target, credential, from, origin, request_method, body })
}

fn method(text: &str) -> Result<Method, Failure> {
    Method::from_bytes(text.as_bytes()).map_err(|_| Failure::config(format!("\"{text}\" is not a method")))
}

#[cfg(test)]
mod tests;
