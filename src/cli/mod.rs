//! The command line: one file per command.

mod access;
mod ask_secret;
mod bench;
mod check;
mod client;
mod completions;
mod edit;
mod explain;
mod gateway_url;
mod output;
mod post;
mod reload;
mod routes;
mod run;
mod schema;
mod terms;
mod token;

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::edit::EditError;
use crate::config::Config;
use crate::gate::SecretHash;
use crate::proxy::Rules;
use crate::proxy::build::{self, BuildError};

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
    /// Add, list and change the clients in the configuration.
    #[command(subcommand)]
    Client(client::Command),
    /// Get a token from a running gateway and print it.
    Token(token::Arguments),
    /// Tell what would become of a request, and why, from the configuration alone.
    Explain(explain::Arguments),
    /// Show which client gets through which route.
    Routes {
        /// As JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Measure a gateway of this configuration: what protection costs, how fast tokens are, and how long clients wait.
    Bench(bench::Arguments),
    /// Print the JSON Schema of gateway.toml, for editors.
    Schema {
        /// Print the configuration reference in Markdown instead.
        #[arg(long)]
        markdown: bool,
    },
    /// Print a script that completes this command line in a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command that the process's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let Arguments { config, command } = Arguments::parse();
    let outcome = match command.unwrap_or(Command::Run) {
        Command::Run => run::run(&config),
        Command::Check => check::check(&config),
        Command::Client(command) => client::run(&config, command),
        Command::Token(arguments) => token::token(&config, arguments),
        Command::Explain(arguments) => explain::explain(&config, arguments),
        Command::Routes { json } => routes::routes(&config, json),
        Command::Bench(arguments) => bench::bench(&config, &arguments),
        Command::Schema { markdown } => schema::schema(markdown),
        Command::Completions { shell } => completions::completions(shell),
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

impl From<EditError> for Failure {
    fn from(error: EditError) -> Self {
        if error.is_usage() { Self::config(error) } else { Self::other(error) }
    }
}

impl From<Vec<BuildError>> for Failure {
    fn from(errors: Vec<BuildError>) -> Self {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        Self::config(lines.join("\n"))
    }
}

/// Reads and compiles a configuration whole, as the gateway runs on it; what `before` has counted is counted on.
fn load(path: &Path, before: Option<&Rules>) -> Result<(Config, Rules), Failure> {
    let config = Config::load(path).map_err(Failure::config)?;
    let rules = build::rules(&config, before)?;
    Ok((config, rules))
}

/// Reads a configuration to tell of it, or to change it.
fn read(path: &Path) -> Result<Config, Failure> {
    Config::load_with(path, &environment).map_err(Failure::config)
}

/// The environment of the gateway, as far as it is known here. Secrets are set for the gateway's process, seldom in
/// the shell in which somebody lists clients; those that are missing count as there.
fn environment(name: &str) -> Option<String> {
    Some(std::env::var(name).unwrap_or_else(|_| SOME_SECRET.to_owned()))
}

/// Fit for every place where a secret may stand: the hash of nothing, a header value, a password.
const SOME_SECRET: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Whether a hash is the one that stands for those of the gateway's environment.
fn is_unknown(hash: &SecretHash) -> bool {
    hash.to_phc() == SOME_SECRET
}
