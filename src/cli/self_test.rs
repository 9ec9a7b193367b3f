//! `tollgate self-test`: attacks a running gateway with its own configuration.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap_complete::engine::ArgValueCompleter;

use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::{ask_secret, completed_names, output};
use crate::config::{Config, Origin, parse_duration};
use crate::gateway_client::{gateway_trust, local_origin, sole_client};
use crate::self_test::{self, Protocol, SelfTestError, Settings, Tester};

/// The name of a protocol.
#[derive(Clone, Copy, clap::ValueEnum)]
enum ProtocolName {
    Http1,
    Http2,
}

impl From<ProtocolName> for Protocol {
    fn from(name: ProtocolName) -> Self {
        match name {
            ProtocolName::Http1 => Self::Http1,
            ProtocolName::Http2 => Self::Http2,
        }
    }
}

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The gateway's origin, such as https://localhost:8443. Default: the configuration's first listener.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The client whose tokens are used. Needed unless only one client can get tokens with a secret. Its
    /// secret is TOLLGATE_CLIENT_SECRET, or is read from standard input.
    #[arg(long, value_name = "ID", add = ArgValueCompleter::new(completed_names::clients), conflicts_with = "no_client")]
    client: Option<String>,
    /// The only protocol of the attacks. Default: each that the gateway speaks at this origin.
    #[arg(long, value_name = "PROTOCOL")]
    protocol: Option<ProtocolName>,
    /// Use no client: only attacks without a valid token are made.
    #[arg(long)]
    no_client: bool,
    /// Attack a gateway on another machine.
    #[arg(long)]
    remote: bool,
    /// Attack routes that have no method without an effect, and use such methods. If the gateway does not
    /// keep its configuration, its API carries the requests out.
    #[arg(long)]
    unsafe_methods: bool,
    /// How long to wait for a token to expire, such as 60s.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    wait_for_expiry: Duration,
    /// The largest number of requests.
    #[arg(long, value_name = "NUMBER", default_value_t = 50_000)]
    max_requests: usize,
    /// How long the gateway may take for one answer, such as 5s.
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = duration)]
    timeout: Duration,
    /// A proxy in front of the gateway refuses some requests itself: count its refusals.
    #[arg(long)]
    foreign_refusals: bool,
    /// Do not verify the gateway's certificate.
    #[arg(short = 'k', long)]
    insecure: bool,
    /// Print JSON, for scripts.
    #[arg(long)]
    json: bool,
    /// Write the result as JUnit XML into a file, for CI servers.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

/// Prints what passed that must not. The exit code is 1 if anything did.
pub(super) fn self_test(path: &Path, arguments: Arguments) -> Result<(), Failure> {
    let config = read_config(path)?;
    let settings = Settings {
        origin: origin(&config, arguments.url.as_deref())?,
        remote: arguments.remote,
        protocol: arguments.protocol.map(Protocol::from),
        tester: tester(&config, arguments.client, arguments.no_client)?,
        unsafe_methods: arguments.unsafe_methods,
        wait_for_expiry: arguments.wait_for_expiry,
        max_requests: arguments.max_requests,
        timeout: arguments.timeout,
        foreign_refusals: arguments.foreign_refusals,
    };
    let report = self_test::run(&config, &settings, &gateway_trust(Some(&config), arguments.insecure))
        .map_err(|error| match error {
            SelfTestError::Usage(text) => Failure::config(text),
            SelfTestError::Failed(text) => Failure::other(text),
        })?;
    if let Some(file) = &arguments.junit {
        fs::write(file, report.junit())
            .map_err(|error| Failure::other(format!("cannot write {}: {error}", file.display())))?;
    }
    output::print(&if arguments.json {
        output::json(&report.json())
    } else {
        format!("{}\n{}", output::columns(&report.rows()), report.details())
    })?;
    if report.passed() + report.differing() == 0 {
        Ok(())
    } else {
        Err(Failure { code: 1, text: String::new() })
    }
}

fn origin(config: &Config, url: Option<&str>) -> Result<Origin, Failure> {
    let url = match url {
        Some(url) => url.to_owned(),
        None => local_origin(config).ok_or_else(|| {
            Failure::config(
                "the configuration has no listener with a port of its own: name the gateway with --url",
            )
        })?,
    };
    match Origin::parse_with_rest(&url) {
        Ok((origin, "" | "/")) => Ok(origin),
        _ => Err(Failure::config(format!("--url {url} is not an origin such as https://localhost:8443"))),
    }
}

fn tester(config: &Config, client: Option<String>, no_client: bool) -> Result<Option<Tester>, Failure> {
    if no_client {
        return Ok(None);
    }
    let client = match client {
        Some(client) => client,
        None => sole_client(Some(config))
            .map_err(|error| Failure::config(format!("{error}, or use --no-client")))?,
    };
    let secret = ask_secret::secret(None, &client)?;
    Ok(Some(Tester { client, secret }))
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| error.to_string())
}
