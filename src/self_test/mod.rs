//! `tollgate self-test`: attacks a running gateway, based on its own configuration, and reports requests that
//! are accepted although `explain` says that they must be refused.
//!
//! [`plan`] derives the requests from the configuration, [`wire`] sends them as raw bytes, and [`judge`]
//! compares each answer with what `access::explain` says. HTTP/2 has its requests and its frames in
//! [`http2`]. The requests are bounded in number, and none of them has an effect if the gateway keeps what the
//! configuration says.

mod answer;
mod attack;
mod credentials;
mod encode;
mod error;
mod explained;
mod framing;
mod http1;
mod http2;
mod identity;
mod judge;
mod message;
mod plan;
mod report;
mod sample;
mod settings;
mod spelling;
mod stream;
mod tokens;
mod wire;

#[cfg(test)]
mod tests;

use tokio::runtime::Builder;

pub(crate) use self::error::SelfTestError;
pub(crate) use self::message::Protocol;
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
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| SelfTestError::Failed(format!("cannot do network input and output: {error}")))?;
    let mut protocols = runtime.block_on(gateway.protocols())?;
    let spoken = protocols.clone();
    if let Some(only) = settings.protocol {
        protocols.retain(|protocol| *protocol == only);
        if protocols.is_empty() {
            let origin = &settings.origin;
            return Err(SelfTestError::Usage(format!("{origin} does not speak {}", only.name())));
        }
    }
    let connection = tokens::Connection { gateway: &gateway, runtime: &runtime, protocols: &spoken };
    let tokens = tokens::fetch(config, settings, trust, &connection)?;
    let suites = plan::suites(config, settings, &tokens, &protocols)?;
    let requests: usize = suites.iter().map(|suite| suite.cases.len()).sum();
    if requests > settings.max_requests {
        return Err(SelfTestError::Usage(format!(
            "the test would send {requests} requests, and --max-requests is {}",
            settings.max_requests
        )));
    }
    let judged = runtime.block_on(judge::suites(&gateway, suites, settings.foreign_refusals))?;
    Ok(Report { origin: settings.origin.to_string(), protocols, requests, suites: judged })
}
