//! `tollgate completions`.
//!
//! The script that a shell loads calls the program again for each completion, with [`VARIABLE`] set. The
//! names therefore always come from the current file.

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_complete::env::{CompleteEnv, Shells};

use crate::cli::arguments::Arguments;
use crate::cli::failure::Failure;
use crate::cli::output;

/// The environment variable by which the shell asks for completions. It has a name of its own, so that no
/// variable of another program keeps the gateway from starting.
const VARIABLE: &str = "TOLLGATE_COMPLETE";

/// The end of the library's script for zsh.
const ZSH_REGISTRATION: &str = "compdef _clap_dynamic_completer_tollgate tollgate";

/// The end of our script for zsh. A file `_tollgate` in a folder of completions is the body of the function that
/// zsh calls at the first completion. With a registration alone, the first Tab key has no effect.
const ZSH_REGISTRATION_OR_CALL: &str = r#"if [ "$funcstack[1]" = _tollgate ]; then
    _clap_dynamic_completer_tollgate "$@"
else
    compdef _clap_dynamic_completer_tollgate tollgate
fi"#;

/// Answers a shell that asks for completions, and ends the process then.
pub(super) fn answer_shell() {
    CompleteEnv::with_factory(Arguments::command).var(VARIABLE).complete();
}

/// Prints the script that a shell loads.
pub(super) fn completions(shell: Shell) -> Result<(), Failure> {
    let name = shell.to_string();
    let shells = Shells::builtins();
    let Some(writer) = shells.completer(&name) else {
        return Err(Failure::config(format!("there are no completions for {name}")));
    };
    let mut script = Vec::new();
    writer
        .write_registration(VARIABLE, "tollgate", "tollgate", "tollgate", &mut script)
        .map_err(|error| Failure::other(format!("cannot write the script: {error}")))?;
    let script = String::from_utf8_lossy(&script);
    match shell {
        Shell::Zsh => output::print(&script.replace(ZSH_REGISTRATION, ZSH_REGISTRATION_OR_CALL)),
        _ => output::print(&script),
    }
}
