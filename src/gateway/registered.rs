//! The clients that have registered themselves: the thread that removes the unused ones, and functions that
//! read them from the journal.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use crate::config::{Client, ClientAuthentication, ClientSecret, Config, Position, SecretAuthentication};
use crate::gate::{ClientSpec, GateSpec, Registered, WeakGate, read_registered};
use crate::oauth::client_auth::SecretMethod;
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

/// Adds registered clients to the clients of a configuration, as far as their templates allow. They have no
/// position in the file.
pub(crate) fn add_to(config: &mut Config, clients: &[Registered]) {
    let Some(registration) = GateSpec::from(&*config).registration else { return };
    for spec in clients.iter().filter_map(|client| client.spec(&registration)) {
        if config.client(spec.id.as_str()).is_none() {
            config.clients.push(client(spec));
        }
    }
}

fn client(spec: ClientSpec) -> Client {
    let position = Position::new(0, 0);
    let secrets: Vec<ClientSecret> = spec
        .secrets
        .into_iter()
        .map(|secret| ClientSecret { id: secret.id, hash: secret.hash, expires: None, position })
        .collect();
    let allows = |method| spec.secret_methods.contains(&method);
    let secret = (!secrets.is_empty()).then(|| SecretAuthentication {
        basic: allows(SecretMethod::Basic),
        post: allows(SecretMethod::Post),
        secrets,
    });
    let authentication =
        ClientAuthentication { secret, private_key_jwt: spec.keys, ..ClientAuthentication::default() };
    Client {
        id: spec.id,
        enabled: spec.policy.enabled,
        capabilities: spec.policy.capabilities,
        scopes: spec.policy.scopes,
        default_scopes: spec.policy.default_scopes,
        token_lifetime: spec.policy.token_lifetime,
        rate_limit: None,
        authentication,
        certificate_bound_tokens: spec.certificate_bound_tokens,
        dpop_bound_tokens: spec.dpop_bound_tokens,
        token_generation: spec.token_generation,
        audiences: spec.audiences,
        position,
    }
}
