//! The URLs of the endpoints of a running gateway.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::config::{Config, Issuer, Listener, ListenerProtocol};

/// The path of the token endpoint if no configuration names one.
pub(crate) use crate::gate::defaults::TOKEN_ENDPOINT as DEFAULT_TOKEN_PATH;

/// An OAuth endpoint of the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Token,
    Introspection,
    Revocation,
}

impl Endpoint {
    /// Returns the path that the configuration gives the endpoint.
    pub(crate) fn path(self, config: &Config) -> &str {
        match self {
            Self::Token => &config.token_service.token_endpoint,
            Self::Introspection => &config.token_service.introspection_endpoint,
            Self::Revocation => &config.token_service.revocation_endpoint,
        }
    }

    /// Returns the URL of the endpoint on the first listener that a client on this machine can use, or `None`
    /// if only the running gateway knows its port.
    pub(crate) fn url(self, config: &Config) -> Option<String> {
        let listener = local_listener(config)?;
        let origin = Issuer::of_listener(listener.protocol.scheme(), listener.address);
        Some(origin.to_string() + self.path(config))
    }
}

/// Returns the first listener that a client on this machine can use, or `None` if only the running gateway
/// knows its port.
fn local_listener(config: &Config) -> Option<&Listener> {
    let mut listeners = config.server.listen.iter();
    listeners.find(|listener| {
        listener.proxy_protocol.is_none()
            && listener.address.port() != 0
            && listener.protocol != ListenerProtocol::Redirect
    })
}

/// Returns the origin of the first listener that a client on this machine can use, by its address. A
/// container may be unable to resolve `localhost`.
pub(crate) fn local_origin(config: &Config) -> Option<String> {
    let listener = local_listener(config)?;
    let mut address = listener.address;
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            Ipv6Addr::LOCALHOST.into()
        });
    }
    Some(format!("{}://{address}", listener.protocol.scheme().as_str()))
}
