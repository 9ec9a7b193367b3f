//! Reads a client's secret from the user who runs the command.

use std::io::{self, BufRead as _, IsTerminal as _, Read, Write as _};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::cli::failure::Failure;
use crate::oauth::secret::Secret;

/// The environment variable that contains the secret. Other users of the machine cannot see it, unlike an
/// argument.
pub(super) const VARIABLE: &str = "TOLLGATE_CLIENT_SECRET";
/// A length that exceeds what the token endpoint accepts.
const LONGEST: u64 = 16 * 1024;

/// Returns the secret from the argument, or else from the environment variable, or else from a line of
/// standard input. On a terminal, it prompts for the secret and disables the echo.
pub(super) fn secret(argument: Option<String>, client: &str) -> Result<Secret, Failure> {
    if let Some(secret) = argument {
        return Ok(Secret::new(secret));
    }
    if let Ok(secret) = std::env::var(VARIABLE) {
        return Ok(Secret::new(secret));
    }
    let secret = line(&format!("Secret of {client:?}"))?;
    if secret.expose().is_empty() {
        return Err(Failure::config(format!(
            "no secret for the client {client:?}: set {VARIABLE}, pipe it in, or give --secret"
        )));
    }
    Ok(secret)
}

/// Returns the new password of a console user from a line of standard input. On a terminal, it prompts twice.
pub(super) fn password(user: &str) -> Result<Secret, Failure> {
    let password = line(&format!("New password of {user:?}"))?;
    if password.expose().is_empty() {
        return Err(Failure::config(format!("no password for the user {user:?}: type it, or pipe it in")));
    }
    if io::stdin().is_terminal() && line("The same again")?.expose() != password.expose() {
        return Err(Failure::config("the two passwords differ: nothing is changed"));
    }
    Ok(password)
}

/// Reads a line of standard input. On a terminal, it prompts and disables the echo.
fn line(prompt: &str) -> Result<Secret, Failure> {
    let stdin = io::stdin();
    let line = if stdin.is_terminal() {
        ask(prompt)
    } else {
        let mut line = String::new();
        stdin.lock().take(LONGEST).read_line(&mut line).map(|_| line)
    };
    let line = line.map_err(|error| Failure::other(format!("cannot read it: {error}")))?;
    Ok(Secret::new(line.trim_end_matches(['\r', '\n'])))
}

/// A terminal without echo. Dropping the value restores the terminal.
struct Quiet(Termios);

impl Quiet {
    fn start() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        // The input is read byte by byte and without signals: Ctrl-C must not end the process with the echo
        // off.
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}

fn ask(prompt: &str) -> io::Result<String> {
    const CTRL_C: u8 = 0x03;
    const CTRL_D: u8 = 0x04;
    const BACKSPACE: [u8; 2] = [0x08, 0x7f];
    let mut terminal = io::stderr();
    write!(terminal, "{prompt} (not shown): ")?;
    terminal.flush()?;
    let quiet = Quiet::start()?;
    let mut line = Vec::new();
    for byte in io::stdin().lock().take(LONGEST).bytes() {
        match byte? {
            b'\r' | b'\n' | CTRL_D => break,
            CTRL_C => return Err(io::ErrorKind::Interrupted.into()),
            byte if BACKSPACE.contains(&byte) => {
                line.pop();
            }
            byte => line.push(byte),
        }
    }
    drop(quiet);
    writeln!(terminal)?;
    String::from_utf8(line).map_err(io::Error::other)
}
