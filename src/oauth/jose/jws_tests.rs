use super::*;
use crate::oauth::jose::testing::{RFC7515_EC, RFC8037_ED25519, TestKey, tampered};
use proptest::prelude::*;

const MAX: usize = 8 * 1024;

fn verify(compact: &str, keys: &Jwks) -> Result<(), JwsError> {
    Jws::parse(compact, MAX)?.verify_with(keys)
}

fn parse_error(compact: &str) -> Option<JwsError> {
    Jws::parse(compact, MAX).err()
}

fn compact(header: &str, claims: &str) -> String {
    let encode = |text: &str| base64url::encode(text.as_bytes());
    format!("{}.{}.{}", encode(header), encode(claims), encode("signature"))
}

#[test]
fn rfc_7515_appendix_a_3() {
    let example = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let keys = Jwks::from(Jwk::parse(RFC7515_EC.as_bytes()).unwrap());
    assert_eq!(verify(example, &keys), Ok(()));
    let stranger = Jwks::from(TestKey::p256().public());
    assert_eq!(verify(example, &stranger), Err(JwsError::Signature));
    assert_eq!(verify(example, &Jwks::default()), Err(JwsError::UnknownKey));
}

#[test]
fn rfc_8037_appendix_a_4_signature() {
    // The payload there is not JSON, so this tests the layer below the claims: same bytes, same key, same
    // signature.
    let key = Jwk::parse(RFC8037_ED25519.as_bytes()).unwrap();
    let signed = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = base64url::decode(
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    )
    .unwrap();
    assert!(key.verifies(Algorithm::EdDsa, signed, &signature));
    assert!(!key.verifies(Algorithm::EdDsa, b"other", &signature));
    assert!(!key.verifies(Algorithm::Es256, signed, &signature));
}

