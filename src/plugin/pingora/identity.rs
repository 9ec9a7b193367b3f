use http::header::{AUTHORIZATION, CONNECTION};
use http::{HeaderName, HeaderValue};
use pingora::http::RequestHeader;

use crate::headers::identity::{CLIENT_ID, CLIENT_SCOPE, is_forged, is_identity};
use crate::oauth::bearer::carries_issued_token;
use crate::oauth::decide::Permit;

/// Sets the identity headers of a head to the client of `permit`, and removes what the client has sent under
/// their names.
pub(super) fn set(head: &mut RequestHeader, permit: &Permit, forward_token: bool) -> pingora::Result<()> {
    let forged: Vec<HeaderName> =
        head.headers.keys().filter(|name| is_forged(name.as_str().as_bytes())).cloned().collect();
    for name in &forged {
        head.remove_header(name);
    }
    keep_from_being_nominated(head)?;
    // On a public route an `Authorization` header may be for the upstream, but one of our tokens never is.
    let is_public = permit.client_id().is_none();
    let ours =
        || head.headers.get_all(AUTHORIZATION).iter().any(|value| carries_issued_token(value.as_bytes()));
    if !forward_token && (!is_public || ours()) {
        head.remove_header(&AUTHORIZATION);
    }
    if !forward_token && permit.is_bound_to_key() {
        // The proof is removed together with its token.
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

/// Removes the identity headers from `Connection`. A proxy removes the headers named there (RFC 9110 §7.6.1),
/// so a client could have its identity removed.
fn keep_from_being_nominated(head: &mut RequestHeader) -> pingora::Result<()> {
    let options = |value: &HeaderValue| -> Vec<Vec<u8>> {
        value.as_bytes().split(|byte| *byte == b',').map(|option| option.trim_ascii().to_vec()).collect()
    };
    let all: Vec<Vec<u8>> = head.headers.get_all(CONNECTION).iter().flat_map(options).collect();
    if !all.iter().any(|option| is_identity(option)) {
        return Ok(());
    }
    head.remove_header(&CONNECTION);
    let others: Vec<Vec<u8>> = all.into_iter().filter(|option| !is_identity(option)).collect();
    let others = others.join(&b", "[..]);
    // A part of a header value is a valid header value.
    if let (false, Ok(value)) = (others.is_empty(), HeaderValue::from_bytes(&others)) {
        head.insert_header(CONNECTION, value)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{ClientSpec, Gate, GateSpec};
    use crate::headers::identity::tests::FORGED;
    use crate::oauth::scope::Requirement;

    #[test]
    fn the_client_is_the_one_of_the_permit_whatever_it_has_sent() {
        let client = ClientSpec::with_id("server").unwrap().scopes(["read"]).unwrap();
        let gate = Gate::builder(GateSpec::default().client(client)).hashing_threads(1).build().unwrap();
        let bearer = format!("Bearer {}", gate.issue_to("server", ["read"]).unwrap().expose());
        let mut head = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in [
            ("Authorization", bearer.as_str()),
            ("Connection", "close, X-Client-Id"),
            ("Connection", "x_client_scope, x.client.id"),
            ("X-Client-Idea", "stays"),
        ] {
            head.append_header(name.to_owned(), value).unwrap();
        }
        for name in FORGED {
            head.append_header(name.to_owned(), "admin").unwrap();
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
