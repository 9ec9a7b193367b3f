//! The keys by which a client authenticates: secrets, public keys, certificates.

use std::{
    collections::BTreeSet,
    time::{Duration, SystemTime},
};

use toml::value::{Datetime, Offset};

use super::{addresses::secure_url, jwks};
use crate::config::{
    address::Host,
    error::ErrorKind,
    model::{ClientAuthentication, ClientSecret, SecretAuthentication},
    reader::{Table, Value},
    settings::clients::{MAX_SECRETS, MAX_SECRETS_COST},
    warning::Lint,
};
use crate::gate::{KeySource, SecretHash, SecretHashError};
use crate::oauth::certificate::Subject;
use crate::oauth::thumbprint::Thumbprint;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    SecretBasic,
    SecretPost,
    PrivateKeyJwt,
    Tls,
    SelfSignedTls,
}

const METHODS: [(&str, Method); 5] = [
    ("client_secret_basic", Method::SecretBasic),
    ("client_secret_post", Method::SecretPost),
    ("private_key_jwt", Method::PrivateKeyJwt),
    ("tls_client_auth", Method::Tls),
    ("self_signed_tls_client_auth", Method::SelfSignedTls),
];

const METHODS_KEY: &str = "token_endpoint_auth_methods";

/// Reads how a client authenticates, and checks that exactly what its methods need is there.
pub(super) fn authentication(
    table: &mut Table<'_>,
    client: &str,
    asks_for_certificates: bool,
) -> Option<ClientAuthentication> {
    let methods = table.take(METHODS_KEY);
    let material = Material::take(table);
    // An error in the list must not hide the errors in the rest.
    let listed = methods.map_or_else(
        || Some(material.methods_by_default()),
        |value| value.set_of("authentication methods", |item| item.choice(&METHODS)),
    );
    let good =
        listed.as_deref().is_some_and(|named| material.suits(named, table, client, asks_for_certificates));
    let named = listed.unwrap_or_default();
    let (basic, post) = (named.contains(&Method::SecretBasic), named.contains(&Method::SecretPost));
    let authentication = material.compile(table, client, basic, post)?;
    good.then_some(authentication)
}

/// What the methods need, as it is in the file.
struct Material<'a> {
    secret: Option<Value<'a>>,
    secrets: Option<Value<'a>>,
    jwks: Option<Value<'a>>,
    jwks_uri: Option<Value<'a>>,
    names: Vec<(CertificateNameKind, Value<'a>)>,
    thumbprint: Option<Value<'a>>,
}

#[derive(Clone, Copy)]
enum CertificateNameKind {
    SubjectDn,
    SanDns,
    SanUri,
}

impl<'a> Material<'a> {
    fn take(table: &mut Table<'a>) -> Self {
        let names = [
            (CertificateNameKind::SubjectDn, table.take("tls_subject_dn")),
            (CertificateNameKind::SanDns, table.take("tls_san_dns")),
            (CertificateNameKind::SanUri, table.take("tls_san_uri")),
        ];
        Self {
            secret: table.take("secret"),
            secrets: table.take("secrets"),
            jwks: table.take("jwks"),
            jwks_uri: table.take("jwks_uri"),
            names: names.into_iter().filter_map(|(kind, value)| Some((kind, value?))).collect(),
            thumbprint: table.take("tls_thumbprint"),
        }
    }

    fn has_secret(&self) -> bool {
        self.secret.is_some() || self.secrets.is_some()
    }

    fn methods_by_default(&self) -> Vec<Method> {
        if self.has_secret() { vec![Method::SecretBasic, Method::SecretPost] } else { Vec::new() }
    }

    /// Returns whether exactly what the methods need is there, and reports what is missing or superfluous.
    fn suits(&self, named: &[Method], table: &Table<'_>, client: &str, asks_for_certificates: bool) -> bool {
        let has = |method| named.contains(&method);
        let pairs = [
            (
                has(Method::SecretBasic) || has(Method::SecretPost),
                self.has_secret(),
                "client_secret_basic",
                "`secret` (or `secrets`)",
            ),
            (
                has(Method::PrivateKeyJwt),
                self.jwks.is_some() || self.jwks_uri.is_some(),
                "private_key_jwt",
                "`jwks` (or `jwks_uri`)",
            ),
            (
                has(Method::Tls),
                !self.names.is_empty(),
                "tls_client_auth",
                "`tls_subject_dn` (or `tls_san_dns`, or `tls_san_uri`)",
            ),
            (
                has(Method::SelfSignedTls),
                self.thumbprint.is_some(),
                "self_signed_tls_client_auth",
                "`tls_thumbprint`",
            ),
        ];
        let mut good = true;
        if pairs.iter().all(|(named, there, ..)| !named && !there) {
            table.missing(format!(
                "the client has no way to authenticate: give it a `secret` (`tollgate client reset-secret {client}` \
                 makes one), or `{METHODS_KEY}` with the keys or the certificate it needs"
            ));
            good = false;
        }
        for (named, there, method, what) in pairs {
            if named && !there {
                table.missing(format!("`{METHODS_KEY}` names {method:?}, and {what} is missing"));
            } else if there && !named {
                let message = format!(
                    "{what} is there, and `{METHODS_KEY}` does not name {method:?}: add it, or remove what \
                     it needs"
                );
                table.problem(ErrorKind::Conflict, message);
            }
            good &= named == there;
        }
        if has(Method::Tls) && !asks_for_certificates {
            table.problem(
                ErrorKind::Conflict,
                "`tls_client_auth` needs `client_ca` in [server.tls]: the authorities that client \
                 certificates are verified with",
            );
            good = false;
        }
        good
    }

