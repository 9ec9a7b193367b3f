//! The contents of a refusal, and headers that never reach the inner service.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::headers::identity::tests::FORGED;

/// A service that answers with the names of the headers that it receives.
async fn names(request: Request<()>) -> Result<Response<String>, Infallible> {
    Ok(Response::new(request.headers().keys().map(HeaderName::as_str).collect::<Vec<_>>().join(" ")))
}

#[tokio::test]
async fn no_spelling_of_an_identity_header_gets_past_the_layer() {
    let gate = gate();
    let seen = Arc::new(std::sync::Mutex::new(HeaderMap::new()));
    let noted = Arc::clone(&seen);
    let note = move |_: &Permit, parts: &Parts| {
        noted.lock().unwrap().clone_from(&parts.headers);
        Ok(())
    };
    let forged = || {
        let mut request = request(&gate, "/");
        for name in FORGED {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().append(&name, HeaderValue::from_static("admin"));
            request.headers_mut().append(&name, HeaderValue::from_static("root"));
        }
        request.headers_mut().insert("x-client-idea", HeaderValue::from_static("stays"));
        request
    };
    let expected = ["authorization x-client-idea", "x-client-idea authorization"];
    let inner = tower::service_fn(names);
    let waits = async |_: Permit, parts: Parts| match parts.headers.len() {
        2 => Ok(()),
        _ => Err(Denial::refused("a condition sees an identity header")),
    };
    let waits = move |permit, parts| waits(permit, parts);
    let answers = [
        gate.require(read()).layer(inner).oneshot(forged()).await.unwrap(),
        gate.require(read()).and(note).layer(inner).oneshot(forged()).await.unwrap(),
        gate.require(read()).and_async(waits).layer(inner).oneshot(forged()).await.unwrap(),
    ];
    for answer in answers {
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(expected.contains(&text), "{text}");
    }
    assert_eq!(seen.lock().unwrap().len(), 2, "the condition sees what the service sees");
}

#[tokio::test]
async fn middleware_finds_the_reason_of_a_refusal_in_its_extensions() {
    let gate = gate();
    let inner = tower::service_fn(names);
    let own = |_: &Permit, _: &Parts| Err(Denial::refused(format!("closed on {}", "Sundays")));
    let missing = || Request::new(());
    for layer in [gate.require(read()), gate.require(read()).grpc()] {
        let answer = layer.layer(inner).oneshot(missing()).await.unwrap();
        assert_eq!(answer.extensions().get::<Denial>(), Some(&Denial::Missing));
        let answer = layer.layer(inner).oneshot(request(&gate, "/")).await.unwrap();
        assert!(answer.extensions().get::<Denial>().is_none());
    }
    let answer = gate.require(read()).and(own).layer(inner).oneshot(request(&gate, "/")).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    let reason = answer.extensions().get::<Denial>().map(ToString::to_string);
    assert_eq!(reason.as_deref(), Some("closed on Sundays"));
}

#[test]
#[should_panic(expected = "the required scopes are invalid: a scope token is empty")]
fn an_invalid_literal_is_an_error_at_start_up() {
    let _ = gate().require("read  write");
}

#[test]
fn scopes_that_are_read_from_somewhere_return_their_error() {
    let gate = gate();
    assert!(gate.try_require(vec!["read".to_owned()]).is_ok());
    assert!(gate.try_require(Vec::<String>::new()).is_err());
}
