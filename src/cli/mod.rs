//! The command line: one file per command.

mod check;
mod reload;
mod run;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::Config;
use crate::proxy::{Rules, build};

/// Exit code for usage and configuration errors.
const USAGE: u8 = 2;

/// OAuth 2.0 client-credentials protection for HTTP APIs you may not touch.
#[derive(Parser)]
#[command(name = "tollgate", version, arg_required_else_help = false)]
struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, default_value = "gateway.toml", value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway (what happens without a command, too).
    Run,
    /// Check the configuration and report every error in it at once.
    Check,
}

/// Runs the command that the process's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let outcome = match command.unwrap_or(Command::Run) {
        Command::Run => run::run(&config),
        Command::Check => check::check(&config),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure { code, text }) => {
            let _ = writeln!(io::stderr().lock(), "{}", text.trim_end());
            ExitCode::from(code)
        }
    }
}

/// Why a command failed: what to print, and what to exit with.
struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    fn config(text: impl ToString) -> Self {
        Self { code: USAGE, text: text.to_string() }
    }

    fn other(text: impl ToString) -> Self {
        Self { code: 1, text: text.to_string() }
    }
}

/// Reads and compiles a configuration whole; what `before` has counted is counted on.
fn load(path: &Path, before: Option<&Rules>) -> Result<(Config, Rules), Failure> {
    let config = Config::load(path).map_err(Failure::config)?;
    let rules = build::rules(&config, before).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Failure::config(lines.join("\n"))
    })?;
    Ok((config, rules))
}
