//! A configuration without the parts that are only needed for connections to upstreams.

use crate::config::{Config, Scheme, UpstreamTls};

/// Returns the configuration with upstreams that need no certificate and no key.
///
/// A user who may query the configuration may not be allowed to read the files that the gateway reads.
pub(crate) fn without_upstream_tls(config: &Config) -> Config {
    let mut config = config.clone();
    for upstream in &mut config.upstreams {
        upstream.tls = UpstreamTls::default();
        for server in &mut upstream.servers {
            server.origin.scheme = Scheme::Http;
        }
    }
    config
}
