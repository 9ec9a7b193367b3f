//! `tollgate health`: asks a running gateway whether it serves.

use std::path::Path;
use std::time::Duration;

use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::Origin;
use crate::gateway_client::{gateway_trust, get, local_origin};
use crate::oauth::endpoints::metadata::AUTHORIZATION_SERVER;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The gateway's origin, such as https://localhost:8443. Default: the configuration's first listener.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// How many seconds the gateway has to answer.
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60))]
    timeout: u64,
}

/// Prints one line if the gateway serves.
///
/// The certificate is not verified: no secret is sent, and the certificate of a listener rarely has the name
/// by which its own machine reaches it.
pub(super) fn health(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    let origin = match &arguments.url {
        Some(url) => match Origin::parse_with_rest(url) {
            Ok((origin, "" | "/")) => origin.to_string(),
            _ => {
                return Err(Failure::config(format!(
                    "--url {url} is not an origin such as https://localhost:8443"
                )));
            }
        },
        None => local_origin(&read_config(path)?).ok_or_else(|| {
            Failure::config(
                "the configuration has no listener with a port of its own: name the gateway with --url",
            )
        })?,
    };
    // The metadata are public, and the gateway answers them from memory.
    get(
        &format!("{origin}{AUTHORIZATION_SERVER}"),
        &gateway_trust(None, true),
        Duration::from_secs(arguments.timeout),
    )?;
    output::print(&format!("{origin} serves\n"))
}
