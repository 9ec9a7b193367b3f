//! The result of compiling a file, and the errors of a bad one.

mod good;
mod include;
mod rules;
mod secrets;
mod syntax;
mod variables;

use std::path::Path;

use super::{Config, ConfigError, ConfigErrors};

/// The hash of `Password1` at the lowest cost, so that no test is slow.
const HASH: &str =
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    parse_in(text, Path::new("."))
}

fn parse_in(text: &str, folder: &Path) -> Result<Config, ConfigErrors> {
    let env = |name: &str| (name == "LEGACY_KEY").then(|| "from-the-environment".to_owned());
    Config::parse(&text.replace("HASH", HASH), Path::new("gateway.toml"), folder, &env)
}

#[track_caller]
fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// Returns the only error of a text.
#[track_caller]
fn only_error(text: &str) -> ConfigError {
    match parse(text) {
        Ok(_) => panic!("compiles, and should not:\n{text}"),
        Err(errors) if errors.len() == 1 => errors.iter().next().unwrap().clone(),
        Err(errors) => panic!("one error was wanted for\n{text}\nand there are:\n{errors}"),
    }
}
