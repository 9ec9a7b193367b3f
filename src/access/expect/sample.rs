//! Evaluates one request.

use http::Method;

use crate::access::explain::{Credential, Explanation, SampleRequest, Target, Verdict, explain};
use crate::config::{Config, ConfigErrors, ExpectedOutcome};
use crate::proxy::rules::Rules;

/// A function that compiles the rules of a configuration.
pub(crate) type Compile<'a> = &'a dyn Fn(&Config) -> Result<Rules, ConfigErrors>;

/// Evaluates a request without a token, or with the best token of a client.
///
/// # Errors
/// The reason why the request cannot be evaluated.
pub(super) fn decide<'c>(
    config: &'c Config,
    client: Option<&str>,
    method: &Method,
    url: &str,
    compile: Compile<'_>,
) -> Result<Explanation<'c>, String> {
    let credential = match client {
        None => Credential::None,
        Some(id) => {
            let scopes = config.client(id).map(|client| client.scopes.clone()).unwrap_or_default();
            Credential::Client { id: id.to_owned(), scopes, audience: None }
        }
    };
    let target = Target::parse(url)?;
    let (method, from, origin, request_method) = (method.clone(), None, None, None);
    let request = SampleRequest { method, target, credential, from, origin, request_method, body: 0 };
    explain(config, &request, compile).map_err(|error| error.to_string())
}

/// Compares the actual outcome of a request with the expected one.
///
/// # Errors
/// The difference.
pub(super) fn verify(
    config: &Config,
    client: Option<&str>,
    method: &Method,
    url: &str,
    outcome: ExpectedOutcome,
    compile: Compile<'_>,
) -> Result<(), String> {
    let explanation = decide(config, client, method, url, compile)?;
    let (is_expected, happens) = match &explanation.verdict {
        Verdict::Passes { upstream, .. } => {
            let shadow =
                if explanation.enforced.is_some() { ", because the route is in shadow mode" } else { "" };
            (outcome == ExpectedOutcome::Pass, format!("it goes to the upstream \"{upstream}\"{shadow}"))
        }
        Verdict::Endpoint(name) => (false, format!("it goes to {name}")),
        Verdict::Preflight { .. } => (false, "it is answered as a preflight".to_owned()),
        Verdict::Refused { status, reason, .. } => {
            let is_expected = outcome == ExpectedOutcome::Status(*status);
            (is_expected, format!("the gateway answers {status}: {reason}"))
        }
    };
    if is_expected {
        return Ok(());
    }
    let by = explanation.route.map_or_else(String::new, |route| {
        format!(" (by the route in {}:{})", config.file_of(route.position).display(), route.position.line)
    });
    Err(format!(
        "expects {} for {method} {url} with {}, but {happens}{by}; `tollgate explain` says more",
        expected(outcome),
        who(client)
    ))
}

/// Describes an outcome.
pub(super) fn expected(outcome: ExpectedOutcome) -> String {
    match outcome {
        ExpectedOutcome::Pass => "\"pass\"".to_owned(),
        ExpectedOutcome::Status(status) => status.to_string(),
    }
}

/// Describes the credential that a request carries.
pub(super) fn who(client: Option<&str>) -> String {
    match client {
        None => "no token".to_owned(),
        Some(id) => format!("a token of \"{id}\""),
    }
}
