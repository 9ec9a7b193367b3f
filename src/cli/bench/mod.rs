//! `tollgate bench`: measures a gateway, a running one or one of its own.

mod arguments;
mod files;
mod gateway;
mod own;
mod progress;
mod routes;
mod run;
mod tokens;

use std::path::Path;

pub(super) use self::arguments::Arguments;
use self::arguments::Plan;
use self::files::Files;
use self::gateway::Gateway;
use super::{Failure, output};
use crate::bench::report;

pub(super) fn bench(path: &Path, arguments: &Arguments) -> Result<(), Failure> {
    if arguments.as_gateway {
        return own::serve(path);
    }
    let plan = Plan::of(arguments)?;
    let files = Files::of(arguments)?;
    let gateway = Gateway::find(path, &plan)?;
    let heading = gateway.heading(&plan);
    if !files.json_is_output() {
        output::print(&format!("{heading}\n"))?;
    }
    let (outcome, tokens) = run::run(&gateway, &plan)?;
    files.write(&outcome)?;
    if !files.json_is_output() {
        output::print(&format!("\n{}", report::table(&outcome)))?;
    }
    files.tell();
    if gateway.own.is_none() {
        tokens::revoke(&gateway, &tokens);
    }
    if outcome.interrupted {
        return Err(Failure::other("interrupted"));
    }
    let dead = outcome.measured.iter().find(|measured| measured.total().latency.count() == 0);
    match dead {
        None => Ok(()),
        Some(measured) => Err(Failure::other(format!(
            "{}: not one request was answered as it should be",
            measured.kind.title()
        ))),
    }
}
