use std::sync::Arc;
use std::time::Duration;

use crate::oauth::registration::{RegistrationToken, Template};

/// How clients register themselves (RFC 7591).
#[derive(Debug, Clone)]
pub(crate) struct RegistrationSpec {
    /// The path where clients register. The path of a client's registration is below it.
    pub(crate) endpoint: String,
    /// The most registered clients.
    pub(crate) max_clients: usize,
    /// The most requests a minute to register, with one initial access token; ten times as many for an
    /// address.
    pub(crate) max_per_minute: u32,
    pub(crate) templates: Vec<Arc<Template>>,
    pub(crate) tokens: Vec<InitialToken>,
    /// The ids of clients that an operator has disabled.
    pub(crate) disabled: Vec<String>,
    /// The ids of clients that an operator has removed.
    pub(crate) removed: Vec<String>,
}

/// An initial access token (RFC 7591 §1.2): it lets a program register clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InitialToken {
    pub(crate) name: String,
    pub(crate) digest: RegistrationToken,
    /// The name of the template that bounds what is registered with it.
    pub(crate) template: String,
    /// When it expires, as time since the Unix epoch.
    pub(crate) expires: Option<Duration>,
    /// How many clients can be registered with it.
    pub(crate) max_uses: Option<u64>,
}

impl RegistrationSpec {
    /// Returns the template with this name.
    pub(crate) fn template(&self, name: &str) -> Option<&Arc<Template>> {
        self.templates.iter().find(|template| *template.name == *name)
    }
}
