//! The arguments of the command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cli::{
    admin, bench, change, check, client, diff, explain, health, history, import, registration, self_test,
    token, upgrade,
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
    /// Check the configuration: report every error in it at once, and what is probably not meant.
    Check(check::Arguments),
    /// Add, list and change the clients in the configuration.
    #[command(subcommand)]
    Client(client::Command),
    /// Manage who may use the console.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Let programs register clients: make initial access tokens, and list the clients that have registered.
    #[command(subcommand)]
    Registration(registration::Command),
    /// Get a token from a running gateway and print it.
    Token(token::Arguments),
    /// Ask the running gateway whether it serves. The exit code is 1 if it does not.
    Health(health::Arguments),
    /// Let a new process, of the program as it is now installed, take over from the running gateway without
    /// losing a connection. The exit code is 1 if it does not, and then the gateway serves as before.
    Upgrade(upgrade::Arguments),
    /// Translate an OpenAPI description, or the configuration of another gateway, into a part of
    /// gateway.toml.
    Import(import::Arguments),
    /// Explain what happens to a request, and why, from the configuration alone.
    Explain(explain::Arguments),
    /// Show which client gets through which route.
    Routes {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Show who calls routes in shadow mode, who would be refused, and which changes let everybody pass.
    Shadow {
        /// Print JSON, for scripts.
        #[arg(long)]
        json: bool,
    },
    /// Compare what two configurations grant. The exit code is 1 if the second one grants more.
    Diff(diff::Arguments),
    /// Prepare changes of the configuration, see what they grant, and commit them.
    #[command(subcommand)]
    Change(change::Command),
    /// Show the versions of the configuration: who made them, when, why, and what they granted.
    History(history::Arguments),
    /// Confirm a change that is rolled back otherwise.
    Confirm(history::ConfirmArguments),
    /// Return to a version of the configuration.
    Rollback(history::RollbackArguments),
    /// Measure a gateway of this configuration: the cost of protection, the rate of tokens, and the latency
    /// for clients.
    Bench(bench::Arguments),
    /// Attack the running gateway with its own configuration, and report what passes that must not. The exit
    /// code is 1 if anything does.
    SelfTest(self_test::Arguments),
    /// Print the JSON Schema of gateway.toml, for editors.
    Schema {
        /// Print the configuration reference in Markdown instead.
        #[arg(long)]
        markdown: bool,
    },
    /// Show what is kept over a restart: its size, its age, and how many tokens.
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
