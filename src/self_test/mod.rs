//! `tollgate self-test`: attacks a running gateway, based on its own configuration, and reports requests that
//! are accepted although `explain` says that they must be refused.
//!
//! [`plan`] derives the requests from the configuration, [`wire`] sends them as raw bytes, [`judge`] compares
//! each answer with what `access::explain` says. The requests are bounded in number, and none of them has an
//! effect if the gateway keeps what the configuration says.

mod attack;
mod error;
mod framing;
mod identity;
mod judge;
mod plan;
mod report;
mod request;
mod settings;
mod spelling;
mod tokens;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use self::error::SelfTestError;
pub(crate) use self::report::Report;
pub(crate) use self::settings::{Settings, Tester};
use self::wire::Gateway;
use crate::config::Config;
use crate::http_client::Trust;

/// Attacks the gateway.
///
/// # Errors
/// Fails if the gateway cannot be reached or issues no token to the tester, or if there are too many
/// requests.
pub(crate) fn run(config: &Config, settings: &Settings, trust: &Trust) -> Result<Report, SelfTestError> {
    let gateway = Gateway::find(&settings.origin, settings.remote, trust, settings.timeout)?;
    let tokens = tokens::fetch(config, settings, trust)?;
    let suites = plan::suites(config, settings, &tokens)?;
    let requests: usize = suites.iter().map(|suite| suite.cases.len()).sum();
    if requests > settings.max_requests {
        return Err(SelfTestError::Usage(format!(
            "the test would send {requests} requests, and --max-requests is {}",
            settings.max_requests
        )));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| SelfTestError::Failed(format!("cannot do network input and output: {error}")))?;
    let judged = runtime.block_on(judge::suites(&gateway, suites, settings.foreign_refusals))?;
    Ok(Report { origin: settings.origin.to_string(), requests, suites: judged })
}
