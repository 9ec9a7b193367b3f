//! `tollgate bench`: measures a running gateway, or a temporary one.

mod arguments;
mod files;

use std::path::Path;

pub(super) use self::arguments::Arguments;
use self::files::Files;
use crate::bench::error::BenchError;
use crate::bench::gateway::Gateway;
use crate::bench::{report, run, temporary, tokens};
use crate::cli::failure::Failure;
use crate::cli::{ask_secret, output};

pub(super) fn bench(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.as_gateway {
        return Ok(temporary::serve(path)?);
    }
    let plan = arguments.plan()?;
    let files = Files::of(arguments)?;
    let ask = |client: &str| {
        ask_secret::secret(arguments.secret(), client).map_err(|Failure { code, text }| match code {
            Failure::USAGE => BenchError::Usage(text),
            _ => BenchError::Failed(text),
        })
    };
    let gateway = Gateway::find(path, &plan, ask)?;
    let heading = gateway.heading(&plan);
    if !files.json_is_output() {
        output::print(&format!("{heading}\n"))?;
    }
    let (outcome, tokens) = run::run(&gateway, &plan)?;
    files.write(&outcome)?;
    if !files.json_is_output() {
        output::print(&format!("\n{}", report::table(&outcome)))?;
    }
    files.report();
    if gateway.temporary.is_none() {
        tokens::revoke(&gateway, &tokens);
    }
    if outcome.interrupted {
        return Err(Failure::other("interrupted"));
    }
    let dead = outcome.measured.iter().find(|measured| measured.total().latency.count() == 0);
    match dead {
        None => Ok(()),
        Some(measured) => Err(Failure::other(format!(
            "{}: not one request had the expected response",
            measured.kind.title()
        ))),
    }
}
