//! The page that shows a new secret, once.

use http::StatusCode;

use super::clients::url;
use super::routes::sample;
use crate::access::reach::Reach;
use crate::admin::console::state::NewSecret;
use crate::admin::console::view::clients::SecretPage;
use crate::admin::console::view::frame::Section;
use crate::admin::console::visit::{Answer, Visit};
use crate::admin::problem::Problem;
use crate::config::{Access, Client, Config, ServerCertificate};

/// Shows the secret that the last form created. The secret cannot be shown again.
pub(in crate::admin::console) async fn show(visit: Visit) -> Answer {
    let Some(made) = visit.console.secret(&visit.user.form_token) else {
        let detail = "the secret was shown already, and is kept nowhere: reset it if it is lost";
        return Err(Problem::new(StatusCode::GONE, "gone", detail));
    };
    let config = visit.planned().await;
    let client = config.client(&made.client);
    let title =
        if made.is_new_client { "Client added to your changes" } else { "New secret in your changes" };
    let page = SecretPage {
        curl_token: token_command(&config, client, &made),
        curl_call: client.and_then(|client| call_command(&config, client)),
        client_url: url(&made.client),
        secret: made.secret.expose().to_owned(),
        warnings: made.warnings,
        client: made.client,
        frame: visit.frame(Section::Clients, title),
    };
    visit.page(&page)
}

/// Returns the command that requests a token, as in the tutorial.
fn token_command(config: &Config, client: Option<&Client>, made: &NewSecret) -> String {
    let service = &config.token_service;
    let url = format!("{}{}", service.issuer.as_str().trim_end_matches('/'), service.token_endpoint);
    let scopes = client.map(|client| client.scopes.as_str()).filter(|scopes| !scopes.is_empty());
    let scope = scopes.map(|scopes| format!("&scope={}", form_encode(scopes))).unwrap_or_default();
    let body = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}{scope}",
        form_encode(&made.client),
        form_encode(made.secret.expose())
    );
    format!(
        "curl {}-X POST {} \\\n  -H 'content-type: application/x-www-form-urlencoded' \\\n  -d {}",
        insecure(config),
        quote(&url),
        quote(&body)
    )
}

/// Returns the command that calls a route to which the client has access.
fn call_command(config: &Config, client: &Client) -> Option<String> {
    let is_reached = |route: &&crate::config::Route| {
        matches!(route.access, Access::Token { .. }) && Reach::of(client, route).is_allowed()
    };
    let (method, path) = sample(config.routes.iter().find(is_reached)?)?;
    let issuer = config.token_service.issuer.as_str().trim_end_matches('/');
    let url = if path.starts_with('/') { format!("{issuer}{path}") } else { path };
    let method = if method == "GET" { String::new() } else { format!("-X {method} ") };
    Some(format!("curl {}{method}{} -H 'authorization: Bearer ACCESS_TOKEN'", insecure(config), quote(&url)))
}

/// Returns the command-line option for a self-signed certificate.
pub(super) fn insecure(config: &Config) -> &'static str {
    let is_tls = config.token_service.issuer.as_str().starts_with("https:");
    if is_tls && config.server.tls.certificate == ServerCertificate::SelfSigned { "-k " } else { "" }
}

/// Quotes a text for a shell.
pub(super) fn quote(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:.-_~%".contains(&byte);
    if text.bytes().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Encodes a value of a form.
fn form_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' | b':' | b'/' => {
                encoded.push(byte.into())
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_safe_to_paste() {
        assert_eq!(quote("https://localhost:8443/a"), "https://localhost:8443/a");
        assert_eq!(quote("a'; rm -rf ~ #"), r"'a'\''; rm -rf ~ #'");
        assert_eq!(form_encode("a b&c=d'\"é"), "a+b%26c%3Dd%27%22%C3%A9");
    }
}