    fn compile(
        self,
        table: &Table<'_>,
        client: &str,
        basic: bool,
        post: bool,
    ) -> Option<ClientAuthentication> {
        let Self { secret, secrets, jwks, jwks_uri, names, thumbprint } = self;
        let conflict = |message: &str| table.problem(ErrorKind::Conflict, message);
        let secrets = match (secret, secrets) {
            (Some(one), several) => {
                if several.is_some() {
                    conflict("has both `secret` and `secrets`: move the one into the list");
                }
                let several = several.map(|value| secret_list(&value, client));
                let position = one.position();
                let hash = secret_hash(one, client);
                let id = ClientSecret::DEFAULT_ID.to_owned();
                let one = hash.map(|hash| vec![ClientSecret { id, hash, expires: None, position }]);
                if several.is_some() { None } else { Some(one) }
            }
            (None, Some(several)) => Some(secret_list(&several, client)),
            (None, None) => None,
        };
        let keys = match (jwks, jwks_uri) {
            (Some(_), Some(_)) => {
                conflict("has both `jwks` and `jwks_uri`: remove one of them (RFC 7591 §2)");
                Some(None)
            }
            (Some(value), None) => Some(jwks::jwks(&value).map(KeySource::Inline)),
            (None, Some(value)) => Some(
                secure_url(&value, "the URL of the client's public keys", true)
                    .map(|url| KeySource::Uri(url.to_owned())),
            ),
            (None, None) => None,
        };
        if names.len() > 1 {
            conflict(
                "has more than one of `tls_subject_dn`, `tls_san_dns` and `tls_san_uri`: keep one (RFC 8705 \
                 §2.1.2)",
            );
        }
        let name = names.into_iter().map(|(kind, value)| certificate_name(kind, &value)).last();
        let thumbprint = thumbprint.map(|value| sha256(&value));
        Some(ClientAuthentication {
            secret: match secrets {
                Some(secrets) => Some(SecretAuthentication { basic, post, secrets: secrets? }),
                None => None,
            },
            private_key_jwt: keys.map_or(Some(None), |keys| keys.map(Some))?,
            tls_client_auth: name.map_or(Some(None), |name| name.map(Some))?,
            self_signed_tls_client_auth: thumbprint.map_or(Some(None), |thumbprint| thumbprint.map(Some))?,
        })
    }
}

fn secret_list(value: &Value<'_>, client: &str) -> Option<Vec<ClientSecret>> {
    const WANTED: &str = "{ id = \"…\", hash = \"$argon2id$…\", expires = 2026-12-01T00:00:00Z }";
    let hidden = value.clone().secret();
    let mut ids = BTreeSet::new();
    let secrets = hidden.each(format_args!("secrets: {WANTED}"), |item| {
        let position = item.position();
        item.table(WANTED, |table| {
            let id = table.need("id", "its name in listings, such as \"2026-11\"").and_then(|value| {
                let value = value.public();
                let text = value.text("a name for listings", 64)?;
                if !ids.insert(text) {
                    return value.fail(ErrorKind::Duplicate, "is the id of another of the client's secrets");
                }
                Some(text.to_owned())
            });
            let hash =
                table.need("hash", "the secret's argon2id hash").and_then(|value| secret_hash(value, client));
            let expires = match table.take("expires") {
                Some(value) => instant(&value.public()).map(Some),
                None => Some(None),
            };
            Some(ClientSecret { id: id?, hash: hash?, expires: expires?, position })
        })?
    })?;
    match secrets.len() {
        0 => hidden.invalid("is empty; a client needs a secret, or another way to authenticate"),
        1..=MAX_SECRETS if secrets.iter().map(|secret| secret.hash.cost()).sum::<u64>() > MAX_SECRETS_COST => {
            hidden.fail(
                ErrorKind::TooMany,
                "would let every failed attempt cost too much together: the sum of m times t of a client's hashes is at \
                 most 1048576; remove old secrets, or hash them with m=19456,t=2,p=1",
            )
        }
        1..=MAX_SECRETS => Some(secrets),
        _ => hidden
            .fail(ErrorKind::TooMany, format!("has more than {MAX_SECRETS} secrets; remove the old ones")),
    }
}

fn secret_hash(value: Value<'_>, client: &str) -> Option<SecretHash> {
    hash(value, &format!("`tollgate client reset-secret {client}` makes a secret and puts its hash here"))
}

/// Reads the hash of the password of a user of the console.
pub(super) fn password_hash(value: Value<'_>, user: &str) -> Option<SecretHash> {
    hash(value, &format!("`tollgate admin user {user}` asks for a password and puts its hash here"))
}

