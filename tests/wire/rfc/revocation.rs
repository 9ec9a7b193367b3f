//! Revocation: RFC 7009. Each row has its own token, and says whether the token still works afterwards.

use super::{Want, fixture};
use crate::support::config::{SECRET, SERVER_SECRET};
use crate::support::{REVOKE, basic, credentials, get, post_form};
use serde_json::json;

/// Section, requirement, fields, body, response, and whether the token still works.
type Demand<'a> = (&'a str, &'a str, &'a [&'a str], String, Want, bool);

#[test]
fn rfc_7009() {
    let fixture = fixture();
    let server = credentials("server");
    let by_basic = basic("server", SERVER_SECRET);
    let foreign = basic("other", SECRET);
    let done = || Want::Json(json!({ "error": null }));
    let invalid_client = || Want::Error(401, "invalid_client");
    let unsupported = || Want::Error(400, "unsupported_token_type");
    // `TOKEN` stands for a token of `server`.
    let rows: [Demand<'_>; 16] = [
        ("7009 §2.1", "token", &[], format!("{server}&token=TOKEN"), done(), false),
        ("7009 §2.1", "by Basic", &[&by_basic], "token=TOKEN".into(), done(), false),
        (
            "7009 §2.1",
            "with its hint",
            &[],
            format!("{server}&token=TOKEN&token_type_hint=access_token"),
            done(),
            false,
        ),
        (
            "7009 §2.1",
            "a wrong hint: the search MUST go on",
            &[],
            format!("{server}&token=TOKEN&token_type_hint=refresh_token"),
            done(),
            false,
        ),
        (
            "7009 §2.1",
            "an unknown hint",
            &[],
            format!("{server}&token=TOKEN&token_type_hint=pot"),
            done(),
            false,
        ),
        ("7009 §2.1", "token is REQUIRED", &[], server.clone(), Want::Error(400, "invalid_request"), true),
        ("7009 §2.1", "first the credentials: none", &[], "token=TOKEN".into(), invalid_client(), true),
        (
            "7009 §2.1",
            "first the credentials: wrong",
            &[],
            "client_id=server&client_secret=no&token=TOKEN".into(),
            invalid_client(),
            true,
        ),
        (
            "7009 §2.1",
            "first the credentials, then the kind of token",
            &[],
            "client_id=server&client_secret=no&token=x&token_type_hint=refresh_token".into(),
            invalid_client(),
            true,
        ),
        (
            "7009 §2.1",
            "then whether it was issued to the client",
            &[&foreign],
            "token=TOKEN".into(),
            done(),
            true,
        ),
        (
            "7009 §2.1",
            "and no query parameter",
            &[&by_basic],
            "?token=TOKEN".into(),
            Want::Error(400, "invalid_request"),
            true,
        ),
        (
            "7009 §2.2",
            "an invalid token is no error",
            &[],
            format!("{server}&token=mF_9.B5f-4.1JqM"),
            done(),
            true,
        ),
        (
            "7009 §2.2",
            "nor is one of our form that never was",
            &[],
            format!("{server}&token=tg_{}", "A".repeat(49)),
            done(),
            true,
        ),
        (
            "7009 §2.2.1",
            "another kind of token",
            &[],
            format!("{server}&token=x&token_type_hint=refresh_token"),
            unsupported(),
            true,
        ),
        (
            "7009 §2.2.1",
            "6749 §5.2 for what is malformed",
            &[],
            format!("{server}&token=TOKEN&token=TOKEN"),
            Want::Error(400, "invalid_request"),
            true,
        ),
        (
            "7009 §2.2.1",
            "and for two ways of authentication",
            &[&by_basic],
            format!("{server}&token=TOKEN"),
            Want::Error(400, "invalid_request"),
            true,
        ),
    ];
    let mut conn = fixture.connect();
    for (section, says, fields, body, want, works) in rows {
        println!("{section}: {says}");
        let token = fixture.token("server", "read");
        let bearer = format!("Authorization: Bearer {token}");
        conn.request(get("/hello", &[&bearer])).status(200);
        let body = body.replace("TOKEN", &token);
        let request = match body.strip_prefix('?') {
            Some(query) => post_form(&format!("{REVOKE}?{query}"), fields, ""),
            None => post_form(REVOKE, fields, body),
        };
        want.check(&fixture.raw(request));
        // §2.1: the invalidation takes place immediately.
        conn.request(get("/hello", &[&bearer])).status(if works { 200 } else { 401 });
    }
    Want::NotAllowed("POST").check(&fixture.raw(get(REVOKE, &[])));
}
