//! `Permit` as an argument of axum handlers.

use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::oauth::decide::Permit;

/// A handler asks for a [`Permit`], and no layer of the gate stands before it: a fault of the program, answered 500.
///
/// Not 401: no token that a client could get would help it.
///
/// ```
/// use axum::{Router, body::Body, routing::get};
/// use http::Request;
/// use tollgate::oauth::decide::Permit;
/// use tower::ServiceExt;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let unguarded: Router = Router::new().route("/", get(async |_: Permit| "never"));
/// assert_eq!(unguarded.oneshot(Request::new(Body::empty())).await?.status(), 500);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingPermit;

impl std::fmt::Display for MissingPermit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("this handler takes a Permit, but its route has no layer of Gate::require")
    }
}

impl std::error::Error for MissingPermit {}

impl IntoResponse for MissingPermit {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Permit {
    type Rejection = MissingPermit;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, MissingPermit> {
        parts.extensions.get::<Self>().cloned().ok_or(MissingPermit)
    }
}