/// Reads an argon2id hash. `how` says how to get one.
fn hash(value: Value<'_>, how: &str) -> Option<SecretHash> {
    let value = value.secret();
    let text = value.clone().secret_text("an argon2id hash (a PHC string, \"$argon2id$v=19$…\")")?;
    SecretHash::parse(text.expose()).map_or_else(
        |error| {
            let kind = match error {
                SecretHashError::Plaintext => ErrorKind::PlaintextSecret,
                _ => ErrorKind::InvalidValue,
            };
            value.fail(
                kind,
                format!("{error}: it must be an argon2id PHC string, \"$argon2id$v=19$…\"; {how}"),
            )
        },
        |hash| {
            warn_if_absurd(&value, &hash);
            Some(hash)
        },
    )
}

/// The work of the cheapest parameters that OWASP recommends for argon2id (m=7168, t=5; the others are
/// above).
const LEAST_WORK: u64 = 7168 * 5;
/// Eight times the work of the hashes that `tollgate client add` makes.
const MOST_WORK: u64 = 8 * 19_456 * 2;

/// Warns about a hash that does not protect a weak secret, or that costs much processor time at each first
/// use.
fn warn_if_absurd(value: &Value<'_>, hash: &SecretHash) {
    if hash.cost() < LEAST_WORK {
        value.warn(
            Lint::AbsurdHash,
            "is so cheap to compute that a secret a person chose can be guessed from it: hash it with m=19456,t=2,p=1",
        );
    } else if hash.cost() > MOST_WORK {
        value.warn(
            Lint::AbsurdHash,
            "takes more than eight times the work of m=19456,t=2,p=1 for each wrong secret, which anybody may send: \
             reset the secret to get a hash of the usual cost",
        );
    }
}

fn certificate_name(kind: CertificateNameKind, value: &Value<'_>) -> Option<Subject> {
    match kind {
        CertificateNameKind::SubjectDn => {
            let text = value.text("a distinguished name, such as \"CN=server,O=Example\"", 1024)?;
            Subject::dn(text).map_or_else(
                |error| {
                    value.invalid(format!(
                        "must be a distinguished name (RFC 4514), such as \"CN=server,O=Example\": {error}"
                    ))
                },
                Some,
            )
        }
        CertificateNameKind::SanDns => match Host::parse(value.string("a DNS name")?) {
            Some(Host::Name(name)) => Some(Subject::Dns(name)),
            _ => value.invalid("must be a DNS name"),
        },
        CertificateNameKind::SanUri => {
            let text = value.text("a URI, such as \"spiffe://example.com/server\"", 1024)?;
            if !text.contains(':') || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return value.invalid("must be a URI, such as \"spiffe://example.com/server\"");
            }
            Some(Subject::Uri(text.into()))
        }
    }
}

/// Reads the SHA-256 of a certificate in base64url without padding (RFC 8705 §3.1).
fn sha256(value: &Value<'_>) -> Option<[u8; 32]> {
    const WANTED: &str = "a certificate's SHA-256 in base64url without padding (43 characters)";
    match Thumbprint::parse(value.string(WANTED)?) {
        Some(thumbprint) => Some(*thumbprint.as_bytes()),
        None => value.invalid(format!("must be {WANTED}")),
    }
}

/// Reads a TOML date-time with an offset.
pub(super) fn instant(value: &Value<'_>) -> Option<SystemTime> {
    const WANTED: &str = "a date and time with its offset, not in quotes: 2026-12-01T00:00:00Z";
    let Some(datetime) = value.inner().as_datetime() else {
        return value.wrong_type(WANTED);
    };
    match unix_seconds(datetime) {
        Some(seconds) => SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)),
        None => value.invalid(format!("must be {WANTED}")),
    }
}

fn unix_seconds(datetime: &Datetime) -> Option<u64> {
    let (date, time) = (datetime.date?, datetime.time?);
    let offset = match datetime.offset? {
        Offset::Z => 0,
        Offset::Custom { minutes } => i64::from(minutes),
    };
    // Days of the civil calendar, in years that begin in March, so that the leap day is last.
    let (month, day) = (i64::from(date.month), i64::from(date.day));
    let year = i64::from(date.year) - i64::from(month <= 2);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
    let minutes = days * 1_440 + i64::from(time.hour) * 60 + i64::from(time.minute) - offset;
    u64::try_from(minutes * 60 + i64::from(time.second.unwrap_or(0))).ok()
}

#[cfg(test)]
mod tests {
    use super::unix_seconds;

    #[test]
    fn instants_are_unix_seconds() {
        let table = [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2000-02-29T12:00:00Z", Some(951_825_600)),
            ("2026-12-01T00:00:00Z", Some(1_796_083_200)),
            ("2026-12-01T02:00:00+02:00", Some(1_796_083_200)),
            ("1969-12-31T23:59:59Z", None),
            ("2026-12-01T00:00:00", None),
            ("2026-12-01", None),
        ];
        for (text, seconds) in table {
            assert_eq!(unix_seconds(&text.parse().unwrap()), seconds, "{text}");
        }
    }
}
