//! `tollgate self-test`: attacks a running gateway, based on its own configuration, and reports requests that
//! are accepted although `explain` says that they must be refused.
//!
//! [`plan`] derives the requests from the configuration, [`attacker`] sends them while their tokens are valid,
//! [`wire`] writes their raw bytes, and [`judge`] compares each answer with what `access::explain` says. HTTP/2
//! has its requests and its frames in [`http2`]. The requests are bounded in number, and none of them has an
//! effect if the gateway keeps what the configuration says.

mod answer;
mod attack;
mod attacker;
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

use self::attacker::Attacker;
pub(crate) use self::error::SelfTestError;
pub(crate) use self::message::Protocol;
use self::plan::Planner;
pub(crate) use self::report::Report;
pub(crate) use self::settings::{Settings, Tester};
use self::tokens::Source;
use self::wire::Gateway;
use crate::config::Config;
use crate::http_client::Trust;
use crate::tasks;

/// Attacks the gateway.
///
/// # Errors
/// Fails if the gateway cannot be reached or issues no token to the tester, or if there are too many
/// requests.
pub(crate) fn run(config: &Config, settings: &Settings, trust: &Trust) -> Result<Report, SelfTestError> {
    let gateway = Gateway::find(&settings.origin, settings.remote, trust, settings.timeout)?;
    let runtime = tasks::runtime()
        .map_err(|error| SelfTestError::Failed(format!("cannot do network input and output: {error}")))?;
    let mut protocols = tasks::block_on(&runtime, gateway.protocols())?;
    let spoken = protocols.clone();
    if let Some(only) = settings.protocol {
        protocols.retain(|protocol| *protocol == only);
        if protocols.is_empty() {
            let origin = &settings.origin;
            return Err(SelfTestError::Usage(format!("{origin} does not speak {}", only.name())));
        }
    }
    let connection = tokens::Connection { gateway: &gateway, runtime: &runtime, protocols: &spoken };
    let source = match &settings.tester {
        None => None,
        Some(tester) => {
            let client = tokens::client(config, tester)?;
            Some(Source { config, settings, trust, connection: &connection, tester, client })
        }
    };
    let tokens = source.as_ref().map(Source::fetch).transpose()?.unwrap_or_default();
    let client = source.as_ref().map(|source| source.client);
    let planner = Planner::new(config, settings, client, &protocols)?;
    let targets = planner.targets();
    let suites: Vec<_> =
        targets.iter().map(|target| planner.suite(*target, &tokens)).collect::<Result<_, _>>()?;
    let requests: usize = suites.iter().map(|suite| suite.cases.len()).sum();
    if requests > settings.max_requests {
        return Err(SelfTestError::Usage(format!(
            "the test would send {requests} requests, and --max-requests is {}",
            settings.max_requests
        )));
    }
    let mut attacker =
        Attacker::new(&planner, &connection, source.as_ref(), tokens, settings.foreign_refusals);
    let attacks = targets.into_iter().zip(suites);
    let suites =
        attacks.map(|(target, planned)| attacker.attack(target, planned)).collect::<Result<_, _>>()?;
    Ok(Report { origin: settings.origin.to_string(), protocols, requests, suites })
}
