//! The arguments of `tollgate explain`.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use clap_complete::engine::ArgValueCompleter;

use crate::cli::completed_names::{clients, scopes};

/// The outcome that a test expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// The request goes upstream.
    Pass,
    /// An endpoint of the gateway answers.
    Endpoint,
    /// The gateway answers with this status.
    Status(u16),
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "pass" => Ok(Self::Pass),
            "endpoint" => Ok(Self::Endpoint),
            _ => match text.parse() {
                Ok(status @ 100..=599) => Ok(Self::Status(status)),
                _ => Err("must be pass, endpoint, or a status such as 401".to_owned()),
            },
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Endpoint => f.write_str("endpoint"),
            Self::Status(status) => status.fmt(f),
        }
    }
}

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The method of the request.
    pub(super) method: String,
    /// The URL of the request, or its path.
    pub(super) url: String,
    /// The client that makes the request, with all its scopes (or those of --scope). With --token: the client
    /// that asks the gateway about the token.
    #[arg(long, value_name = "NAME", add = ArgValueCompleter::new(clients))]
    pub(super) client: Option<String>,
    /// The token of the request. A running gateway is asked about it by introspection, as --client.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["scopes", "audience"])]
    pub(super) token: Option<String>,
    /// A scope that the token has; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE", add = ArgValueCompleter::new(scopes))]
    pub(super) scopes: Vec<String>,
    /// The resource that the token is for (RFC 8707). Default: with --client, the one that the route needs if
    /// the client may ask for it; otherwise none.
    #[arg(long, value_name = "URI")]
    pub(super) audience: Option<String>,
    /// The address that the request comes from. Default: address lists are shown but not applied.
    #[arg(long, value_name = "ADDRESS")]
    pub(super) from: Option<IpAddr>,
    /// The page that makes the request, as in https://app.example.com.
    #[arg(long, value_name = "ORIGIN")]
    pub(super) origin: Option<String>,
    /// For OPTIONS with --origin: the method that the preflight asks for.
    #[arg(long, value_name = "METHOD", requires = "origin")]
    pub(super) request_method: Option<String>,
    /// The size of the request's body, as in 12KiB.
    #[arg(long, value_name = "SIZE")]
    pub(super) body: Option<String>,
    /// The secret of the client that asks about the token. Better: set TOLLGATE_CLIENT_SECRET, or pipe the
    /// secret in.
    #[arg(long, value_name = "SECRET", requires = "token", allow_hyphen_values = true)]
    pub(super) secret: Option<String>,
    /// The gateway to ask about the token. Default: the configuration's first listener.
    #[arg(long = "gateway", value_name = "URL", requires = "token")]
    pub(super) gateway: Option<String>,
    /// Do not verify the gateway's certificate.
    #[arg(short = 'k', long, requires = "token")]
    pub(super) insecure: bool,
    /// The expected outcome, for tests: `pass`, `endpoint`, or the status of the refusal, as in 401. The exit
    /// code is 0 if it is the outcome, and 1 if not.
    #[arg(long, value_name = "OUTCOME")]
    pub(super) expect: Option<Expected>,
    /// Print JSON, for scripts.
    #[arg(long)]
    pub(super) json: bool,
}
