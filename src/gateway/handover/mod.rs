//! The upgrade of a running gateway: a new process takes the sockets over, and no connection is lost.
//!
//! The running gateway listens on a socket in `state_dir`. Asked for an upgrade (there, or by SIGUSR2), it starts its program
//! again, which may be another version by now. The two processes speak in lines over that socket:
//!
//! | new process | running gateway |
//! |---|---|
//! | `successor`, once its program runs | |
//! | `take 1`, once its configuration is compiled | `give N`, and N descriptors |
//! | `ready`, once it accepts connections | `go`, and ends when its requests are finished |
//!
//! Instead of any line, either of them can send `failed` and a reason. Until `ready`, any failure leaves the running gateway as
//! it is. The new process learns that the old one has ended by the end of the connection.

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

/// The variable that tells a new process on which socket the running gateway waits for it.
const VARIABLE: &str = "TOLLGATE_HANDOVER";
/// How long a new process may take until it serves. Ten million tokens load in a tenth of that.
const START: Duration = Duration::from_secs(120);
/// How often each process reads what the other one has written into the journal.
const CATCH_UP_EVERY: Duration = Duration::from_millis(5);

/// Returns the path of the socket in a state folder.
pub(crate) fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("handover.sock")
}
