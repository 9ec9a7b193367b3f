//! `[server.tls]`, and `tls` of an upstream: certificates, keys, and how the other side is verified.
//!
//! The files are read here, so that a bad one is an error with a position like any other.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::{
    address::Host,
    error::ErrorKind,
    model::{Acme, CertificateFiles, ServerCertificate, ServerTls, UpstreamTls},
    reader::{Table, Value},
    warning::Lint,
};

const CERTIFICATE: &str = "a PEM file with the certificate chain";
const KEY: &str = "a PEM file with the private key";
const AUTHORITIES: &str = "a PEM file of certificates";

/// Reads `[server.tls]`, whose table `acme` has been read.
pub(super) fn server(table: &mut Table<'_>, acme: Option<Box<Acme>>) -> ServerTls {
    let hint = "; leave both out for a self-signed certificate";
    let default = pair(table, "certificate", "key", hint);
    let others = table.or("certificates", Vec::new(), |value| {
        value.each("certificates: [[server.tls.certificates]]", |item| {
            item.table("a table: [[server.tls.certificates]]", |table| {
                read_pair(table.need("certificate", CERTIFICATE), table.need("key", KEY))
            })?
        })
    });
    let client_ca = table.or("client_ca", None, |value| authorities(&value).map(Some));
    let all: Vec<CertificateFiles> = default.into_iter().chain(others).collect();
    let certificate = match acme {
        Some(acme) => ServerCertificate::Acme(acme, all),
        None if all.is_empty() => ServerCertificate::SelfSigned,
        None => ServerCertificate::Files(all),
    };
    ServerTls { certificate, client_ca }
}

/// Reads `tls` of an upstream.
pub(super) fn upstream(table: &mut Table<'_>) -> UpstreamTls {
    let ca = table.or("ca", None, |value| authorities(&value).map(Some));
    let client_certificate = pair(table, "client_certificate", "client_key", "");
    let server_name = table.or("server_name", None, |value| server_name(&value).map(Some));
    let pins = table.or("pin_sha256", Vec::new(), |value| {
        let pins = value.set_of("SHA-256 digests of public keys, in base64", pin)?;
        if pins.is_empty() {
            return value.invalid("is empty, so no server would be accepted: leave it out for any key");
        }
        Some(pins)
    });
    let skip = table.take("insecure_skip_verify");
    let insecure_skip_verify = skip.as_ref().and_then(Value::boolean).unwrap_or(false);
    if let Some(value) = skip.as_ref().filter(|_| insecure_skip_verify) {
        value.warn(
            Lint::UnverifiedUpstream,
            "lets anybody between the gateway and the servers read and change every request: name the servers' \
             certificate as `ca`, or their key in `pin_sha256`, instead",
        );
    }
    if let Some(value) = skip.filter(|_| insecure_skip_verify && (ca.is_some() || !pins.is_empty())) {
        value.problem(
            ErrorKind::Conflict,
            "accepts any certificate, so `ca` and `pin_sha256` beside it would verify nothing: remove it, or remove them",
        );
    }
    UpstreamTls { ca, client_certificate, server_name, pins, insecure_skip_verify }
}

/// Takes a certificate and its private key, which go together.
pub(super) fn pair(
    table: &mut Table<'_>,
    certificate: &'static str,
    key: &'static str,
    hint: &str,
) -> Option<CertificateFiles> {
    let (certificate_value, key_value) = (table.take(certificate), table.take(key));
    if certificate_value.is_some() != key_value.is_some() {
        table.missing(format!("`{certificate}` and `{key}` go together{hint}"));
    }
    read_pair(certificate_value, key_value)
}

fn read_pair(certificate_value: Option<Value<'_>>, key_value: Option<Value<'_>>) -> Option<CertificateFiles> {
    let certificate = certificate_value.as_ref().and_then(|value| value.readable_file(CERTIFICATE));
    let key = key_value.as_ref().and_then(|value| value.private_file(KEY));
    let files = CertificateFiles { certificate: certificate?, key: key? };
    content::pair(&certificate_value?, &key_value?, &files)?;
    Some(files)
}