#[test]
fn each_algorithm_with_each_key() {
    let keys = [TestKey::p256(), TestKey::ed25519(), TestKey::rsa()];
    for name in Algorithm::NAMES {
        let algorithm = Algorithm::from_name(name).unwrap();
        for signer in &keys {
            let compact = signer.sign_as(algorithm, &format!(r#"{{"alg":"{name}"}}"#), r#"{"a":1}"#);
            for held in &keys {
                let fits = held.public().fits(algorithm);
                let same = held.algorithm() == signer.algorithm();
                let expected = match (fits, same) {
                    (true, true) => Ok(()),
                    (true, false) => Err(JwsError::Signature),
                    (false, _) => Err(JwsError::UnknownKey),
                };
                assert_eq!(verify(&compact, &Jwks::from(held.public())), expected, "{name}");
            }
        }
    }
}

#[test]
fn the_padding_is_the_one_named() {
    let key = TestKey::rsa();
    let keys = Jwks::from(key.public());
    let crossed = [("RS256", Algorithm::Ps256), ("PS256", Algorithm::Rs256)];
    for (named, made) in crossed {
        let compact = key.sign_as(made, &format!(r#"{{"alg":"{named}"}}"#), "{}");
        assert_eq!(verify(&compact, &keys), Err(JwsError::Signature), "{named}");
    }
    // The key's own `alg` limits its use (RFC 8725 §3.1).
    let only_ps256 = Jwks::from(Jwk::parse(key.jwk(r#","alg":"PS256""#).as_bytes()).unwrap());
    let rs256 = key.sign_as(Algorithm::Rs256, r#"{"alg":"RS256"}"#, "{}");
    assert_eq!(verify(&rs256, &keys), Ok(()));
    assert_eq!(verify(&rs256, &only_ps256), Err(JwsError::UnknownKey));
}

#[test]
fn one_changed_character_anywhere_is_noticed() {
    for key in [TestKey::p256(), TestKey::ed25519(), TestKey::rsa()] {
        let compact =
            key.sign(&format!(r#"{{"alg":"{}"}}"#, key.algorithm()), r#"{"sub":"server","aud":"x"}"#);
        let keys = Jwks::from(key.public());
        assert_eq!(verify(&compact, &keys), Ok(()));
        for place in 0..compact.len() {
            assert!(verify(&tampered(&compact, place), &keys).is_err(), "place {place} of {compact}");
        }
        for length in 0..compact.len() {
            assert!(verify(&compact[..length], &keys).is_err(), "first {length} of {compact}");
        }
    }
}

#[test]
fn a_der_encoded_ecdsa_signature_is_not_a_jws_signature() {
    // The encoding of openssl. RFC 7518 §3.4 requires r and s side by side.
    let key = TestKey::p256();
    let keys = Jwks::from(key.public());
    let compact = key.sign(r#"{"alg":"ES256"}"#, "{}");
    let (signed, signature) = compact.rsplit_once('.').unwrap();
    let raw = base64url::decode(signature).unwrap();
    let mut der = vec![0x30, 0x46];
    for half in raw.chunks(32) {
        der.extend([0x02, 0x21, 0x00]);
        der.extend(half);
    }
    let compact = format!("{signed}.{}", base64url::encode(&der));
    assert_eq!(verify(&compact, &keys), Err(JwsError::Signature));
    let empty = format!("{signed}.");
    assert_eq!(verify(&empty, &keys), Err(JwsError::Signature));
}

#[test]
fn headers() {
    let claims = "{}";
    let table = [
        (r#"{"alg":"none"}"#, JwsError::Algorithm),
        (r#"{"alg":"HS256"}"#, JwsError::Algorithm),
        (r#"{"alg":"ES512"}"#, JwsError::Algorithm),
        (r#"{"alg":["ES256"]}"#, JwsError::Algorithm),
        (r#"{}"#, JwsError::Algorithm),
        (r#"{"alg":"ES256","alg":"ES256"}"#, JwsError::Header),
        (r#"{"alg":"ES256","jwk":{"kty":"EC","kty":"EC"}}"#, JwsError::Header),
        (r#"["ES256"]"#, JwsError::Header),
        (r#"{"alg":"ES256"} "x""#, JwsError::Header),
        (r#"{"alg":"ES256","crit":["exp"]}"#, JwsError::Critical),
        (r#"{"alg":"ES256","crit":[]}"#, JwsError::Critical),
        (r#"{"alg":"ES256","b64":false}"#, JwsError::Critical),
        (r#"{"alg":"ES256","b64":true}"#, JwsError::Critical),
        (r#"{"alg":"ES256","typ":1}"#, JwsError::Header),
        (r#"{"alg":"ES256","kid":{}}"#, JwsError::Header),
    ];
    for (header, error) in table {
        assert_eq!(parse_error(&compact(header, claims)), Some(error), "{header}");
    }
    let header = r#"{"alg":"ES256"}"#;
    for claims in ["", "[]", "null", r#"{"a":1,"a":2}"#, "{}{}"] {
        assert_eq!(parse_error(&compact(header, claims)), Some(JwsError::Claims), "{claims}");
    }
}

#[test]
fn compact_serialization() {
    let good = compact(r#"{"alg":"ES256"}"#, "{}");
    assert_eq!(parse_error(&good), None);
    let table = [
        String::new(),
        ".".to_owned(),
        "..".replace("..", "."),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.e30"),
        format!("{good}="),
        format!("{good} "),
        format!(" {good}"),
        format!("{good}\n"),
        good.replace('.', ".."),
        good.replace('.', " . "),
        good.replacen('.', "=.", 1),
        good.replacen('.', "", 1),
        "é.é.é".to_owned(),
    ];
    for compact in table {
        assert_eq!(parse_error(&compact), Some(JwsError::Compact), "{compact:?}");
    }
    assert_eq!(parse_error(&"a".repeat(MAX + 1)), Some(JwsError::TooLong));
}

#[test]
fn the_embedded_key_is_public_or_refused() {
    let key = TestKey::ed25519();
    let embed = |jwk: &str| {
        let compact = key.sign(&format!(r#"{{"alg":"EdDSA"{jwk}}}"#), "{}");
        Jws::parse(&compact, MAX).unwrap().embedded_key()
    };
    assert_eq!(embed(&format!(r#","jwk":{}"#, key.jwk(""))), Ok(key.public()));
    assert_eq!(embed(""), Err(JwsError::Key(JwkError::Member("jwk"))));
    assert_eq!(embed(r#","jwk":"x""#), Err(JwsError::Key(JwkError::Malformed)));
    let private = format!(r#","jwk":{}"#, key.jwk(r#","d":"AA""#));
    assert_eq!(embed(&private), Err(JwsError::Key(JwkError::Private("d"))));
}

/// How long a refusal takes must not reveal how many keys a client has, or that it exists.
#[test]
fn every_wrong_signature_costs_the_same_number_of_verifications() {
    use crate::oauth::jose::jwk::tests::verifications;

    let stranger = TestKey::p256();
    let set = |keys: &[(TestKey, &str)]| {
        let keys: Vec<String> = keys.iter().map(|(key, extra)| key.jwk(extra)).collect();
        Jwks::parse(format!(r#"{{"keys":[{}]}}"#, keys.join(",")).as_bytes()).unwrap()
    };
    let p256 = TestKey::p256;
    let sets = [
        Jwks::default(),
        set(&[(p256(), "")]),
        set(&[(p256(), r#","kid":"1""#)]),
        set(&[(p256(), ""), (p256(), ""), (p256(), "")]),
        set(&[(p256(), ""), (p256(), ""), (p256(), ""), (p256(), ""), (p256(), ""), (p256(), "")]),
        set(&[(TestKey::ed25519(), ""), (TestKey::rsa(), ""), (p256(), r#","kid":"2""#)]),
    ];
    for header in [r#"{"alg":"ES256"}"#, r#"{"alg":"ES256","kid":"1"}"#] {
        let forged = stranger.sign(header, "{}");
        for keys in &sets {
            assert_eq!(verifications(|| assert!(verify(&forged, keys).is_err())), 4, "{header} {keys:?}");
        }
    }
    // RSA: a signature that a key refuses at once is refused at once by a decoy, too.
    let keys = [Jwks::default(), set(&[(TestKey::rsa(), "")])];
    for (length, first, cost) in
        [(256, 0x01, 4), (512, 0x01, 4), (256, 0xff, 4), (255, 1, 0), (513, 1, 0), (0, 0, 0)]
    {
        let mut signature = vec![0x7f; length];
        signature.first_mut().into_iter().for_each(|byte| *byte = first);
        for alg in ["RS256", "PS256"] {
            let (signed, _) = compact(&format!(r#"{{"alg":"{alg}"}}"#), "{}")
                .rsplit_once('.')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .unwrap();
            let forged = format!("{signed}.{}", base64url::encode(&signature));
            for keys in &keys {
                assert_eq!(
                    verifications(|| assert!(verify(&forged, keys).is_err())),
                    cost,
                    "{alg} {length} {first} {keys:?}"
                );
            }
        }
    }
    let genuine = stranger.sign(r#"{"alg":"ES256"}"#, "{}");
    let keys = Jwks::from(stranger.public());
    assert_eq!(verifications(|| verify(&genuine, &keys).unwrap()), 1, "a good one costs nothing more");
}

proptest! {
    #[test]
    fn parsing_never_panics(text in any::<String>()) {
        let _ = Jws::parse(&text, MAX);
    }

    #[test]
    fn text_of_the_right_shape_never_panics(header in "[{}\":,a-z0-9E]{0,30}", claims in any::<Vec<u8>>(), signature in any::<Vec<u8>>()) {
        let encode = base64url::encode;
        let text = format!("{}.{}.{}", encode(header.as_bytes()), encode(&claims), encode(&signature));
        let _ = Jws::parse(&text, MAX);
        let text = format!("{}.{}.{}", encode(br#"{"alg":"ES256"}"#), encode(b"{}"), encode(&signature));
        let key = Jwk::parse(RFC7515_EC.as_bytes()).unwrap();
        prop_assert!(Jws::parse(&text, MAX).unwrap().verify(&key).is_err());
    }
}
