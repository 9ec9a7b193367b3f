//! The digest of the clients of a configuration, by which gateways detect that their files differ.

use sha2::{Digest as _, Sha256};

use crate::config::{Client, ClientAuthentication, Config};
use crate::sorting::sort;

/// Returns a digest of all properties of the clients that affect their tokens and how they get them. The
/// order and the layout of the file do not matter.
pub(crate) fn client_set(config: &Config) -> u64 {
    let mut clients: Vec<String> = config.clients.iter().map(text).collect();
    sort(&mut clients);
    let mut digest = Sha256::new();
    for client in clients {
        digest.update(client.len().to_be_bytes());
        digest.update(client);
    }
    let digest: [u8; 32] = digest.finalize().into();
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

fn text(client: &Client) -> String {
    let Client {
        id,
        enabled,
        capabilities,
        scopes,
        default_scopes,
        token_lifetime,
        rate_limit,
        authentication,
        certificate_bound_tokens,
        dpop_bound_tokens,
        token_generation,
        audiences,
        ..
    } = client;
    let ClientAuthentication {
        secret, private_key_jwt, tls_client_auth, self_signed_tls_client_auth, ..
    } = authentication;
    let secrets = secret.as_ref().map(|secret| {
        let hashes = secret.secrets.iter().map(|secret| (&secret.id, secret.fingerprint(), secret.expires));
        (secret.basic, secret.post, hashes.collect::<Vec<_>>())
    });
    format!(
        "{id:?} {enabled} {capabilities:?} {scopes:?} {default_scopes:?} {token_lifetime:?} {rate_limit:?} {secrets:?} \
         {private_key_jwt:?} {tls_client_auth:?} {self_signed_tls_client_auth:?} {certificate_bound_tokens} \
         {dpop_bound_tokens} {token_generation} {audiences:?}"
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const HASH: &str =
        "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHRzb21lc2FsdA$7Q1eLKkXYJSKyDV0Lx6fr7BsMRj0kAyIkPQ06xcLF7w";

    fn set(text: &str) -> u64 {
        let text = format!("[scopes]\nread = \"Read\"\n{}", text.replace("HASH", HASH));
        let config = Config::parse(&text, Path::new("gateway.toml"), Path::new("."), &|_| None);
        client_set(&config.unwrap_or_else(|errors| panic!("{errors}")))
    }

    #[test]
    fn files_with_the_same_clients_have_the_same_digest() {
        let a = "[clients.a]\nsecret = \"HASH\"\nscopes = [\"read\"]\n";
        let b = "[clients.b]\nsecret = \"HASH\"\n";
        let both = set(&format!("{a}{b}"));
        assert_eq!(both, set(&format!("\n{b}\n{a}")), "another order");
        assert_ne!(both, set(a));
        assert_ne!(both, set(&format!("{a}{b}enabled = false\n")));
        assert_ne!(both, set(&format!("{a}{b}token_generation = 2\n")));
        assert_ne!(both, set(&format!("{a}{}", b.replace("HASH", &HASH.replace("c29tZX", "d29tZX")))));
    }
}
