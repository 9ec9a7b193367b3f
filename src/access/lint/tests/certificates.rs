//! Lints about certificates by ACME.

use super::{route, silent, warns};
use crate::config::Lint;

#[test]
fn certificates_that_no_authority_can_issue() {
    let acme = "[server.tls.acme]\nagree_to_terms = true\ndomains = [\"a.test\"]\n";
    let listen = |urls: &str| {
        format!("[server]\nlisten = [{urls}]\n{acme}{}", route("path = \"/a\"\nscopes = [\"read\"]"))
    };
    silent(&listen("\"https://127.0.0.1:443\""));
    silent(&listen("\"https://127.0.0.1:8443\", \"https://127.0.0.1:443\""));
    let text = warns(Lint::AcmeUnreachable, "server.tls.acme", &listen("\"https://127.0.0.1:8443\""));
    assert!(text.contains("forward port 443"), "{text}");
    let text = warns(Lint::AcmeUnreachable, "server.tls.acme", &listen("\"http://127.0.0.1:443\""));
    assert!(text.contains("no https:// listener"), "{text}");
}

#[test]
fn hosts_without_a_certificate() {
    let hosts = |hosts: &str| {
        format!(
            "[server]\nlisten = [\"https://127.0.0.1:443\"]\n[server.tls.acme]\nagree_to_terms = true\n\
             domains = [\"a.test\"]\n{}",
            route(&format!("path = \"/a\"\nscopes = [\"read\"]\nhost = {hosts}"))
        )
    };
    silent(&hosts("[\"A.test\", \"localhost\", \"127.0.0.1\"]"));
    for host in ["b.test", "*.a.test", "192.0.2.1"] {
        let text = warns(Lint::UncoveredHost, "routes[0].host", &hosts(&format!("[\"a.test\", \"{host}\"]")));
        assert!(text.contains(&format!("no certificate is ordered for {host}")), "{text}");
    }
}
