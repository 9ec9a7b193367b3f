//! Lints about certificates by ACME: whether the authority reaches the gateway, and which hosts have no certificate.

use super::findings::Findings;
use crate::config::{Acme, Config, Host, HostPattern, Lint, ListenerProtocol, ServerCertificate};

/// The port to which an authority connects (RFC 8737 §3).
const PORT: u16 = 443;

pub(super) fn acme(config: &Config, findings: &mut Findings<'_>) {
    let ServerCertificate::Acme(acme, files) = &config.server.tls.certificate else { return };
    reach(config, acme, findings);
    // A certificate in a file may have any name.
    if files.is_empty() {
        hosts(config, acme, findings);
    }
}

fn reach(config: &Config, acme: &Acme, findings: &mut Findings<'_>) {
    let mut https =
        config.server.listen.iter().filter(|listener| listener.protocol == ListenerProtocol::Https);
    let message = match https.next() {
        None => {
            "orders certificates that nothing uses: there is no https:// listener. Add one, or remove the table"
        }
        Some(first)
            if first.address.port() != PORT && !https.any(|listener| listener.address.port() == PORT) =>
        {
            "the authority connects to port 443 of each domain, and no https:// listener has this port: forward port \
             443 to a listener without ending TLS, or listen on it"
        }
        Some(_) => return,
    };
    findings.add(Lint::AcmeUnreachable, acme.position, "server.tls.acme", message);
}

fn hosts(config: &Config, acme: &Acme, findings: &mut Findings<'_>) {
    let mut reported: Vec<&HostPattern> = Vec::new();
    for (index, route) in config.routes.iter().enumerate() {
        for host in &route.hosts {
            let is_covered = match host {
                HostPattern::Exact(Host::Name(name)) => {
                    host_is_local(name) || acme.domains.iter().any(|domain| **domain == **name)
                }
                HostPattern::Exact(host @ Host::Address(_)) => host.is_loopback(),
                HostPattern::Below(_) => false,
            };
            if is_covered || reported.contains(&host) {
                continue;
            }
            reported.push(host);
            findings.add(
                Lint::UncoveredHost,
                route.position,
                format!("routes[{index}].host"),
                format!(
                    "no certificate is ordered for {host}, so clients refuse the gateway under this name: add it to \
                     server.tls.acme.domains, or a certificate to [[server.tls.certificates]] (wildcards and addresses \
                     need that)"
                ),
            );
        }
    }
}

fn host_is_local(name: &str) -> bool {
    name == "localhost"
}
