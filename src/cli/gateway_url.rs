//! Where a running gateway is, as its configuration has it.

use crate::config::{Config, Issuer};

/// One of the gateway's own endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Token,
    Introspection,
    Revocation,
}

impl Endpoint {
    pub(super) fn path(self, config: &Config) -> &str {
        match self {
            Self::Token => &config.token_service.token_endpoint,
            Self::Introspection => &config.token_service.introspection_endpoint,
            Self::Revocation => &config.token_service.revocation_endpoint,
        }
    }
}

/// The URL of an endpoint on the first listener that a client on this machine can speak to; none where only the
/// running gateway knows its port.
pub(super) fn of(config: &Config, endpoint: Endpoint) -> Option<String> {
    let listener = config
        .server
        .listen
        .iter()
        .find(|listener| !listener.proxy_protocol && listener.address.port() != 0)?;
    Some(
        Issuer::of_listener(listener.protocol.scheme(), listener.address).to_string() + endpoint.path(config),
    )
}

/// A value as it stands in a form (`application/x-www-form-urlencoded`). Fit for single quotes of a shell.
pub(super) fn form(value: &str) -> String {
    let mut encoded = String::new();
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'*' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::form;
    use crate::oauth::form::decode;

    #[test]
    fn forms_are_read_back_as_they_were() {
        for text in ["a b:c+%&=/é'", "", "plain-text_1.*"] {
            let encoded = form(text);
            assert!(encoded.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\''), "{encoded}");
            assert_eq!(decode(encoded.as_bytes()).unwrap(), text);
        }
    }
}
