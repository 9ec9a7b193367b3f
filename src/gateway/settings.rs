//! Makes the settings of the server, of its TLS and of the access log from a configuration.

use std::path::Path;

use super::error::StartError;
use crate::acme::AcmeError;
use crate::acme::storage::Storage;
use crate::config::{
    AcceptContext, AccessLog, Config, Issuer, Listener, ListenerProtocol, SecurityLog, Server,
    ServerCertificate,
};
use crate::server::{Bound, ListenerSpec, ServerOptions, TlsPaths, self_signed};
use crate::telemetry::access_log::{self, Output};
use crate::telemetry::tracing::{self, Collector, Sampling};
use crate::telemetry::{request_id, security_log};

/// Opens or reopens the output of the access log.
pub(crate) fn start_access_log(server: &Server) -> Result<(), StartError> {
    let output = match &server.access_log {
        AccessLog::Off => Ok(Output::off()),
        AccessLog::Stdout => Output::stdout(),
        AccessLog::File(path) => Output::file(path),
    };
    let output = output.map_err(|error| match &server.access_log {
        AccessLog::File(path) => StartError::config(format!(
            "the access log {} cannot be opened ({error}): change server.access_log",
            path.display()
        )),
        AccessLog::Off | AccessLog::Stdout => {
            StartError::config(format!("the access log cannot be written to standard output: {error}"))
        }
    })?;
    access_log::set(output).map_err(StartError::system)?;
    request_id::set(server.request_id);
    Ok(())
}

/// Opens or reopens the output of the security log.
pub(crate) fn start_security_log(log: Option<&SecurityLog>) -> Result<(), StartError> {
    let Some(SecurityLog { output, max_per_second, .. }) = log else {
        return security_log::set(Output::off(), 0).map_err(StartError::system);
    };
    let opened = match output {
        AccessLog::Off => Ok(Output::off()),
        AccessLog::Stdout => Output::stdout(),
        AccessLog::File(path) => Output::file(path),
    };
    let opened = opened.map_err(|error| {
        let path =
            if let AccessLog::File(path) = output { path.as_path() } else { Path::new("standard output") };
        StartError::config(format!(
            "the security log {} cannot be opened ({error}): change security_log.file",
            path.display()
        ))
    })?;
    security_log::set(opened, *max_per_second).map_err(StartError::system)
}

/// Starts to record traces, if the configuration enables them.
pub(crate) fn start_tracing(config: &Config) -> Result<(), StartError> {
    let Some(settings) = &config.tracing else { return Ok(()) };
    let sampling = Sampling {
        ratio: settings.ratio,
        accept_all: settings.accept_context == AcceptContext::All,
        accept_trusted: settings.accept_context == AcceptContext::TrustedProxies,
    };
    let collector = Collector {
        endpoint: settings.endpoint.clone(),
        authorization: settings.authorization.as_ref().map(|secret| secret.expose().to_owned()),
        service_name: settings.service_name.clone(),
    };
    tracing::start(sampling, &collector)
        .map_err(|error| StartError::system(format!("traces cannot be sent ([tracing]): {error}")))
}

pub(super) fn is_secure(listener: &Listener) -> bool {
    match listener.protocol {
        ListenerProtocol::Https => true,
        ListenerProtocol::Http { behind_tls, .. } => behind_tls,
        ListenerProtocol::Redirect => false,
    }
}

/// Sets the issuer if the file has none: the first listener that serves requests, with its real port.
pub(crate) fn name_issuer(config: &mut Config, bound: &Bound) {
    if let (Issuer::FromListener(_), Some((index, listener))) =
        (&config.token_service.issuer, config.server.first_serving())
        && let Some(bound) = bound.listeners().get(index)
    {
        config.token_service.issuer = Issuer::of_listener(listener.protocol.scheme(), bound.addr());
    }
}

fn listens_with_tls(config: &Config) -> bool {
    config.server.listen.iter().any(|listener| listener.protocol == ListenerProtocol::Https)
        || config.admin.as_ref().is_some_and(|admin| admin.tls)
}

/// Returns the certificates to serve. Leaves out certificates that an authority has not issued yet. If none is
/// left, serves the self-signed one, so that every listener can be used from the start. The self-signed
/// certificate is created if it is needed and does not exist.
pub(crate) fn tls_paths(config: &Config, state_dir: &Path) -> Result<TlsPaths, StartError> {
    let certificates = match &config.server.tls.certificate {
        ServerCertificate::SelfSigned => vec![self_signed(state_dir).map_err(StartError::config)?],
        ServerCertificate::Files(certificates) => certificates.clone(),
        ServerCertificate::Acme(acme, files) => {
            let storage = Storage::new(state_dir, &acme.directory);
            let mut certificates = files.clone();
            for domain in &acme.domains {
                match storage.certificate(domain) {
                    Ok(issued) => certificates.extend(issued.map(|(files, _)| files)),
                    // The gateway orders this certificate again.
                    Err(error @ AcmeError::Malformed(_)) => log::warn!("{error}"),
                    Err(error) => return Err(StartError::config(error)),
                }
            }
            if certificates.is_empty() {
                certificates.push(self_signed(state_dir).map_err(StartError::config)?);
            }
            certificates
        }
    };
    Ok(TlsPaths {
        certificates,
        client_ca: config.server.tls.client_ca.clone(),
        any_client_certificate: takes_any_certificate(config),
        registered_certificates: registered_certificates(config).collect(),
        answers_challenges: config.server.tls.certificate.acme().is_some(),
    })
}

/// Returns the digests of the certificates that clients are registered with.
fn registered_certificates(config: &Config) -> impl Iterator<Item = [u8; 32]> {
    config.clients.iter().filter_map(|client| client.authentication.self_signed_tls_client_auth)
}

/// Returns whether some client uses certificates that no authority has signed: its own certificate is
/// self-signed, or its tokens are bound to its certificate and no authority is configured.
fn takes_any_certificate(config: &Config) -> bool {
    let no_authority = config.server.tls.client_ca.is_none();
    config.clients.iter().any(|client| {
        client.authentication.self_signed_tls_client_auth.is_some()
            || (client.certificate_bound_tokens && no_authority)
    })
}

pub(crate) fn server_options(config: &Config) -> Result<ServerOptions, StartError> {
    let listeners = config.server.listen.iter().map(|listener| {
        let mut spec = match listener.protocol {
            ListenerProtocol::Https => ListenerSpec::tls(listener.address),
            ListenerProtocol::Redirect => ListenerSpec::plain(listener.address),
            ListenerProtocol::Http { h2c, .. } => {
                ListenerSpec { h2c, ..ListenerSpec::plain(listener.address) }
            }
        };
        spec.proxy_protocol = listener.proxy_protocol.as_deref().map(Into::into);
        spec
    });
    let tls = listens_with_tls(config).then(|| tls_paths(config, &config.server.state_dir)).transpose()?;
    Ok(ServerOptions {
        listeners: listeners.collect(),
        tls,
        threads: config.server.threads.map_or(0, usize::from),
        grace: config.server.shutdown_grace,
        limits: config.server.limits.clone(),
        trusted_proxies: config.server.trusted_proxies.clone(),
    })
}
