//! The capabilities that the metadata announces to clients (RFC 8414 §2).

use crate::gate::spec::{ClientSpec, GateSpec};
use crate::oauth::client_auth::SecretMethod;

/// The algorithms of DPoP proofs. Every client may have its tokens bound to a key.
#[cfg(feature = "jose")]
pub(super) const DPOP_ALGORITHMS: &[&str] = crate::oauth::jose::Algorithm::NAMES;
/// The algorithms of DPoP proofs: none without the feature `jose`.
#[cfg(not(feature = "jose"))]
pub(super) const DPOP_ALGORITHMS: &[&str] = &[];

/// Returns the ways in which at least one client may authenticate, now or once it has registered. Without any
/// client, it lists those with a secret.
pub(super) fn auth_methods(spec: &GateSpec) -> Vec<&'static str> {
    let clients = &spec.clients;
    let uses = |uses: &dyn Fn(&ClientSpec) -> bool| clients.iter().any(uses);
    let sends = |method| clients.is_empty() || uses(&|client| client.secret_methods.contains(&method));
    let mut methods = Vec::new();
    methods.extend(sends(SecretMethod::Basic).then_some("client_secret_basic"));
    methods.extend(sends(SecretMethod::Post).then_some("client_secret_post"));
    #[cfg(feature = "jose")]
    {
        methods.extend(uses(&|client| client.keys.is_some()).then_some("private_key_jwt"));
        methods.extend(uses(&|client| client.certificate_subject.is_some()).then_some("tls_client_auth"));
        let self_signed = uses(&|client| client.certificate_thumbprint.is_some());
        methods.extend(self_signed.then_some("self_signed_tls_client_auth"));
    }
    #[cfg(feature = "gateway")]
    for method in registered_methods(spec) {
        if !methods.contains(&method) {
            methods.push(method);
        }
    }
    methods
}

/// Returns the algorithms of client assertions, or none if no client signs.
#[cfg(feature = "jose")]
pub(super) fn signing_algorithms(spec: &GateSpec) -> Vec<&'static str> {
    let signs = spec.clients.iter().any(|client| client.keys.is_some());
    #[cfg(feature = "gateway")]
    let signs = signs || registered_methods(spec).any(|method| method == "private_key_jwt");
    if signs { crate::oauth::jose::Algorithm::NAMES.to_vec() } else { Vec::new() }
}

/// Returns the algorithms of client assertions: none without the feature `jose`.
#[cfg(not(feature = "jose"))]
pub(super) fn signing_algorithms(_: &GateSpec) -> Vec<&'static str> {
    Vec::new()
}

/// Returns how clients may authenticate that register themselves.
#[cfg(feature = "gateway")]
fn registered_methods(spec: &GateSpec) -> impl Iterator<Item = &'static str> {
    let templates = spec.registration.iter().flat_map(|registration| &registration.templates);
    templates.flat_map(|template| &template.methods).map(|method| method.as_str())
}

/// Returns whether the tokens of some client must be bound to a key.
pub(super) fn binds_to_keys(spec: &GateSpec) -> bool {
    let binds = spec.clients.iter().any(|client| client.dpop_bound_tokens);
    #[cfg(feature = "gateway")]
    let binds = binds
        || spec
            .registration
            .iter()
            .flat_map(|registration| &registration.templates)
            .any(|template| template.dpop_bound_tokens);
    binds
}
