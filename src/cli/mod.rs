//! The command line: one file per command.

mod admin;
mod arguments;
mod ask_secret;
mod bench;
mod change;
mod check;
mod client;
mod completed_names;
mod completions;
mod diff;
mod explain;
mod failure;
mod health;
mod history;
mod import;
mod keys;
mod man;
mod output;
mod registration;
mod route_json;
mod routes;
mod schema;
mod self_test;
mod shadow;
mod state;
mod token;
mod upgrade;
mod with_registered;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser as _;

use self::arguments::{Arguments, Command};
use self::failure::Failure;
use crate::gateway::start;

/// Runs the command that the process's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    completions::answer_shell();
    let Arguments { config, command } = Arguments::parse();
    let outcome = match command.unwrap_or(Command::Run) {
        Command::Run => start::run(&config).map_err(Failure::from),
        Command::Check(arguments) => check::check(&config, &arguments),
        Command::Client(command) => client::run(&config, command),
        Command::Admin(command) => admin::run(&config, &command),
        Command::Registration(command) => registration::run(&config, &command),
        Command::Token(arguments) => token::token(&config, arguments),
        Command::Health(arguments) => health::health(&config, &arguments),
        Command::Upgrade(arguments) => upgrade::upgrade(&config, &arguments),
        Command::Import(arguments) => import::import(&config, &arguments),
        Command::Keys(command) => keys::run(&config, &command),
        Command::Explain(arguments) => explain::explain(&config, arguments),
        Command::Routes { json } => routes::routes(&config, json),
        Command::Shadow { json } => shadow::shadow(&config, json),
        Command::Diff(arguments) => diff::diff(&config, &arguments),
        Command::Change(command) => change::run(&config, command),
        Command::History(arguments) => history::history(&config, &arguments),
        Command::Confirm(arguments) => history::confirm(&config, &arguments),
        Command::Rollback(arguments) => history::rollback(&config, &arguments),
        Command::SelfTest(arguments) => self_test::self_test(&config, arguments),
        Command::Bench(arguments) => bench::bench(&config, &arguments),
        Command::Schema { markdown } => schema::schema(markdown),
        Command::State { json } => state::state(&config, json),
        Command::Completions { shell } => completions::completions(shell),
        Command::Man { folder } => man::man(&folder),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            if !text.is_empty() {
                let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
            }
            ExitCode::from(code)
        }
    }
}
