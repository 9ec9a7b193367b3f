//! Headers by which a client claims to be another client.

use super::attack::{Attack, Case, Expected};
use super::encode::encode;
use super::message::{Field, Protocol, Request};
use crate::config::{IdentityHeader, Route};

/// The header that the API must show, so that the absence of the other headers is meaningful.
const CONTROL: &str = "X-Tollgate-Self-Test";

/// Returns a request that claims to come from another client. `nonce` marks the values that it sends.
pub(super) fn case(protocol: Protocol, request: &Request<'_>, route: &Route, nonce: &str) -> Case {
    let control = format!("control-{nonce}");
    let mut fields = vec![Field::new(CONTROL, &*control)];
    let mut values = Vec::new();
    for (at, name) in names(route).into_iter().enumerate() {
        let value = format!("forged-{at}-{nonce}");
        fields.push(Field::new(&*name, &*value));
        values.push((name, value));
    }
    fields.extend_from_slice(request.fields);
    Case {
        attack: Attack::Identity,
        what: "headers that name another client".to_owned(),
        message: encode(protocol, &Request { fields: &fields, ..*request }),
        expected: Expected::Hides { control, values },
    }
}

/// Returns the headers that the gateway sets on the route, in spellings that some servers treat as the same
/// header.
fn names(route: &Route) -> Vec<String> {
    let name = |header: &IdentityHeader, usual: &str| match header {
        IdentityHeader::Named(name) => name.to_string(),
        IdentityHeader::Usual | IdentityHeader::Off => usual.to_owned(),
    };
    let headers = &route.identity_headers;
    let mut names = Vec::new();
    for name in [name(&headers.client_id, "X-Client-Id"), name(&headers.scope, "X-Client-Scope")] {
        for spelled in
            [name.clone(), name.to_ascii_lowercase(), name.replace('-', "_"), name.replace('-', ".")]
        {
            if !names.contains(&spelled) {
                names.push(spelled);
            }
        }
    }
    names
}
