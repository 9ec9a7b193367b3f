//! Tokens bound to a key: the twelve checks of RFC 9449 §4.3, at the token endpoint and at a route.

use super::{Want, check, fixture, row};
use crate::support::jose::{SigningKey, encode, now, unique};
use crate::support::{TOKEN, credentials, get, post_form, token_of};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Builds a proof with changed members of header and claims; `null` removes one.
fn proof(key: &SigningKey, claims: Value, header_changes: &Value, claim_changes: &Value) -> String {
    let jwk: Value = serde_json::from_str(&key.jwk("")).expect("a key");
    let header = changed(json!({ "typ": "dpop+jwt", "alg": "EdDSA", "jwk": jwk }), header_changes);
    format!("DPoP: {}", key.sign(&header, &changed(claims, claim_changes)))
}

fn changed(mut object: Value, changes: &Value) -> String {
    let members = object.as_object_mut().expect("an object");
    for (name, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    object.to_string()
}

#[test]
fn rfc_9449() {
    let (mine, other) = (SigningKey::new(), SigningKey::new());
    let body = format!("grant_type=client_credentials&scope=read&{}", credentials("bound"));
    let token_url = format!("http://localhost{TOKEN}");
    let at_endpoint = |header: &Value, claims: &Value| {
        let fresh = json!({ "jti": unique(), "htm": "POST", "htu": token_url, "iat": now() });
        proof(&mine, fresh, header, claims)
    };
    let none = json!({});
    let token = token_of(&fixture().raw(post_form(TOKEN, &[&at_endpoint(&none, &none)], &body)));
    let ath = encode(&Sha256::digest(&token));
    let at_route = |header: &Value, claims: &Value| {
        let fresh = json!({ "jti": unique(), "htm": "GET", "htu": "http://localhost/hello", "iat": now(), "ath": ath });
        proof(&mine, fresh, header, claims)
    };
    let jwk: Value = serde_json::from_str(&other.jwk("")).expect("a key");
    let mut private: Value = serde_json::from_str(&mine.jwk("")).expect("a key");
    private["d"] = json!(encode(&[1; 32]));
    let shared = json!({ "kty": "oct", "k": encode(&[1; 32]) });
    // The changes to header and claims. Both endpoints refuse them for the same reason.
    let wrong: Vec<(&str, &str, Value, Value)> = vec![
        ("9449 §4.3 3", "jti is REQUIRED", json!({}), json!({ "jti": null })),
        ("9449 §4.3 3", "htm is REQUIRED", json!({}), json!({ "htm": null })),
        ("9449 §4.3 3", "htu is REQUIRED", json!({}), json!({ "htu": null })),
        ("9449 §4.3 3", "iat is REQUIRED", json!({}), json!({ "iat": null })),
        ("9449 §4.3 3", "iat is a number", json!({}), json!({ "iat": "now" })),
        ("9449 §4.3 4", "typ is dpop+jwt", json!({ "typ": "JWT" }), json!({})),
        ("9449 §4.3 4", "typ is there", json!({ "typ": null }), json!({})),
        ("9449 §4.3 5", "alg is not none", json!({ "alg": "none" }), json!({})),
        ("9449 §4.3 5", "alg is asymmetric", json!({ "alg": "HS256", "jwk": shared }), json!({})),
        ("9449 §4.2", "jwk is there", json!({ "jwk": null }), json!({})),
        ("9449 §4.3 7", "jwk has no private key", json!({ "jwk": private }), json!({})),
        ("9449 §4.3 8", "htm is the method", json!({}), json!({ "htm": "PUT" })),
        ("9449 §4.3 8", "in its case", json!({}), json!({ "htm": "Post" })),
        ("9449 §4.3 9", "htu is the URI: host", json!({}), json!({ "htu": "http://elsewhere/hello" })),
        ("9449 §4.3 9", "htu is the URI: path", json!({}), json!({ "htu": "http://localhost/other" })),
        ("9449 §4.3 9", "htu is a URI", json!({}), json!({ "htu": "/hello" })),
        ("9449 §4.3 11", "iat is not long ago", json!({}), json!({ "iat": now() - 3600 })),
        ("9449 §4.3 11", "iat is not to come", json!({}), json!({ "iat": now() + 3600 })),
    ];
    let authorization = format!("Authorization: DPoP {token}");
    let refused = || Want::Error(400, "invalid_dpop_proof");
    let route = |fields: &[&str]| get("/hello?m=rfc-9449", fields);
    for (section, says, header, claims) in wrong {
        let proof = at_endpoint(&header, &claims);
        check(fixture(), [row(section, says, post_form(TOKEN, &[&proof], &body), refused())]);
        let proof = at_route(&header, &claims);
        check(
            fixture(),
            [row(section, says, route(&[&authorization, &proof]), Want::Dpop("invalid_dpop_proof"))],
        );
    }
    let fresh = |claims: Value| at_route(&json!({}), &claims);
    // The signature of another proof by the same key.
    let (signed, forged) = (fresh(json!({})), fresh(json!({})));
    let (signature, payload) =
        (signed.rsplit('.').next().expect("a JWS"), forged.rsplit_once('.').expect("a JWS").0);
    let forged = format!("{payload}.{signature}");
    let by_another = at_endpoint(&json!({ "jwk": jwk }), &none);
    let pair = [at_endpoint(&none, &none), at_endpoint(&none, &none)];
    let used = at_endpoint(&none, &none);
    let granted = Want::Json(json!({ "token_type": "DPoP" }));
    let bad_proof = || Want::Dpop("invalid_dpop_proof");
    let queried = json!({ "htu": format!("{token_url}?a=b#c") });
    check(
        fixture(),
        [
            row(
                "9449 §4.3 1",
                "not more than one header",
                post_form(TOKEN, &[&pair[0], &pair[1]], &body),
                refused(),
            ),
            row(
                "9449 §4.3 2",
                "a single well-formed JWT",
                post_form(TOKEN, &["DPoP: a.b.c"], &body),
                refused(),
            ),
            row(
                "9449 §4.3 2",
                "and not two of them",
                post_form(TOKEN, &[&format!("{}, {}", pair[0], &pair[1][6..])], &body),
                refused(),
            ),
            row(
                "9449 §4.3 6",
                "the signature is of the jwk's key",
                post_form(TOKEN, &[&by_another], &body),
                refused(),
            ),
            row("9449 §4.3 6", "and of these claims", route(&[&authorization, &forged]), bad_proof()),
            row(
                "9449 §4.3 9",
                "query and fragment of htu are ignored",
                post_form(TOKEN, &[&at_endpoint(&none, &queried)], &body),
                granted.clone(),
            ),
            row("9449 §5", "token_type is DPoP", post_form(TOKEN, &[&used], &body), granted),
            row("9449 §11.1", "a proof is good for once", post_form(TOKEN, &[&used], &body), refused()),
            row(
                "9449 §5.2",
                "a client bound to DPoP MUST send a proof",
                post_form(TOKEN, &[], &body),
                refused(),
            ),
            row(
                "9449 §4.3 12",
                "ath is there",
                route(&[&authorization, &fresh(json!({ "ath": null }))]),
                bad_proof(),
            ),
            row(
                "9449 §4.3 12",
                "ath is of this token",
                route(&[&authorization, &fresh(json!({ "ath": encode(&[7; 32]) }))]),
                bad_proof(),
            ),
            row("9449 §7.1", "no proof", route(&[&authorization]), bad_proof()),
            row(
                "9449 §7.1",
                "an unknown token",
                route(&["Authorization: DPoP abc", &fresh(json!({ "ath": encode(&Sha256::digest("abc")) }))]),
                Want::Dpop("invalid_token"),
            ),
        ],
    );
    assert!(!fixture().upstream.saw("m=rfc-9449"), "a refused request reached the upstream");
    check(
        fixture(),
        [row(
            "9449 §7.1",
            "the DPoP scheme, with a fresh proof",
            route(&[&authorization, &fresh(json!({}))]),
            Want::Passed,
        )],
    );
}
