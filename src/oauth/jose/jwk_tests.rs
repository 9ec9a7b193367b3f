use super::*;
use crate::oauth::jose::testing::{RFC7515_EC, RFC7638_RSA, RFC8037_ED25519, TestKey};
use proptest::prelude::*;

thread_local! {
    /// The signatures that this thread has verified, as far as each took the time of a computation.
    pub(super) static VERIFICATIONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Returns how many verifications `work` makes.
pub(in crate::oauth::jose) fn verifications(work: impl FnOnce()) -> usize {
    let before = VERIFICATIONS.get();
    work();
    VERIFICATIONS.get() - before
}

fn parse(json: &str) -> Result<Jwk, JwkError> {
    Jwk::parse(json.as_bytes())
}

#[test]
fn thumbprints_of_the_rfcs() {
    let table = [
        // RFC 7638 §3.1
        (RFC7638_RSA, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        // RFC 8037 appendix A.3
        (RFC8037_ED25519, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        // RFC 9449 §6.1
        (
            r#"{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs",
                "y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}"#,
            "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
        ),
    ];
    for (json, thumbprint) in table {
        assert_eq!(parse(json).unwrap().thumbprint().to_string(), thumbprint);
    }
}

#[test]
fn a_thumbprint_is_of_the_key_alone() {
    let key = TestKey::p256();
    let plain = parse(&key.jwk("")).unwrap();
    let dressed = parse(&key.jwk(r#","kid":"x","alg":"ES256","use":"sig","x5c":["AA"]"#)).unwrap();
    assert_eq!(plain.thumbprint(), dressed.thumbprint());
    assert_ne!(plain.thumbprint(), TestKey::p256().public().thumbprint());
}

#[test]
fn private_keys_are_refused_whatever_else_is_wrong() {
    for (key, names) in [
        (TestKey::p256(), &["d"][..]),
        (TestKey::ed25519(), &["d"]),
        (TestKey::rsa(), &["d", "p", "q", "dp", "dq", "qi", "oth"]),
    ] {
        for &name in names {
            let json = key.jwk(&format!(r#","{name}":"AA""#));
            assert_eq!(parse(&json), Err(JwkError::Private(name)), "{json}");
        }
    }
    assert_eq!(parse(r#"{"kty":"oct","k":"AA"}"#), Err(JwkError::Private("k")));
    assert_eq!(parse(r#"{"kty":7,"d":null}"#), Err(JwkError::Private("d")));
    let shown = JwkError::Private("d").to_string();
    assert!(shown.contains("private") && shown.contains("\"d\""), "{shown}");
}

#[test]
fn members_of_each_kind() {
    let (good, ed) = (RFC7515_EC, RFC8037_ED25519);
    let table = [
        (good.replace("P-256", "P-384"), JwkError::Curve),
        (good.replace("P-256", "secp256k1"), JwkError::Curve),
        (good.replace("\"EC\"", "\"OKP\""), JwkError::Curve),
        (good.replace("\"EC\"", "\"ec\""), JwkError::KeyType),
        (good.replace("\"EC\"", "[\"EC\"]"), JwkError::Member("kty")),
        (good.replace("\"x\"", "\"X\""), JwkError::Member("x")),
        (good.replace("\"f83O", "\"+83O"), JwkError::Member("x")),
        (good.replace("\"f83O", "\"AAAf83O"), JwkError::Member("x")),
        (good.replace("5a0\"", "5a0=\""), JwkError::Member("y")),
        (good.replace("5a0\"", "5a1\""), JwkError::Member("y")),
        (good.replace("\"y\":\"x_FE", "\"y\":[\"x_FE").replace("5a0\"", "5a0\"]"), JwkError::Member("y")),
        (good.replace('}', r#","alg":"RS256"}"#), JwkError::Algorithm),
        (good.replace('}', r#","alg":"HS256"}"#), JwkError::Algorithm),
        (good.replace('}', r#","alg":"none"}"#), JwkError::Algorithm),
        (good.replace('}', r#","alg":null}"#), JwkError::Algorithm),
        (good.replace('}', r#","use":"enc"}"#), JwkError::Use),
        (good.replace('}', r#","use":["sig"]}"#), JwkError::Use),
        (good.replace('}', r#","key_ops":["sign"]}"#), JwkError::Use),
        (good.replace('}', r#","key_ops":"verify"}"#), JwkError::Use),
        (good.replace('}', r#","kid":1}"#), JwkError::Member("kid")),
        (good.replace('}', &format!(r#","kid":"{}"}}"#, "k".repeat(257))), JwkError::Member("kid")),
        (good.replace('}', r#","kty":"EC"}"#), JwkError::Malformed),
        (ed.replace("Ed25519", "X25519"), JwkError::Curve),
        (ed.replace("Ed25519", "Ed448"), JwkError::Curve),
        (ed.replace("URo\"", "UR\""), JwkError::Member("x")),
        ("[]".to_owned(), JwkError::Malformed),
        (" ".repeat(Jwk::MAX_LENGTH + 1), JwkError::TooLong),
    ];
    for (json, error) in table {
        assert_eq!(parse(&json), Err(error), "{json}");
    }
    for extra in
        [r#","use":"sig","key_ops":["sign","verify"],"alg":"ES256","kid":"é""#, r#","unknown":{"d":1}"#]
    {
        assert!(parse(&good.replace('}', &format!("{extra}}}"))).is_ok(), "{extra}");
    }
    assert!(parse(&ed.replace('}', r#","alg":"Ed25519"}"#)).is_ok());
}

#[test]
fn rsa_numbers() {
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let (n, e) = (base64url::encode(modulus), base64url::encode(exponent));
        parse(&format!(r#"{{"kty":"RSA","n":"{n}","e":"{e}"}}"#)).map(drop)
    };
    let modulus = |octets: usize, first: u8| {
        let mut modulus = vec![0x55; octets];
        modulus[0] = first;
        modulus
    };
    let f4 = [1, 0, 1];
    assert_eq!(rsa(&modulus(256, 0x80), &f4), Ok(()));
    assert_eq!(rsa(&modulus(512, 0xff), &f4), Ok(()));
    assert_eq!(rsa(&modulus(256, 0x7f), &f4), Err(JwkError::ModulusLength(2047)));
    assert_eq!(rsa(&modulus(513, 0x01), &f4), Err(JwkError::ModulusLength(4097)));
    assert_eq!(rsa(&modulus(128, 0xff), &f4), Err(JwkError::ModulusLength(1024)));
    assert_eq!(rsa(&modulus(257, 0x00), &f4), Err(JwkError::Member("n")), "a leading zero octet");
    assert_eq!(rsa(&[], &f4), Err(JwkError::Member("n")));
    let mut even = modulus(256, 0x80);
    even[255] = 0x54;
    assert_eq!(rsa(&even, &f4), Err(JwkError::Member("n")));
    let n = modulus(256, 0x80);
    for exponent in [&[1][..], &[3], &[1, 0, 0], &[0xff, 0xff], &[1, 0, 2], &[1, 0, 0, 0, 1], &[0xff; 300]] {
        assert_eq!(rsa(&n, exponent), Err(JwkError::Exponent), "{exponent:?}");
    }
    assert_eq!(rsa(&n, &[0, 1, 0, 1]), Err(JwkError::Member("e")));
    assert_eq!(rsa(&n, &[]), Err(JwkError::Member("e")));
    assert_eq!(rsa(&n, &[0xff, 0xff, 0xff, 0xff]), Ok(()));
}

#[test]
fn debug_shows_no_numbers() {
    let shown = format!("{:?}", parse(RFC7638_RSA).unwrap());
    assert!(shown.contains("RSA") && shown.contains("2011-04-29") && !shown.contains("0vx7"), "{shown}");
}

proptest! {
    #[test]
    fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Jwk::parse(&bytes);
    }

    #[test]
    fn odd_members_never_panic(kty in "EC|OKP|RSA|x", crv in "P-256|Ed25519|y", n in "[A-Za-z0-9_=-]{0,60}", e in "[A-Za-z0-9_-]{0,12}") {
        let _ = parse(&format!(r#"{{"kty":"{kty}","crv":"{crv}","x":"{n}","y":"{n}","n":"{n}","e":"{e}"}}"#));
    }
}
