//! A gateway and its changes, for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use super::*;
use crate::change::actor::{Actor, Role, Via};
use crate::change::audit::AuditLine;
use crate::change::control::ChangeControl;
use crate::change::environment::read_edited;
use crate::change::error::ChangeError;
use crate::change::live::Live;
use crate::change::operation::Operation;
use crate::change::submission::Submitted;
use crate::change::texts::Texts;
use crate::config::{Config, ConfigErrors};

pub(super) const TEXT: &str = "# top
[server]
listen = [\"http://127.0.0.1:8080\"]
[scopes]
read = \"R\" # reading
[clients.a]
secret = \"OLD\"
capabilities = [\"client_credentials\"]
scopes = [\"read\"]
[upstreams.shop]
servers = [\"http://127.0.0.1:9000\"]
[[routes]]
path = \"/orders\"
scopes = [\"read\"]
upstream = \"shop\"
";

/// A gateway that applies texts, unless it refuses them.
#[derive(Default)]
pub(super) struct Gateway {
    /// Whether it refuses to apply texts.
    pub(super) refuses: Arc<AtomicBool>,
}

impl Live for Gateway {
    fn check(&self, texts: &Texts) -> Result<Config, ConfigErrors> {
        read_edited(texts.main_path(), texts.files())
    }

    fn apply(
        &self,
        _: &Texts,
        replace: &mut dyn FnMut() -> Result<(), ChangeError>,
    ) -> Result<Option<u64>, ChangeError> {
        replace()?;
        if self.refuses.load(Ordering::Relaxed) { Err(ChangeError::Retired) } else { Ok(Some(7)) }
    }
}

pub(super) struct Desk {
    pub(super) fixture: Fixture,
    pub(super) control: ChangeControl,
}

impl Desk {
    pub(super) fn new(text: &str) -> Self {
        Self::with(text, Gateway::default())
    }

    pub(super) fn with(text: &str, gateway: Gateway) -> Self {
        let fixture = Fixture::new(text);
        let control =
            ChangeControl::open(&fixture.path, &fixture.dir.path().join("state"), Box::new(gateway)).unwrap();
        control.settle(SystemTime::now()).unwrap();
        Self { fixture, control }
    }

    pub(super) fn audit(&self) -> Vec<AuditLine> {
        self.control.audit().newest(0, 1000).unwrap()
    }
}

pub(super) fn actor(name: &str, role: Role) -> Actor {
    Actor { name: name.to_owned(), role, via: Via::Api, address: "192.0.2.1".parse().ok() }
}

pub(super) fn operation(json: serde_json::Value) -> Operation {
    Submitted::read(json, Role::Owner, now()).unwrap().operation
}

pub(super) fn add_scope(name: &str) -> Operation {
    operation(json!({ "op": "scope_add", "name": name, "description": "D" }))
}
