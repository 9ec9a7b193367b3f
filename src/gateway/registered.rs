//! The clients that have registered themselves: the thread that removes those that nobody uses, and what the journal has
//! about them.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use crate::gate::{Registered, WeakGate, read_registered};
use crate::store::JournalError;
use crate::store::journal::registered_rows;
use crate::telemetry::security_log::{self, Event, Kind};

/// How often the thread looks for clients to remove.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Starts the thread. It ends with the gate.
pub(super) fn start(gate: WeakGate) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    std::thread::Builder::new().name("tollgate-registered".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(LOOK_EVERY);
            let Some(gate) = gate.upgrade() else { return };
            for id in runtime.block_on(gate.expire_registered()) {
                log::info!("the registered client {id} was not used for too long and is removed");
                submit(&id);
            }
        }
    })?;
    Ok(())
}

/// Logs that a client has expired.
fn submit(id: &str) {
    security_log::submit(&Event {
        kind: Kind::RegistrationExpired,
        reason: "unused",
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        client_id: Some(id),
        method: None,
        host: None,
        path: None,
        route: Some("(registration)"),
        status: None,
        request_id: None,
    });
}

/// Returns the registered clients in the journal in a folder, which a running gateway may have open.
pub(crate) fn in_folder(folder: &Path) -> Result<Vec<Registered>, JournalError> {
    Ok(read_registered(&registered_rows(folder)?))
}
