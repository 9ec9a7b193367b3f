//! Prints the URL of the console at the start, and a link or command to create the first user.

use std::io::{self, IsTerminal as _};
use std::net::SocketAddr;
use std::time::SystemTime;

use crate::admin::setup_link::{self, SetupLinks};
use crate::config::Config;

/// The console of a gateway that is starting.
pub(super) struct Console {
    url: String,
    address: SocketAddr,
    first_user: FirstUser,
}

/// How the first user is created.
enum FirstUser {
    /// Users already exist.
    Exists,
    /// The first user is created with this link.
    Link(String),
    /// The first user is created with a link that a command prints.
    Command,
}

impl Console {
    /// Writes the URL to a file for commands, and makes a link for the first user if there is no user. The
    /// link is printed only on a terminal, because other output may be stored and read by others.
    pub(super) fn open(config: &Config, address: SocketAddr) -> Option<Self> {
        let admin = config.admin.as_ref()?;
        let (url, state_dir) = (admin.url(address), &config.server.state_dir);
        if let Err(error) = setup_link::keep_url(state_dir, &url) {
            log::warn!("`tollgate admin link` may not find the console: {}: {error}", state_dir.display());
        }
        let first_user = if !admin.users.is_empty() {
            FirstUser::Exists
        } else if io::stdout().is_terminal() {
            match SetupLinks::of(state_dir).make(SystemTime::now()) {
                Ok(code) => FirstUser::Link(setup_link::url(&url, &code)),
                Err(error) => {
                    log::warn!("no link for the first user of the console can be made: {error}");
                    FirstUser::Command
                }
            }
        } else {
            FirstUser::Command
        };
        Some(Self { url, address, first_user })
    }

    /// Prints the URL, and the link or the command.
    pub(super) fn write_to(&self, out: &mut dyn io::Write) -> io::Result<()> {
        let Self { url, address, first_user } = self;
        match first_user {
            FirstUser::Exists => writeln!(out, "tollgate: console {url}"),
            FirstUser::Command => {
                writeln!(out, "tollgate: console {url}  first user: run `tollgate admin link`")
            }
            FirstUser::Link(link) => {
                writeln!(out, "tollgate: console {url}  first user: {link} (15 min, once)")?;
                let port = address.port();
                let target = if address.ip().is_loopback() { *address } else { return Ok(()) };
                writeln!(out, "          from elsewhere: ssh -L {port}:{target} you@host")
            }
        }
    }
}
