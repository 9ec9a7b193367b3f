//! Introspection: RFC 7662.

use super::{Want, check, fixture, row};
use crate::support::config::SECRET;
use crate::support::{INTROSPECT, basic, credentials, form, get, post_form, token_of};
use serde_json::json;

#[test]
fn rfc_7662() {
    let fixture = fixture();
    let token = fixture.token("server", "read");
    let bearer = format!("Authorization: Bearer {token}");
    let for_a = token_of(&fixture.ask_token("reseller", &format!("&resource={}", form("https://a.example"))));
    let introspect =
        |rest: &str| post_form(INTROSPECT, &[], format!("{}&{rest}", credentials("introspector")));
    let by_basic = basic("introspector", SECRET);
    let inactive = || Want::Json(json!({ "active": false, "client_id": null, "scope": null, "exp": null }));
    let active =
        || Want::Json(json!({ "active": true, "client_id": "server", "scope": "read", "sub": "server" }));
    check(
        fixture,
        [
            row("7662 §2.1", "POST of a form", introspect(&format!("token={token}")), active()),
            row(
                "7662 §2.1",
                "GET would leave tokens in logs",
                get(&format!("{INTROSPECT}?token={token}"), &[&by_basic]),
                Want::NotAllowed("POST"),
            ),
            row(
                "7662 §2.1",
                "token is REQUIRED",
                introspect("token_type_hint=access_token"),
                Want::Error(400, "invalid_request"),
            ),
            row(
                "7662 §2.1",
                "an empty one is none",
                introspect("token="),
                Want::Error(400, "invalid_request"),
            ),
            row(
                "7662 §2.1",
                "an unknown hint MAY be ignored",
                introspect(&format!("token={token}&token_type_hint=other")),
                active(),
            ),
            row(
                "7662 §2.1",
                "a wrong hint MUST NOT keep it from being found",
                introspect(&format!("token={token}&token_type_hint=refresh_token")),
                active(),
            ),
            row(
                "7662 §2.1",
                "MUST require authorization",
                post_form(INTROSPECT, &[], format!("token={token}")),
                Want::Error(401, "invalid_client"),
            ),
            row(
                "7662 §2.1",
                "client authentication by Basic",
                post_form(INTROSPECT, &[&by_basic], format!("token={token}")),
                active(),
            ),
            row(
                "7662 §2.1",
                "a token does not authorise to ask about itself",
                post_form(INTROSPECT, &[&bearer], format!("token={token}")),
                Want::Error(401, "invalid_client"),
            ),
            row(
                "7662 §2.2",
                "aud, where the token is for one",
                introspect(&format!("token={for_a}")),
                Want::Json(json!({ "active": true, "aud": "https://a.example" })),
            ),
            row(
                "7662 §2.2",
                "no aud where it is for none",
                introspect(&format!("token={token}")),
                Want::Json(json!({ "aud": null, "username": null })),
            ),
            row("7662 §2.2", "inactive and no more", introspect("token=mF_9.B5f-4.1JqM"), inactive()),
            row("7662 §2.2", "what is no token at all, too", introspect("token=%00%22%3C"), inactive()),
            row(
                "7662 §2.3",
                "wrong credentials: 401",
                post_form(INTROSPECT, &[&basic("introspector", "no")], "token=x"),
                Want::Error(401, "invalid_client"),
            ),
            row(
                "7662 §4",
                "not for everybody",
                post_form(INTROSPECT, &[], format!("{}&token={token}", credentials("server"))),
                Want::Error(400, "unauthorized_client"),
            ),
        ],
    );
}
