use super::*;
use crate::oauth::jose::testing::{TestKey, tampered};
use crate::oauth::jose::{Algorithm, JwkError};
use http::HeaderValue;
use proptest::prelude::*;
use std::sync::LazyLock;

// RFC 9449, figures 1, 9 and 12.
const TOKEN_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";
const API_REQUEST: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";
const ACCESS_TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

const NOW: u64 = 1_800_000_000;
static ORIGINS: LazyLock<PublicOrigins> = LazyLock::new(|| {
    let origins = ["https://api.example", "https://server.example.com", "https://resource.example.org"];
    origins.into_iter().filter_map(PublicOrigin::parse).collect()
});

/// A GET of `https://api.example/orders/7`.
fn expect() -> Expect<'static> {
    static API: LazyLock<Option<PublicOrigin>> = LazyLock::new(|| PublicOrigin::parse("https://api.example"));
    Expect {
        method: "GET",
        origins: &ORIGINS,
        requested: API.as_ref(),
        path: "/orders/7",
        now: NOW,
        earliest: 0,
        max_age: 60,
        max_ahead: 5,
        token: None,
    }
}
const GOOD: &str = r#"{"jti":"one","htm":"GET","htu":"https://api.example/orders/7","iat":1800000000}"#;

fn proof_of(key: &TestKey, claims: &str) -> String {
    let (algorithm, jwk) = (key.algorithm(), key.jwk(""));
    key.sign(&format!(r#"{{"typ":"dpop+jwt","alg":"{algorithm}","jwk":{jwk}}}"#), claims)
}

#[test]
fn the_examples_of_rfc_9449() {
    let jkt = Thumbprint::parse(JKT).unwrap();
    let at_token_endpoint =
        Expect { method: "POST", requested: None, path: "/token", now: 1_562_262_616, ..expect() };
    let proof = check(TOKEN_REQUEST, &at_token_endpoint).unwrap();
    assert_eq!((proof.key, proof.jti.as_str(), proof.issued), (jkt, "-BwC3ESc6acc2lTc", 1_562_262_616));
    assert_eq!((proof.nonce, proof.remember_until), (None, 1_562_262_677_000));

    let with_token = |access_token, key| Expect {
        method: "GET",
        requested: None,
        path: "/protectedresource",
        now: 1_562_262_618,
        token: Some(BoundToken { access_token, key }),
        ..expect()
    };
    assert_eq!(check(API_REQUEST, &with_token(ACCESS_TOKEN, jkt)).unwrap().jti, "e1j3V_bKic8-LAEB");
    assert_eq!(check(API_REQUEST, &with_token("another", jkt)), Err(DpopError::TokenDigest));
    let other_key = TestKey::p256().public().thumbprint();
    assert_eq!(check(API_REQUEST, &with_token(ACCESS_TOKEN, other_key)), Err(DpopError::Key));
    // A proof without `ath` is refused for a request with a token.
    let token = Some(BoundToken { access_token: ACCESS_TOKEN, key: jkt });
    assert_eq!(check(TOKEN_REQUEST, &Expect { token, ..at_token_endpoint }), Err(DpopError::Claim("ath")));
    for place in 0..API_REQUEST.len() {
        assert!(
            check(&tampered(API_REQUEST, place), &with_token(ACCESS_TOKEN, jkt)).is_err(),
            "place {place}"
        );
    }
}

#[test]
fn each_kind_of_key() {
    for key in [TestKey::p256(), TestKey::ed25519(), TestKey::rsa()] {
        assert_eq!(check(&proof_of(&key, GOOD), &expect()).unwrap().key, key.public().thumbprint());
    }
    let rsa = TestKey::rsa();
    let header = format!(r#"{{"typ":"dpop+jwt","alg":"PS256","jwk":{}}}"#, rsa.jwk(""));
    assert!(check(&rsa.sign_as(Algorithm::Ps256, &header, GOOD), &expect()).is_ok());
}

#[test]
fn claims_by_section_4_3() {
    use DpopError::*;
    let key = TestKey::ed25519();
    let with = |from: &str, to: &str| {
        let claims = GOOD.replace(from, to);
        assert_ne!(claims, GOOD, "{from} is not in the example");
        claims
    };
    let long = format!(r#""jti":"{}""#, "x".repeat(257));
    let just = format!(r#""jti":"{}""#, "x".repeat(256));
    let jti = r#""jti":"one""#;
    let iat = "1800000000";
    let table = [
        (GOOD.to_owned(), Ok(NOW)),
        // 3
        (with(r#""jti":"one","#, ""), Err(Claim("jti"))),
        (with(jti, r#""jti":"""#), Err(Claim("jti"))),
        (with(jti, r#""jti":17"#), Err(Claim("jti"))),
        (with(jti, &long), Err(Claim("jti"))),
        (with(jti, &just), Ok(NOW)),
        (with(r#""htm":"GET","#, ""), Err(Claim("htm"))),
        (with(r#""htm":"GET""#, r#""htm":["GET"]"#), Err(Claim("htm"))),
        (with(r#","iat":1800000000"#, ""), Err(Claim("iat"))),
        (with(r#""htu":"https://api.example/orders/7","#, ""), Err(Claim("htu"))),
        (with(jti, r#""jti":"one","htm":"POST""#), Err(Signature(JwsError::Claims))),
        // 8
        (with(r#""htm":"GET""#, r#""htm":"POST""#), Err(Method)),
        (with(r#""htm":"GET""#, r#""htm":"get""#), Err(Method)),
        // 9
        (with("https://api.example/orders/7", "HTTPS://API.example:443/orders/%37?page=1#top"), Ok(NOW)),
        (with("/orders/7", "/orders/8"), Err(Uri)),
        (with("https:", "http:"), Err(Uri)),
        (with("https://api.example", "https://api.example:8443"), Err(Uri)),
        (with("https://api.example", ""), Err(Uri)),
        // 10: passed on
        (with(jti, r#""jti":"one","nonce":"n""#), Ok(NOW)),
        (with(jti, r#""jti":"one","nonce":1"#), Err(Claim("nonce"))),
        // 11
        (with(iat, "1799999940"), Ok(NOW - 60)),
        (with(iat, "1799999939"), Err(Old)),
        (with(iat, "1800000005"), Ok(NOW + 5)),
        (with(iat, "1800000006"), Err(Ahead)),
        (with(iat, "\"1800000000\""), Err(Claim("iat"))),
        (with(iat, "1e99"), Err(Claim("iat"))),
        // 12 is for requests with a token; without one, `ath` is ignored
        (with(jti, r#""jti":"one","ath":"x""#), Ok(NOW)),
    ];
    for (claims, expected) in table {
        assert_eq!(
            check(&proof_of(&key, &claims), &expect()).map(|proof| proof.issued),
            expected,
            "{claims}"
        );
    }
    let nonce = check(&proof_of(&key, &with(jti, r#""jti":"one","nonce":"n""#)), &expect()).unwrap().nonce;
    assert_eq!(nonce.as_deref(), Some("n"));
}

#[test]
fn the_origin_of_a_proof_is_one_of_the_servers() {
    let key = TestKey::ed25519();
    let proof = |htu: &str| proof_of(&key, &GOOD.replace("https://api.example/orders/7", htu));
    let origin = |text: &str| PublicOrigin::parse(text).unwrap();
    // What the proof names, what the request names, and whether they go together.
    let rows = [
        ("https://api.example/orders/7", "https://api.example", true),
        ("https://elsewhere.example/orders/7", "https://api.example", false),
        // The attack: the caller sends the Host that the proof was made for.
        ("https://elsewhere.example/orders/7", "https://elsewhere.example", false),
        ("https://api.example/orders/7", "https://server.example.com", false),
        ("https://api.example/orders/7", "https://10.0.0.7:8443", true),
        ("https://api.example/orders/8", "https://10.0.0.7:8443", false),
    ];
    for (htu, requested, good) in rows {
        let requested = origin(requested);
        let checked = check(&proof(htu), &Expect { requested: Some(&requested), ..expect() });
        assert_eq!(checked.is_ok(), good, "{htu} {requested}");
        assert!(good || checked == Err(DpopError::Uri));
    }
    assert!(check(GOOD, &Expect { origins: &PublicOrigins::default(), ..expect() }).is_err());
}

#[test]
fn a_proof_from_before_the_start_is_refused() {
    let proof = proof_of(&TestKey::ed25519(), GOOD);
    assert!(check(&proof, &Expect { earliest: NOW, ..expect() }).is_ok());
    assert_eq!(check(&proof, &Expect { earliest: NOW + 1, ..expect() }), Err(DpopError::BeforeStart));
}

#[test]
fn headers_by_section_4_3() {
    use DpopError::*;
    let key = TestKey::p256();
    let (public, private) = (key.jwk(""), key.jwk(r#","d":"AA""#));
    let (stranger, enc) = (TestKey::p256().jwk(""), key.jwk(r#","use":"enc""#));
    let table = [
        (format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{public}}}"#), Ok(())),
        (format!(r#"{{"typ":"DPoP+JWT","alg":"ES256","jwk":{public}}}"#), Ok(())),
        (format!(r#"{{"typ":"JWT","alg":"ES256","jwk":{public}}}"#), Err(Type)),
        (format!(r#"{{"alg":"ES256","jwk":{public}}}"#), Err(Type)),
        (format!(r#"{{"typ":"dpop+jwt","alg":"none","jwk":{public}}}"#), Err(Signature(JwsError::Algorithm))),
        (
            format!(r#"{{"typ":"dpop+jwt","alg":"HS256","jwk":{public}}}"#),
            Err(Signature(JwsError::Algorithm)),
        ),
        (format!(r#"{{"typ":"dpop+jwt","jwk":{public}}}"#), Err(Signature(JwsError::Algorithm))),
        // The algorithm is not one of the key's kind.
        (
            format!(r#"{{"typ":"dpop+jwt","alg":"RS256","jwk":{public}}}"#),
            Err(Signature(JwsError::UnknownKey)),
        ),
        (
            format!(r#"{{"typ":"dpop+jwt","alg":"EdDSA","jwk":{public}}}"#),
            Err(Signature(JwsError::UnknownKey)),
        ),
        (
            r#"{"typ":"dpop+jwt","alg":"ES256"}"#.to_owned(),
            Err(Signature(JwsError::Key(JwkError::Member("jwk")))),
        ),
        (
            format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{private}}}"#),
            Err(Signature(JwsError::Key(JwkError::Private("d")))),
        ),
        (
            format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{enc}}}"#),
            Err(Signature(JwsError::Key(JwkError::Use))),
        ),
        (
            format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{stranger}}}"#),
            Err(Signature(JwsError::Signature)),
        ),
        (
            format!(r#"{{"typ":"dpop+jwt","alg":"ES256","jwk":{public},"crit":["x"]}}"#),
            Err(Signature(JwsError::Critical)),
        ),
    ];
    for (header, expected) in table {
        assert_eq!(check(&key.sign(&header, GOOD), &expect()).map(drop), expected, "{header}");
    }
    let long = GOOD.replace('}', &format!(r#","pad":"{}"}}"#, "x".repeat(MAX_LENGTH)));
    assert_eq!(check(&proof_of(&key, &long), &expect()), Err(Signature(JwsError::TooLong)));
}

#[test]
fn the_largest_key_fits() {
    // 4096 bits: 683 characters of modulus, encoded once more in the header, and 683 of signature.
    let (n, signature) = ("A".repeat(683), "A".repeat(683));
    let header = format!(r#"{{"typ":"dpop+jwt","alg":"RS256","jwk":{{"kty":"RSA","n":"{n}","e":"AQAB"}}}}"#);
    let encode = |text: &str| base64url::encode(text.as_bytes());
    assert!(encode(&header).len() + encode(GOOD).len() + signature.len() + 1000 < MAX_LENGTH);
}

#[test]
fn exactly_one_header() {
    let mut headers = HeaderMap::new();
    assert_eq!(from_headers(&headers), Ok(None));
    headers.insert("DPoP", HeaderValue::from_static("one"));
    assert_eq!(from_headers(&headers), Ok(Some("one")));
    headers.append("dpop", HeaderValue::from_static("one"));
    assert_eq!(from_headers(&headers), Err(DpopError::Header));
    headers.insert("dpop", HeaderValue::from_bytes(b"\xff").unwrap());
    assert_eq!(from_headers(&headers), Err(DpopError::Header));
    // Two proofs in one line are refused, because a comma is not base64url.
    assert_eq!(
        check(&format!("{TOKEN_REQUEST}, {API_REQUEST}"), &expect()),
        Err(DpopError::Signature(JwsError::Compact))
    );
}

#[test]
fn an_access_token_is_not_shown_by_debug() {
    let token = BoundToken { access_token: "tg_secret", key: Thumbprint::parse(JKT).unwrap() };
    let shown = format!("{:?}", Expect { token: Some(token), ..expect() });
    assert!(shown.contains(JKT) && !shown.contains("tg_secret"), "{shown}");
}

proptest! {
    #[test]
    fn garbage_never_panics_and_never_passes(text in any::<String>()) {
        prop_assert!(check(&text, &expect()).is_err());
    }

    #[test]
    fn signed_garbage_never_panics(htu in any::<String>(), iat in any::<f64>(), now in any::<u64>(), age in any::<u64>(), ahead in any::<u64>()) {
        let htu = serde_json::Value::String(htu);
        let claims = format!(r#"{{"jti":"x","htm":"GET","htu":{htu},"iat":{iat:e}}}"#);
        let expect = Expect { now, max_age: age, max_ahead: ahead, ..expect() };
        let _ = check(&proof_of(&TestKey::ed25519(), &claims), &expect);
    }
}
