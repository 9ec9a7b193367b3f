//! Lints about JWTs for upstreams.

use super::findings::Findings;
use crate::config::{Config, JwtKeys, Lint, StoreKind};

pub(super) fn jwt(config: &Config, findings: &mut Findings<'_>) {
    let Some(jwt) = &config.token_service.jwt else { return };
    let (StoreKind::Redis(_), JwtKeys::Generated { .. }) = (&config.store, &jwt.keys) else { return };
    let message = "several gateways share a store, and each makes its own keys for JWTs: an upstream that gets JWTs of one and \
        keys of another refuses them. Name the same files in token_service.jwt.keys of all gateways";
    match jwt.position {
        Some(position) => findings.add(Lint::UnsharedKeys, position, "token_service.jwt", message),
        None => findings.add_of_file(Lint::UnsharedKeys, message),
    }
}
