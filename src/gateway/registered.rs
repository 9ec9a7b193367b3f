//! The clients that have registered themselves: the thread that removes the unused ones, and a function
//! that reads them from the store.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::config::{Config, StoreKind};
use crate::gate::{Registered, WeakGate, read_registered};
use crate::store::journal::registered_rows;
use crate::store::redis::registered_rows as engine_rows;
use crate::tasks::block_on;
use crate::telemetry::security_log::{self, Event, Kind};
use crate::threads;

/// How often the thread looks for clients to remove.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Starts the thread. It ends with the gate.
pub(super) fn start(gate: WeakGate) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    threads::spawn("tollgate-registered", move || {
        loop {
            std::thread::sleep(LOOK_EVERY);
            let Some(gate) = gate.upgrade() else { return };
            for id in block_on(&runtime, gate.expire_registered()) {
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

/// Returns the registered clients where a configuration keeps them: in the journal, which a running gateway may
/// have open, or in the shared store.
///
/// # Errors
/// A message for operators: the clients are in the memory of a gateway alone, or the store cannot be read.
pub(crate) fn stored(config: &Config) -> Result<Vec<Registered>, String> {
    let rows = match &config.store {
        StoreKind::Memory => {
            return Err("they are in the memory of the gateway alone ([store] kind = \"memory\")".to_owned());
        }
        StoreKind::Redis(options) => engine_rows(options)?,
        StoreKind::Journal | StoreKind::JournalIfPossible => {
            registered_rows(&config.server.state_dir).map_err(|error| error.to_string())?
        }
    };
    Ok(read_registered(&rows))
}
