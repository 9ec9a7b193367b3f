//! `tollgate admin link`.

use std::path::Path;
use std::time::SystemTime;

use crate::admin::setup_link::{self, SetupLinks};
use crate::change::environment::read_config;
use crate::cli::failure::Failure;
use crate::cli::output;

pub(super) fn link(path: &Path) -> Result<(), Failure> {
    let config = read_config(path)?;
    let Some(admin) = &config.admin else {
        return Err(Failure::config(format!(
            "{} has no [admin]: add it with `listen = \"http://127.0.0.1:9465\"`, and start the gateway again",
            path.display()
        )));
    };
    let state_dir = &config.server.state_dir;
    let url = setup_link::kept_url(state_dir).unwrap_or_else(|| admin.url(admin.listen));
    let code = SetupLinks::of(state_dir).make(SystemTime::now()).map_err(|error| {
        Failure::other(format!("no link can be made in {}: {error}", state_dir.display()))
    })?;
    output::print(&format!("{}\n", setup_link::url(&url, &code)))?;
    output::note("it can be used once, within 15 minutes");
    Ok(())
}
