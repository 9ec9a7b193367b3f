//! Upgrades a running gateway: a new process takes over the sockets, and no connection is lost.
//!
//! The running gateway listens on a socket in `state_dir`. When an upgrade is requested over that socket or
//! by SIGUSR2, it starts its program again, which may be a newer version. The two processes exchange lines
//! over the socket:
//!
//! | new process | running gateway |
//! |---|---|
//! | `successor`, once its program runs | |
//! | `take 1`, once its configuration is compiled | `give N`, and N descriptors |
//! | `ready`, once it accepts connections | `go`, and ends when its requests are finished |
//!
//! Either process can send `failed` and a reason instead of any line. Before `ready`, a failure leaves the
//! running gateway as it is. The new process detects the end of the old one by the end of the connection.

mod channel;
mod predecessor;
mod request;
mod serving;
mod successor;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) use self::predecessor::Predecessor;
pub(crate) use self::request::request_upgrade;
pub(super) use self::serving::Handover;
pub(super) use self::successor::Parts;

/// The environment variable with the path of the socket on which the running gateway waits for the new
/// process.
const VARIABLE: &str = "TOLLGATE_HANDOVER";
/// How long a new process may take until it accepts connections. Loading ten million tokens takes a tenth of
/// that.
const START: Duration = Duration::from_secs(120);
/// How often each process reads what the other one has written to the journal.
const CATCH_UP_EVERY: Duration = Duration::from_millis(5);

/// Returns the path of the socket in a state folder.
pub(crate) fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("handover.sock")
}
