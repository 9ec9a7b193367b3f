//! The state of a client that has registered itself, as the list and its page show it.

use std::time::SystemTime;

use crate::admin::console::view::parts::{Badge, Tone};
use crate::admin::console::visit::Visit;
use crate::admin::console::wording;
use crate::config::Config;
use crate::gate::Registered;

/// Returns the address of a registered client's page.
pub(super) fn url(id: &str) -> String {
    format!("/clients/registered/{}", wording::encode(id))
}

/// Returns whether a registered client may authenticate.
pub(super) fn badge(visit: &Visit, client: &Registered) -> Badge {
    match visit.admin.gate().registered_spec(client) {
        _ if Listed::of(&visit.config(), client.id.as_str()).removed => Badge::new(Tone::Plain, "removed"),
        Some(spec) if spec.policy.enabled => Badge::new(Tone::Good, "enabled"),
        Some(_) => Badge::new(Tone::Plain, "disabled"),
        None => Badge::new(Tone::Warn, "without template"),
    }
}

/// Returns when a registered client was last used.
pub(super) fn last_used(client: &Registered) -> String {
    let used = client.last_used();
    if used > client.issued_at {
        wording::relative(wording::since_1970(used), SystemTime::now())
    } else {
        "not yet".to_owned()
    }
}

/// Whether a configuration lists a registered client as disabled or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) disabled: bool,
    pub(super) removed: bool,
}

impl Listed {
    pub(super) fn of(config: &Config, id: &str) -> Self {
        let is_in = |ids: &[String]| ids.iter().any(|listed| listed == id);
        let registration = config.token_service.registration.as_ref();
        Self {
            disabled: registration.is_some_and(|table| is_in(&table.disabled_clients)),
            removed: registration.is_some_and(|table| is_in(&table.removed_clients)),
        }
    }
}
