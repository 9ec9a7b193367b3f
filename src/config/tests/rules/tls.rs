//! Certificates, keys, and how servers are verified.

use std::fs;
use std::path::Path;

use super::super::parse_in;
use crate::config::ErrorKind;

/// Returns the errors of a text, one line per error.
fn lines(text: &str, folder: &Path) -> Vec<String> {
    parse_in(text, folder).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn every_bad_file_is_reported_with_its_position_beside_other_errors() {
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let other = rcgen::KeyPair::generate().unwrap();
    fs::write(folder.path().join("good.pem"), pair.cert.pem()).unwrap();
    fs::write(folder.path().join("other.key"), other.serialize_pem()).unwrap();
    fs::write(folder.path().join("garbage"), "nothing\n").unwrap();
    let text = r#"
[server]
threads = "two"
[server.tls]
certificate = "good.pem"
key = "other.key"
client_ca = "garbage"
[[server.tls.certificates]]
certificate = "garbage"
key = "good.pem"
[upstreams.a]
servers = ["https://a.test"]
tls = { ca = "garbage", client_certificate = "garbage", client_key = "garbage" }
"#;
    let found = lines(text, folder.path());
    let expected = [
        ("gateway.toml:3:11: server.threads", "must be a whole number"),
        ("gateway.toml:6:7: server.tls.key", "does not belong to the certificate in"),
        ("gateway.toml:7:13: server.tls.client_ca", "garbage contains no certificate"),
        ("gateway.toml:9:15: server.tls.certificates[0].certificate", "garbage contains no certificate"),
        ("gateway.toml:10:7: server.tls.certificates[0].key", "no private key, but a certificate"),
        ("gateway.toml:13:14: upstreams.a.tls.ca", "garbage contains no certificate"),
        ("gateway.toml:13:46: upstreams.a.tls.client_certificate", "garbage contains no certificate"),
        ("gateway.toml:13:70: upstreams.a.tls.client_key", "garbage contains no private key"),
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for ((place, text), found) in expected.into_iter().zip(&found) {
        assert!(found.starts_with(place) && found.contains(text), "{place} {text}\n{found}");
    }
}

#[test]
fn tls_that_verifies_nothing_or_contradicts_itself_is_refused() {
    let pin = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let text = |tls: &str| format!("[upstreams.a]\nservers = [\"https://a.test\"]\ntls = {{ {tls} }}\n");
    for (tls, kind, message) in [
        ("pin_sha256 = []".to_owned(), ErrorKind::InvalidValue, "no server would be accepted"),
        ("pin_sha256 = [\"00\"]".to_owned(), ErrorKind::InvalidValue, "openssl x509 -in FILE -pubkey"),
        (
            format!("pin_sha256 = [\"{pin}\"]\ninsecure_skip_verify = true").replace('\n', ", "),
            ErrorKind::Conflict,
            "accepts any certificate",
        ),
        (
            "ca = \"src/config/tests/authority.pem\", insecure_skip_verify = true".to_owned(),
            ErrorKind::Conflict,
            "accepts any certificate",
        ),
    ] {
        let error = super::super::only_error(&text(&tls));
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.message.contains(message), "{error}");
    }
    let good = super::super::good(&text("insecure_skip_verify = true"));
    assert!(good.upstreams[0].tls.insecure_skip_verify);
}

#[test]
fn a_client_certificate_is_not_for_requests_without_a_token() {
    let pair = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.pem"), pair.cert.pem()).unwrap();
    fs::write(folder.path().join("a.key"), pair.signing_key.serialize_pem()).unwrap();
    let text = |server: &str, route: &str| {
        format!(
            "[server]\n{server}\n[upstreams.a]\nservers = [\"https://a.test\"]\n\
             tls = {{ client_certificate = \"a.pem\", client_key = \"a.key\" }}\n\
             [[routes]]\nprefix = \"/a\"\nupstream = \"a\"\n{route}\n"
        )
    };
    let shadow = "mode = \"shadow\"";
    for (server, route, place) in [
        ("", shadow, Some("gateway.toml:9:8: routes[0].mode")),
        (shadow, "", Some("gateway.toml:6:1: routes[0]")),
        (shadow, "access = \"public\"", None),
        (shadow, "mode = \"enforce\"", None),
    ] {
        let parsed = parse_in(&text(server, route), folder.path());
        let errors = parsed.as_ref().err().map(|errors| errors.iter().map(ToString::to_string));
        let mut found: Vec<String> = errors.into_iter().flatten().collect();
        found.retain(|line| line.contains("client_certificate"));
        match place {
            Some(place) => {
                assert!(found.len() == 1 && found[0].starts_with(place), "{found:?}");
                assert!(found[0].contains("write mode = \"enforce\""), "{found:?}");
            }
            None => assert!(found.is_empty(), "{found:?}"),
        }
    }
}
