//! `tollgate explain`: what would become of a request, and why.

mod asking;
mod holder;
mod judge;
mod report;
mod target;

use std::net::IpAddr;
use std::path::Path;

use self::asking::Asking;
use self::judge::judge;
use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The request's method.
    method: String,
    /// The request's URL, or its path.
    url: String,
    /// Judge for this client, with all its scopes (or those of --scope). With --token: who asks about the token.
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Judge for this token; a running gateway is asked about it by introspection, as --client.
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["scopes", "audience"])]
    token: Option<String>,
    /// Judge for a token with this scope; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<String>,
    /// Judge for a token for this resource (RFC 8707). Left out: with --client, for the one that the route needs if the
    /// client may ask for it; otherwise for none.
    #[arg(long, value_name = "URI")]
    audience: Option<String>,
    /// The address that the request comes from. Left out: address lists are shown, not weighed.
    #[arg(long, value_name = "ADDRESS")]
    from: Option<IpAddr>,
    /// The page that makes the request, as in https://app.example.com.
    #[arg(long, value_name = "ORIGIN")]
    origin: Option<String>,
    /// For OPTIONS with --origin: the method that the preflight is for.
    #[arg(long, value_name = "METHOD", requires = "origin")]
    request_method: Option<String>,
    /// How large the request's body is, as in 12KiB.
    #[arg(long, value_name = "SIZE")]
    body: Option<String>,
    /// The secret of the client that asks about the token; rather set TOLLGATE_CLIENT_SECRET, or pipe it in.
    #[arg(long, value_name = "SECRET", requires = "token", allow_hyphen_values = true)]
    secret: Option<String>,
    /// Where to ask about the token; left out: the configuration's first listener.
    #[arg(long = "gateway", value_name = "URL", requires = "token")]
    gateway: Option<String>,
    /// Do not check the gateway's certificate.
    #[arg(short = 'k', long, requires = "token")]
    insecure: bool,
    /// As JSON, for scripts.
    #[arg(long)]
    json: bool,
}

/// What would become of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// It goes upstream, with this path.
    Passes { upstream: String, path: String },
    /// The gateway answers it itself.
    Endpoint(&'static str),
    /// The gateway answers it itself: a browser's question, and whether the page may go on.
    Preflight { allowed: bool },
    /// The gateway refuses it.
    Refused { status: u16, error: Option<&'static str>, reason: String },
}

impl Verdict {
    fn refused(status: u16, reason: impl Into<String>) -> Self {
        Self::Refused { status, error: None, reason: reason.into() }
    }

    fn oauth(status: u16, error: &'static str, reason: impl Into<String>) -> Self {
        Self::Refused { status, error: Some(error), reason: reason.into() }
    }
}

pub(super) fn explain(path: &Path, arguments: Arguments) -> Result<(), Failure> {
    let config = read_config(path)?;
    let json = arguments.json;
    let asking = Asking::read(&config, arguments)?;
    let report = judge(&config, &asking)?;
    output::print(&if json { report.json() } else { report.text() })
}

#[cfg(test)]
mod tests;
