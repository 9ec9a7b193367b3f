//! The permit as an argument of handlers, and nested routers.

use axum::Router;
use axum::body::Body;
use axum::routing::get;

use super::*;

async fn status_and_body(app: &Router, request: Request<()>) -> (u16, String) {
    let answer = app.clone().oneshot(request.map(|()| Body::empty())).await.unwrap();
    let status = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn a_handler_takes_a_permit_or_an_optional_one() {
    let gate = gate();
    let client =
        |permit: Option<Permit>| permit.and_then(|p| p.client_id().map(str::to_owned)).unwrap_or_default();
    let optional = move |permit: Option<Permit>| std::future::ready(client(permit));
    let app = Router::new()
        .route("/guarded", get(optional).layer(gate.require("read")))
        .route("/open", get(optional))
        .route("/bug", get(async |_: Permit| "never"));
    assert_eq!(status_and_body(&app, request(&gate, "/guarded")).await, (200, "server".to_owned()));
    assert_eq!(status_and_body(&app, request(&gate, "/open")).await, (200, String::new()));
    assert_eq!(status_and_body(&app, request(&gate, "/bug")).await.0, 500);
}

#[tokio::test]
async fn a_router_answers_every_path_of_the_endpoints() {
    let gate = gate();
    let oauth = gate.oauth_service();
    let by_path =
        oauth.paths().iter().fold(Router::new(), |app, path| app.route_service(path, oauth.clone()));
    let nested = gate.oauth_service().nested_at("/oauth/v2");
    let nested = Router::new()
        .nest_service("/oauth/v2", nested.clone())
        .route_service("/.well-known/oauth-authorization-server", nested.clone())
        .route_service("/.well-known/oauth-protected-resource", nested);
    for app in [by_path, nested] {
        for path in oauth.paths() {
            let (status, body) = status_and_body(&app, Request::get(path.as_str()).body(()).unwrap()).await;
            let expected = if path.starts_with("/.well-known/") { 200 } else { 405 };
            assert_eq!(status, expected, "{path}: {body}");
        }
    }
}
