//! Lints about exposure: secrets, tokens, and the name under which the gateway can be reached.

use super::findings::Findings;
use crate::config::{
    Access, Client, Config, Host, Issuer, Lint, Listener, ListenerProtocol, Scheme, TokenForwarding,
    is_readable_by_others, key_path,
};
use crate::gate::SecretHash;

/// The hash of the tutorial's secret in the gateway.toml that is shipped.
pub(crate) const TUTORIAL_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$IW16qEzU0Xj/igRn9X9uQg$9su1qKzgjcEYuUz6VgfY7Se75rZ5TwHsCNTfA5egip8";

pub(super) fn exposure(config: &Config, findings: &mut Findings<'_>) {
    issuer(config, findings);
    listeners(config, findings);
    tutorial(config, findings);
    upstreams(config, findings);
    files(config, findings);
}

/// Returns whether a client is the tutorial's, with the published secret.
pub(crate) fn has_tutorial_secret(client: &Client) -> bool {
    hashes(client).any(|hash| hash.to_phc() == TUTORIAL_HASH)
}

fn hashes(client: &Client) -> impl Iterator<Item = &SecretHash> {
    let secrets = client.authentication.secret.iter().flat_map(|secret| &secret.secrets);
    secrets.map(|secret| &secret.hash)
}

fn is_local(listener: &Listener) -> bool {
    listener.address.ip().to_canonical().is_loopback()
}

fn issuer(config: &Config, findings: &mut Findings<'_>) {
    let Issuer::FromListener(issuer) = &config.token_service.issuer else { return };
    let Some((index, first)) = config.server.first_serving() else { return };
    let behind_tls = matches!(first.protocol, ListenerProtocol::Http { behind_tls: true, .. });
    if first.address.ip().to_canonical().is_unspecified() || (behind_tls && !is_local(first)) {
        findings.add(
            Lint::LocalIssuer,
            first.position,
            format!("server.listen[{index}]"),
            format!(
                "clients are told that this gateway is {issuer}, which leads other machines elsewhere: set \
                 token_service.issuer to the URL that clients use"
            ),
        );
    }
}

fn listeners(config: &Config, findings: &mut Findings<'_>) {
    if !config.server.trusted_proxies.is_empty() {
        return;
    }
    for (index, listener) in config.server.listen.iter().enumerate() {
        let ListenerProtocol::Http { behind_tls: true, .. } = listener.protocol else { continue };
        if listener.proxy_protocol.is_none() {
            findings.add(
                Lint::HiddenAddresses,
                listener.position,
                format!("server.listen[{index}]"),
                "every client has the address of the TLS terminator, so one client's failures count for all: set \
                 server.trusted_proxies to the terminator's address, or proxy_protocol",
            );
        }
    }
}

fn tutorial(config: &Config, findings: &mut Findings<'_>) {
    // This is the shipped file: it has only the demo API, on this machine.
    if config.demo.is_some() && config.server.listen.iter().all(is_local) {
        return;
    }
    for client in config.clients.iter().filter(|client| has_tutorial_secret(client)) {
        let id = client.id.as_str();
        findings.add(
            Lint::TutorialSecret,
            client.position,
            key_path("clients", id),
            format!(
                "has the tutorial's secret, Password1, which everybody knows: `tollgate client reset-secret {id:?}` makes \
                 a new one"
            ),
        );
    }
}

fn upstreams(config: &Config, findings: &mut Findings<'_>) {
    for (index, upstream) in config.upstreams.iter().enumerate() {
        let is_plain = |host: &Host| !host.is_loopback();
        let Some(server) = upstream
            .servers
            .iter()
            .find(|server| server.origin.scheme == Scheme::Http && is_plain(&server.origin.host))
        else {
            continue;
        };
        let forwards = config.routes.iter().any(|route| {
            let forwards = route.forward_token != TokenForwarding::Removed;
            route.upstream.0 == index && forwards && !matches!(route.access, Access::Public)
        });
        let what = match (upstream.credentials.is_some(), forwards) {
            (true, _) => "the upstream's credentials go",
            (false, true) => "clients' tokens or JWTs (`forward_token`) go",
            (false, false) => continue,
        };
        findings.add(
            Lint::PlainHttp,
            server.position,
            format!("{}.servers", key_path("upstreams", &upstream.name)),
            format!(
                "{what} to {} in the clear, for everybody on the way to read: use https://, or a server on this \
                 machine",
                server.origin
            ),
        );
    }
}

fn files(config: &Config, findings: &mut Findings<'_>) {
    let has_secrets = config.clients.iter().flat_map(hashes).any(|hash| hash.to_phc() != TUTORIAL_HASH);
    if has_secrets && is_readable_by_others(&config.file) {
        let file = config.file.display();
        findings.add_of_file(
            Lint::ReadableByOthers,
            format!(
                "every user of this machine can read the hashes of the clients' secrets, and try secrets on them: chmod \
                 o-rwx {file}"
            ),
        );
    }
    let folder = &config.server.state_dir;
    if is_readable_by_others(folder) {
        findings.add_of_file(
            Lint::ReadableByOthers,
            format!(
                "every user of this machine can list {0}, where the gateway keeps its key: chmod o-rwx {0}",
                folder.display()
            ),
        );
    }
}