/// Reads the path of a file with the certificates of authorities.
pub(super) fn authorities(value: &Value<'_>) -> Option<PathBuf> {
    let path = value.path(AUTHORITIES)?;
    if value.readable_file(AUTHORITIES).is_some() {
        content::authorities(value, &path);
    }
    // The path is returned even if the file is bad. Otherwise another check would report it as missing.
    Some(path)
}

fn server_name(value: &Value<'_>) -> Option<Host> {
    let text = value.string("a DNS name")?;
    if text.is_empty() {
        return value.invalid("is empty: name the server, or leave it out for the host of the server's URL");
    }
    let Some(host) = Host::parse(text) else {
        return value.invalid("must be a DNS name or an IP address");
    };
    check_server_name(value, &host)?;
    Some(host)
}

/// Checks that TLS can ask for a server of this name.
pub(super) fn check_server_name(value: &Value<'_>, host: &Host) -> Option<()> {
    content::server_name(value, host)
}

fn pin(value: &Value<'_>) -> Option<[u8; 32]> {
    const WANTED: &str = "the SHA-256 of a public key in base64: 44 characters, as `openssl x509 -in FILE -pubkey -noout | \
        openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | base64` prints it";
    let text = value.string(WANTED)?;
    let digest = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    digest.or_else(|| value.invalid(format!("must be {WANTED}")))
}

/// Checks of what only a program with TLS can judge.
#[cfg(feature = "gateway")]
mod content {
    use std::path::Path;

    use rustls_pki_types::ServerName;

    use crate::config::{address::Host, error::ErrorKind, model::CertificateFiles, reader::Value};
    use crate::tls::error::TlsError;
    use crate::tls::pem_file::{PemFile, certified_key};
    use crate::tls::provider;

    pub(super) fn pair(certificate: &Value<'_>, key: &Value<'_>, files: &CertificateFiles) -> Option<()> {
        let provider = provider();
        let read = |value: &Value<'_>, path: &Path| report(value, PemFile::read(path));
        let chain = read(certificate, &files.certificate);
        let private_key = read(key, &files.key);
        // Each is checked by itself, so that both can be reported.
        let good = chain.as_ref().and_then(|file| report(certificate, file.chain()));
        report(key, private_key.as_ref()?.private_key(&provider))?;
        good?;
        report(key, certified_key(&chain?, &private_key?, &provider))?;
        Some(())
    }

    pub(super) fn authorities(value: &Value<'_>, path: &Path) {
        report(value, PemFile::read(path).and_then(|file| file.roots()));
    }

    pub(super) fn server_name(value: &Value<'_>, host: &Host) -> Option<()> {
        match host {
            Host::Name(name) if ServerName::try_from(&**name).is_err() => value.invalid(
                "has a host that cannot be the name in a certificate: use letters, digits, dots and hyphens",
            ),
            Host::Name(_) | Host::Address(_) => Some(()),
        }
    }

    fn report<T>(value: &Value<'_>, checked: Result<T, TlsError>) -> Option<T> {
        match checked {
            Ok(good) => Some(good),
            Err(error) => value.fail(ErrorKind::FileUnusable, error.to_string()),
        }
    }
}

/// Without TLS in the program, nothing uses the files.
#[cfg(not(feature = "gateway"))]
mod content {
    use std::path::Path;

    use crate::config::{address::Host, model::CertificateFiles, reader::Value};

    pub(super) fn pair(_: &Value<'_>, _: &Value<'_>, _: &CertificateFiles) -> Option<()> {
        Some(())
    }

    pub(super) fn authorities(_: &Value<'_>, _: &Path) {}

    pub(super) fn server_name(_: &Value<'_>, _: &Host) -> Option<()> {
        Some(())
    }
}
