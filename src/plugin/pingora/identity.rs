use http::header::{AUTHORIZATION, CONNECTION};
use http::{HeaderName, HeaderValue};
use pingora::http::RequestHeader;

use crate::oauth::bearer::carries_issued_token;
use crate::oauth::decide::Permit;

const CLIENT_ID: &str = "x-client-id";
const CLIENT_SCOPE: &str = "x-client-scope";

/// Names the client of `permit` in a head, and nobody else.
pub(super) fn set(head: &mut RequestHeader, permit: &Permit, forward_token: bool) -> pingora::Result<()> {
    let forged: Vec<HeaderName> =
        head.headers.keys().filter(|name| is_ours(name.as_str().as_bytes())).cloned().collect();
    for name in &forged {
        head.remove_header(name);
    }
    keep_from_being_nominated(head)?;
    // On a public route an `Authorization` may be meant for the upstream; one of our tokens never is.
    let is_public = permit.client_id().is_none();
    let ours =
        || head.headers.get_all(AUTHORIZATION).iter().any(|value| carries_issued_token(value.as_bytes()));
    if !forward_token && (!is_public || ours()) {
        head.remove_header(&AUTHORIZATION);
    }
    if !forward_token && permit.is_bound_to_key() {
        // The proof goes with the token that it is of.
        head.remove_header("dpop");
    }
    if let Some(id) = permit.client_header() {
        head.insert_header(CLIENT_ID, id.clone())?;
    }
    if let Some(scope) = permit.scope_header() {
        head.insert_header(CLIENT_SCOPE, scope.clone())?;
    }
    Ok(())
}

/// A header named in `Connection` is removed by whoever forwards (RFC 9110 §7.6.1): a client could have its identity
/// taken off that way.
fn keep_from_being_nominated(head: &mut RequestHeader) -> pingora::Result<()> {
    let options = |value: &HeaderValue| -> Vec<Vec<u8>> {
        value.as_bytes().split(|byte| *byte == b',').map(|option| option.trim_ascii().to_vec()).collect()
    };
    let all: Vec<Vec<u8>> = head.headers.get_all(CONNECTION).iter().flat_map(options).collect();
    if !all.iter().any(|option| is_ours(option)) {
        return Ok(());
    }
    head.remove_header(&CONNECTION);
    let others: Vec<Vec<u8>> = all.into_iter().filter(|option| !is_ours(option)).collect();
    let others = others.join(&b", "[..]);
    // It was a header value, and a part of one is one.
    if let (false, Ok(value)) = (others.is_empty(), HeaderValue::from_bytes(&others)) {
        head.insert_header(CONNECTION, value)?;
    }
    Ok(())
}

/// Whether a name is one of ours to a server that does not tell `_` from `-`.
fn is_ours(name: &[u8]) -> bool {
    let folded = || name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() });
    folded().eq(CLIENT_ID.bytes()) || folded().eq(CLIENT_SCOPE.bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{ClientSpec, Gate, GateSpec};
    use crate::oauth::scope::Requirement;

    #[test]
    fn the_client_is_who_the_permit_says_however_it_calls_itself() {
        let client = ClientSpec::with_id("server").unwrap().scopes(["read"]).unwrap();
        let gate = Gate::builder(GateSpec::default().client(client)).hashing_threads(1).build().unwrap();
        let bearer = format!("Bearer {}", gate.issue_to("server", ["read"]).unwrap().expose());
        let mut head = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in [
            ("Authorization", bearer.as_str()),
            ("X-Client-Id", "admin"),
            ("X_Client_Id", "admin"),
            ("x-client_scope", "everything"),
            ("Connection", "close, X-Client-Id"),
            ("Connection", "x_client_scope"),
            ("X-Client-Idea", "stays"),
        ] {
            head.append_header(name.to_owned(), value).unwrap();
        }
        let permit = gate.authorize(&head.headers, &Requirement::AnyToken).unwrap();
        set(&mut head, &permit, false).unwrap();
        let mut seen: Vec<(&str, &str)> =
            head.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        seen.sort_unstable();
        assert_eq!(
            seen,
            [
                ("connection", "close"),
                ("x-client-id", "server"),
                ("x-client-idea", "stays"),
                ("x-client-scope", "read"),
            ]
        );
    }
}
