//! Certificates and keys as openssl and others make them.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::error::TlsError;
use super::pem_file::{PemFile, certified_key};
use super::provider;

/// Runs openssl in a folder.
fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").args(arguments.split(' ')).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn load(folder: &Path, certificate: &str, key: &str) -> Result<(), TlsError> {
    let (certificate, key) = (PemFile::read(&folder.join(certificate))?, PemFile::read(&folder.join(key))?);
    certified_key(&certificate, &key, &provider()).map(|_| ())
}

#[track_caller]
fn refused(folder: &Path, certificate: &str, key: &str, problem: &str, remedy: &str) {
    let message = load(folder, certificate, key).unwrap_err().to_string();
    assert!(message.contains(problem), "{message}");
    assert!(message.contains(remedy), "{message}");
}

const P256: &str = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";

#[test]
fn files_of_openssl_are_used_or_refused_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    openssl(dir, &format!("req -x509 {P256} -subj /CN=a -days 2 -keyout good.key -out good.pem"));
    load(dir, "good.pem", "good.key").unwrap();

    let p521 = "-newkey ec -pkeyopt ec_paramgen_curve:P-521 -nodes";
    openssl(dir, &format!("req -x509 {p521} -subj /CN=a -days 2 -keyout p521.key -out p521.pem"));
    refused(dir, "p521.pem", "p521.key", "P-521", "ec_paramgen_curve:P-256");
    openssl(dir, "ec -in p521.key -out p521-sec1.key");
    refused(dir, "p521.pem", "p521-sec1.key", "P-521", "ec_paramgen_curve:P-256");

    openssl(dir, "pkey -in good.key -aes256 -passout pass:x -out encrypted.key");
    refused(dir, "good.pem", "encrypted.key", "encrypted with a passphrase", "openssl pkey -in");
    openssl(dir, "ec -in good.key -aes256 -passout pass:x -out encrypted-sec1.key");
    refused(dir, "good.pem", "encrypted-sec1.key", "encrypted with a passphrase", "openssl pkey -in");

    refused(
        dir,
        "good.key",
        "good.key",
        "no certificate, but a private key",
        "name the file of the certificate",
    );
    refused(
        dir,
        "good.pem",
        "good.pem",
        "no private key, but a certificate",
        "name the file of its private key",
    );
    openssl(dir, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out other.key");
    refused(dir, "good.pem", "other.key", "does not belong to the certificate", "good.pem");
    openssl(dir, "x509 -in good.pem -outform der -out good.der");
    refused(dir, "good.der", "good.key", "is in DER", "openssl x509 -inform der");
}

#[test]
fn garbage_and_missing_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("garbage.pem"), "not a certificate\n").unwrap();
    refused(folder.path(), "garbage.pem", "garbage.pem", "garbage.pem contains no certificate", "");
    refused(folder.path(), "missing.pem", "garbage.pem", "cannot read", "missing.pem");
}

#[test]
fn a_certificate_of_version_1_is_recognized() {
    // openssl 3.4 and later make version 3 also without extensions, so one of version 1 is kept here.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("v1.pem"), V1).unwrap();
    let error = PemFile::read(&folder.path().join("v1.pem")).unwrap().chain().unwrap_err();
    assert!(matches!(error, TlsError::Version1(_)), "{error}");
    let message = error.to_string();
    assert!(message.contains("X.509 version 1") && message.contains("subjectAltName = DNS:"), "{message}");
}

/// A certificate that `openssl x509 -req -signkey` of openssl 3.0 made.
const V1: &str = "\
-----BEGIN CERTIFICATE-----
MIIBFTCBuwIUM3vag+z3hTNE9toaiWS7VnYU02swCgYIKoZIzj0EAwIwDDEKMAgG
A1UEAwwBYTAgFw0yNjExMjcwODM3NTBaGA8yMTI2MTEwMzA4Mzc1MFowDDEKMAgG
A1UEAwwBYTBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIpBtTzKS3FdxoEwqe8d
i/7Kn4wcxGkT5Pc/FgB6J7zZfIjuZByzYAcLX/rZ1GQeqS52Q+Hi28m3F4QTx4gl
D0EwCgYIKoZIzj0EAwIDSQAwRgIhAPRPIiryzZR5s9WM6zIAWUI8EPMu/Q561y6S
SkJVXfjEAiEAg2BjWmrthSlf4PtqrAHx5vz3z4NQZ4p4xdWgLvqkMWY=
-----END CERTIFICATE-----
";
