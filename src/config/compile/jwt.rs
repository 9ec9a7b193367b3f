//! `[token_service.jwt]`, `forward_token` of a route, and `jwt_audience` of an upstream.

use crate::config::{
    error::ErrorKind,
    model::{JwtKeys, JwtService, TokenForwarding},
    reader::{Table, Value},
    settings::jwt::{LIFETIME, PUBLISH_BEFORE, ROTATE_EVERY},
};
use crate::oauth::jose::SigningAlgorithm;

const ALGORITHMS: [(&str, SigningAlgorithm); 2] =
    [("ES256", SigningAlgorithm::Es256), ("EdDSA", SigningAlgorithm::EdDsa)];
/// The longest audience of an upstream.
const AUDIENCE: usize = 255;

/// The settings of a file that has no `[token_service.jwt]`.
pub(super) fn defaults() -> JwtService {
    let keys = JwtKeys::Generated {
        algorithm: SigningAlgorithm::Es256,
        rotate_every: ROTATE_EVERY.default,
        publish_before: PUBLISH_BEFORE.default,
    };
    JwtService { keys, lifetime: LIFETIME.default, position: None }
}

/// Reads `[token_service.jwt]`.
pub(super) fn service(value: &Value<'_>) -> Option<JwtService> {
    let position = Some(value.position());
    value.table("a table: [token_service.jwt]", |table| {
        let lifetime = table.duration(&LIFETIME);
        let files = table.take("keys").map(|files| {
            for name in ["algorithm", ROTATE_EVERY.bounds.name, PUBLISH_BEFORE.bounds.name] {
                if let Some(other) = table.take(name) {
                    other.problem(
                        ErrorKind::Conflict,
                        "is for keys that the gateway makes, and `keys` names files: remove one of the two",
                    );
                }
            }
            key_files(&files)
        });
        let keys = match files {
            Some(files) => JwtKeys::Files(files?),
            None => generated(table),
        };
        Some(JwtService { keys, lifetime, position })
    })?
}

fn generated(table: &mut Table<'_>) -> JwtKeys {
    let algorithm = table.or("algorithm", SigningAlgorithm::Es256, |value| value.choice(&ALGORITHMS));
    let rotate_every = table.duration(&ROTATE_EVERY);
    let publish_before = table.duration(&PUBLISH_BEFORE);
    if publish_before > rotate_every / 2 {
        table.problem(
            ErrorKind::Conflict,
            "has a `publish_before` of more than half of `rotate_every`: a key must sign for longer than it waits",
        );
    }
    JwtKeys::Generated { algorithm, rotate_every, publish_before }
}

fn key_files(value: &Value<'_>) -> Option<Vec<std::path::PathBuf>> {
    let files = value.set_of("PEM files with private keys: [\"keys/2026-11.pem\"]", |item| {
        let path = item.private_file("a PEM file with a private key")?;
        content::key(item, &path)?;
        Some(path)
    })?;
    if files.is_empty() {
        return value.invalid("is empty: name a key, or leave it out for keys that the gateway makes");
    }
    Some(files)
}

/// Reads `forward_token`.
pub(super) fn forwarding(value: &Value<'_>) -> Option<TokenForwarding> {
    match value.inner().as_bool() {
        Some(true) => Some(TokenForwarding::Kept),
        Some(false) => Some(TokenForwarding::Removed),
        None => match value.string("true, false or \"jwt\"")? {
            "jwt" => Some(TokenForwarding::Jwt),
            _ => value.invalid("must be true, false or \"jwt\""),
        },
    }
}

/// Returns whether a route of `[[routes]]` has `forward_token = "jwt"`. This is called before the routes are
/// read.
pub(super) fn is_asked_for(routes: &Value<'_>) -> bool {
    let asks = |route: &toml::de::DeValue<'_>| {
        let forwarding = route.as_table().and_then(|route| route.get("forward_token"));
        forwarding.is_some_and(|value| value.get_ref().as_str() == Some("jwt"))
    };
    routes.inner().as_array().is_some_and(|routes| routes.iter().any(|route| asks(route.get_ref())))
}

/// Reads `jwt_audience`.
pub(super) fn audience(value: &Value<'_>) -> Option<String> {
    let text = value.text("an audience such as \"https://orders.internal\"", AUDIENCE)?;
    if text.chars().any(char::is_control) {
        return value.invalid("must be an audience without control characters");
    }
    Some(text.to_owned())
}

/// Checks of keys that only a program that signs can make.
#[cfg(feature = "gateway")]
mod content {
    use std::path::Path;

    use rustls_pki_types::PrivateKeyDer;

    use crate::config::{error::ErrorKind, reader::Value};
    use crate::gate::jwt::SigningKey;
    use crate::tls::pem_file::PemFile;

    pub(super) fn key(value: &Value<'_>, path: &Path) -> Option<()> {
        let key = match PemFile::read(path).and_then(|file| file.private_key_der()) {
            Ok(key) => key,
            Err(error) => return value.fail(ErrorKind::FileUnusable, error.to_string()),
        };
        let signs = match &key {
            PrivateKeyDer::Pkcs8(document) => SigningKey::from_pkcs8(document.secret_pkcs8_der()).is_ok(),
            _ => false,
        };
        if signs {
            return Some(());
        }
        let path = path.display();
        value.fail(
            ErrorKind::FileUnusable,
            format!(
                "{path} is not a P-256 or Ed25519 key in PKCS #8 (\"BEGIN PRIVATE KEY\"): `openssl genpkey -algorithm EC \
                 -pkeyopt ec_paramgen_curve:P-256` makes one, and `openssl pkcs8 -topk8 -nocrypt -in {path}` converts one \
                 of another form"
            ),
        )
    }
}

/// Without the feature `gateway`, the program signs no JWTs and checks no keys.
#[cfg(not(feature = "gateway"))]
mod content {
    use std::path::Path;

    use crate::config::reader::Value;

    pub(super) fn key(_: &Value<'_>, _: &Path) -> Option<()> {
        Some(())
    }
}
