use super::*;
use crate::oauth::jose::Algorithm;
use crate::oauth::jose::testing::{TestKey, tampered};
use proptest::prelude::*;

const NOW: u64 = 1_800_000_000;
const EXPECT: Expect<'static> = Expect {
    client_id: "server",
    audiences: &["https://localhost:8443", "https://localhost:8443/oauth/v2/oauth-token"],
    now: NOW,
    earliest: 0,
    max_lifetime: 600,
    max_undated_lifetime: 60,
    leeway: 30,
};
const GOOD: &str = r#"{"iss":"server","sub":"server","aud":"https://localhost:8443","jti":"one","iat":1800000000,"exp":1800000060}"#;

fn check_claims(claims: &str) -> Result<Claims, AssertionError> {
    let key = TestKey::ed25519();
    check(&key.sign(r#"{"alg":"EdDSA"}"#, claims), &Jwks::from(key.public()), &EXPECT)
}

#[test]
fn a_valid_assertion_with_each_algorithm() {
    let keys = [
        (TestKey::p256(), Algorithm::Es256),
        (TestKey::ed25519(), Algorithm::EdDsa),
        (TestKey::rsa(), Algorithm::Rs256),
        (TestKey::rsa(), Algorithm::Ps256),
    ];
    for (key, algorithm) in keys {
        let assertion = key.sign_as(algorithm, &format!(r#"{{"alg":"{algorithm}","typ":"JWT"}}"#), GOOD);
        assert_eq!(peek_client(&assertion).as_deref(), Ok("server"));
        let claims = check(&assertion, &Jwks::from(key.public()), &EXPECT).unwrap();
        assert_eq!((claims.client_id.as_str(), claims.jti.as_str()), ("server", "one"));
        assert_eq!((claims.expires, claims.remember_until), (NOW + 60, (NOW + 90) * 1000));
        let stranger = Jwks::from(
            if algorithm == Algorithm::EdDsa { TestKey::p256() } else { TestKey::ed25519() }.public(),
        );
        assert_eq!(
            check(&assertion, &stranger, &EXPECT),
            Err(AssertionError::Signature(JwsError::UnknownKey))
        );
    }
}

#[test]
fn claims_by_rfc_7523_section_3() {
    let with = |from: &str, to: &str| {
        let claims = GOOD.replace(from, to);
        assert_ne!(claims, GOOD, "{from} is not in the example");
        claims
    };
    let long = "x".repeat(257);
    let aud = r#""https://localhost:8443""#;
    let (exp, iat) = (r#","exp":1800000060"#, r#""iat":1800000000"#);
    use AssertionError::*;
    let table = [
        // 1 and 2B: iss and sub
        (with(r#""iss":"server","#, ""), Err(Claim("iss"))),
        (with(r#""sub":"server","#, ""), Err(Claim("sub"))),
        (with(r#""iss":"server""#, r#""iss":"other""#), Err(Subject)),
        (with(r#""sub":"server""#, r#""sub":"other""#), Err(Subject)),
        (with(r#""server""#, r#""other""#), Err(Subject)),
        (with(r#""sub":"server""#, r#""sub":["server"]"#), Err(Claim("sub"))),
        (with(r#""sub":"server""#, r#""sub":"""#), Err(Claim("sub"))),
        (with(r#""iss":"server""#, &format!(r#""iss":"{long}""#)), Err(Claim("iss"))),
        // 3: aud
        (with(aud, r#""https://localhost:8443/oauth/v2/oauth-token""#), Ok(NOW + 60)),
        (with(aud, r#"["https://elsewhere.example","https://localhost:8443"]"#), Ok(NOW + 60)),
        (with(aud, r#""https://localhost:8443/""#), Err(Audience)),
        (with(aud, r#""https://LOCALHOST:8443""#), Err(Audience)),
        (with(aud, r#""https://elsewhere.example""#), Err(Audience)),
        (with(aud, "[]"), Err(Audience)),
        (with(aud, r#"["https://localhost:8443",1]"#), Err(Claim("aud"))),
        (with(aud, "null"), Err(Claim("aud"))),
        (with(aud, r#"{"https://localhost:8443":1}"#), Err(Claim("aud"))),
        (with(r#""aud":"https://localhost:8443","#, ""), Err(Claim("aud"))),
        // 4: exp
        (with(exp, ""), Err(Claim("exp"))),
        (with(exp, r#","exp":"1800000060""#), Err(Claim("exp"))),
        (with(exp, r#","exp":1e99"#), Err(Claim("exp"))),
        (with(exp, r#","exp":1800000060.75"#), Ok(NOW + 60)),
        (with(exp, r#","exp":1799999971"#), Ok(NOW - 29)),
        (with(exp, r#","exp":1799999970"#), Err(Expired)),
        (with(exp, r#","exp":0"#), Err(Expired)),
        (with(exp, r#","exp":1800000600"#), Ok(NOW + 600)),
        (with(exp, r#","exp":1800000630"#), Err(Lifetime)),
        (with(exp, r#","exp":1800000601"#), Err(Lifetime)),
        (with(exp, r#","exp":253402300799"#), Err(Lifetime)),
        // 5 and 6: nbf and iat
        (with(iat, r#""nbf":1800000030"#), Ok(NOW + 60)),
        (with(iat, r#""nbf":1800000031"#), Err(Early)),
        (with(iat, r#""nbf":"soon""#), Err(Claim("nbf"))),
        (with(iat, r#""iat":1800000030"#), Ok(NOW + 60)),
        (with(iat, r#""iat":1800000031"#), Err(Early)),
        (with(iat, r#""iat":null"#), Err(Claim("iat"))),
        (with(iat, r#""iat":1799999460"#), Ok(NOW + 60)),
        (with(iat, r#""iat":1799999459"#), Err(Lifetime)),
        (with(iat, r#""more":{"a":[1]}"#), Ok(NOW + 60)),
        // 7: jti, which is needed to refuse replays
        (with(r#""jti":"one","#, ""), Err(Claim("jti"))),
        (with(r#""jti":"one""#, r#""jti":"""#), Err(Claim("jti"))),
        (with(r#""jti":"one""#, r#""jti":1"#), Err(Claim("jti"))),
        (with(r#""jti":"one""#, &format!(r#""jti":"{long}""#)), Err(Claim("jti"))),
        // repeated claims
        (with(r#""jti":"one""#, r#""jti":"one","jti":"two""#), Err(Signature(JwsError::Claims))),
    ];
    for (claims, expected) in table {
        assert_eq!(check_claims(&claims).map(|claims| claims.expires), expected, "{claims}");
    }
}

#[test]
fn assertions_that_may_be_older_than_the_start_are_refused() {
    let key = TestKey::ed25519();
    let keys = Jwks::from(key.public());
    let dates = |dates: &str| {
        let claims = format!(
            r#"{{"iss":"server","sub":"server","aud":"https://localhost:8443","jti":"one",{dates}}}"#
        );
        key.sign(r#"{"alg":"EdDSA"}"#, &claims)
    };
    // The dates of an assertion, and the latest start of the server after which it is accepted.
    let rows = [
        (r#""iat":1800000000,"exp":1800000060"#, NOW),
        (r#""iat":1799999900,"exp":1800000060"#, NOW - 100),
        (r#""iat":1799999900,"exp":1800000500"#, NOW - 100),
        (r#""nbf":1799999990,"exp":1800000060"#, NOW - 10),
        (r#""nbf":1799999990,"iat":1800000000,"exp":1800000060"#, NOW),
        // Neither date: at most 60 s and the leeway were ahead of it when it was made.
        (r#""exp":1800000060"#, NOW - 30),
        (r#""exp":1800000090"#, NOW),
    ];
    for (text, latest) in rows {
        let with = |earliest| check(&dates(text), &keys, &Expect { earliest, ..EXPECT }).map(drop);
        assert_eq!(with(latest), Ok(()), "{text}");
        assert_eq!(with(latest + 1), Err(AssertionError::BeforeStart), "{text}");
    }
    // Without a date, `exp` says how long its name has to be remembered over a restart, so that is short.
    assert_eq!(check(&dates(r#""exp":1800000091"#), &keys, &EXPECT), Err(AssertionError::Lifetime));
}

#[test]
fn types_of_jwt() {
    let key = TestKey::p256();
    let table = [
        ("", true),
        (r#","typ":"JWT""#, true),
        (r#","typ":"jwt""#, true),
        (r#","typ":"application/jwt""#, true),
        (r#","typ":"client-authentication+jwt""#, true),
        (r#","typ":"application/client-authentication+jwt""#, true),
        (r#","typ":"dpop+jwt""#, false),
        (r#","typ":"at+jwt""#, false),
        (r#","typ":"application/""#, false),
        (r#","typ":"""#, false),
        (r#","typ":"ééééééé""#, false),
    ];
    for (typ, good) in table {
        let assertion = key.sign(&format!(r#"{{"alg":"ES256"{typ}}}"#), GOOD);
        let expected = if good { Ok(()) } else { Err(AssertionError::Type) };
        assert_eq!(check(&assertion, &Jwks::from(key.public()), &EXPECT).map(drop), expected, "{typ}");
    }
}

#[test]
fn only_the_clients_own_key_is_accepted() {
    let (ours, theirs) = (TestKey::p256(), TestKey::p256());
    let keys = Jwks::from(ours.public());
    let forged = theirs.sign(r#"{"alg":"ES256"}"#, GOOD);
    assert_eq!(check(&forged, &keys, &EXPECT), Err(AssertionError::Signature(JwsError::Signature)));
    // A key in the header is never trusted.
    let embedded = theirs.sign(&format!(r#"{{"alg":"ES256","jwk":{}}}"#, theirs.jwk("")), GOOD);
    assert_eq!(check(&embedded, &keys, &EXPECT), Err(AssertionError::Signature(JwsError::Signature)));
    // The public key used as the secret of a MAC: there is no such algorithm.
    let confused = theirs.sign(r#"{"alg":"HS256"}"#, GOOD);
    assert_eq!(check(&confused, &keys, &EXPECT), Err(AssertionError::Signature(JwsError::Algorithm)));

    let good = ours.sign(r#"{"alg":"ES256"}"#, GOOD);
    assert!(check(&good, &keys, &EXPECT).is_ok());
    for place in 0..good.len() {
        assert!(check(&tampered(&good, place), &keys, &EXPECT).is_err(), "place {place}");
    }
    assert_eq!(check(&good, &Jwks::default(), &EXPECT), Err(AssertionError::Signature(JwsError::UnknownKey)));
    let other = Expect { client_id: "other", ..EXPECT };
    assert_eq!(check(&good, &keys, &other), Err(AssertionError::Subject), "another client with the same key");
}

#[test]
fn nothing_passes_for_a_client_that_does_not_exist() {
    for key in [TestKey::p256(), TestKey::ed25519(), TestKey::rsa()] {
        let assertion = key.sign(&format!(r#"{{"alg":"{}"}}"#, key.algorithm()), GOOD);
        assert_eq!(refuse(&assertion), AssertionError::Signature(JwsError::UnknownKey));
    }
    assert_eq!(refuse("x"), AssertionError::Signature(JwsError::Compact));
    // Signed with a decoy: RFC 7515 appendix A.3, whose private key is public.
    let example = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    assert_eq!(refuse(example), AssertionError::Signature(JwsError::UnknownKey));
}

#[test]
fn an_oversized_assertion_is_refused_unread() {
    let key = TestKey::p256();
    let claims = GOOD.replace('}', &format!(r#","pad":"{}"}}"#, "x".repeat(MAX_LENGTH)));
    let assertion = key.sign(r#"{"alg":"ES256"}"#, &claims);
    let too_long = AssertionError::Signature(JwsError::TooLong);
    assert_eq!(check(&assertion, &Jwks::from(key.public()), &EXPECT), Err(too_long));
    assert_eq!(peek_client(&assertion), Err(too_long));
}

proptest! {
    #[test]
    fn garbage_never_panics_and_never_passes(text in any::<String>()) {
        prop_assert!(peek_client(&text).is_err());
        prop_assert!(check(&text, &Jwks::from(TestKey::ed25519().public()), &EXPECT).is_err());
    }

    #[test]
    fn signed_garbage_never_panics(exp in any::<f64>(), iat in any::<i128>(), aud in any::<String>(), now in any::<u64>(), life in any::<u64>(), leeway in any::<u64>()) {
        let key = TestKey::ed25519();
        let aud = Value::String(aud);
        let claims = format!(r#"{{"iss":"server","sub":"server","jti":"x","exp":{exp:e},"iat":{iat},"aud":{aud}}}"#);
        let expect = Expect { now, max_lifetime: life, leeway, ..EXPECT };
        let _ = check(&key.sign(r#"{"alg":"EdDSA"}"#, &claims), &Jwks::from(key.public()), &expect);
    }
}
