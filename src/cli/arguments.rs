//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cli::{
    admin, bench, change, check, client, diff, explain, health, history, import, keys, registration,
    self_test, token, upgrade,
};

/// OAuth 2.0 client-credentials protection for unmodified HTTP APIs.
#[derive(Parser)]
#[command(name = "tollgate", version, arg_required_else_help = false)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, default_value = "gateway.toml", value_name = "FILE")]
    pub(super) config: PathBuf,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Run the gateway. This is the default command.
    Run,
    /// Check the configuration: report all of its errors at once, and settings that are probably mistakes.
    Check(check::Arguments),
    /// Add, list and change the clients in the configuration.
    #[command(subcommand)]
    Client(client::Command),
    /// Manage the users of the console.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Let programs register clients: make initial access tokens, and list the clients that have registered.
    #[command(subcommand)]
    Registration(registration::Command),
    /// Get a token from a running gateway and print it.
    Token(token::Arguments),
    /// Ask the running gateway whether it accepts requests. The exit code is 1 if it does not.
    Health(health::Arguments),
    /// Replace the running gateway by a new process of the installed program, without losing a connection. If
    /// that fails, the exit code is 1, and the gateway continues to run.
    Upgrade(upgrade::Arguments),
    /// Translate an OpenAPI description, or the configuration of another gateway, into a part of
    /// gateway.toml.
    Import(import::Arguments),
    /// Explain what happens to a request, and why, from the configuration alone.
    Explain(explain::Arguments),
    /// Show which client has access to which route.
    Routes {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Show the callers of routes in shadow mode: which of them would be refused, and which changes let them
    /// pass.
    Shadow {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Compare what two configurations grant. The exit code is 1 if the second one grants more.
    Diff(diff::Arguments),
    /// Prepare changes of the configuration, show what they grant, and commit them.
    #[command(subcommand)]
    Change(change::Command),
    /// Show the versions of the configuration: the author, the time, the reason, and what each version
    /// granted.
    History(history::Arguments),
    /// Confirm a commit, so that it is not rolled back.
    Confirm(history::ConfirmArguments),
    /// Restore a version of the configuration.
    Rollback(history::RollbackArguments),
    /// Measure a gateway of this configuration: the cost of protection, the rate of tokens, and the latency
    /// for clients.
    Bench(bench::Arguments),
    /// Send attacks to the running gateway, based on its own configuration, and report those that pass. The
    /// exit code is 1 if one passes.
    SelfTest(self_test::Arguments),
    /// Print the JSON Schema of gateway.toml, for editors.
    Schema {
        /// Print the configuration reference in Markdown instead.
        #[arg(long)]
        markdown: bool,
    },
    /// Show and replace the keys that sign JWTs for upstreams.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Show the state that survives a restart: its size, its age, and the number of tokens.
    State {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Print a script that completes this command line in a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Write the manual pages into a folder, for packages.
    Man {
        /// The folder.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}
