//! The handlers of the listener, as values of one type.
//!
//! axum's `get` and `post` compile their code for a route (its service, the box around it, the future that
//! reads the arguments) once for each handler, and this listener has more than a hundred. The functions of
//! this module register all handlers as one type, and read the arguments once for each list of arguments.

use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use axum::routing::{self, MethodRouter};

use super::state::AdminState;

type ResponseFuture = Pin<Box<dyn Future<Output = Response> + Send>>;

/// Routes GET and HEAD to a handler.
pub(super) fn get<A, Via>(handler: impl Handler<A>) -> MethodRouter<AdminState>
where
    A: FromRequest<AdminState, Via> + Send + 'static,
{
    routing::get(endpoint(handler))
}

/// Routes POST to a handler.
pub(super) fn post<A, Via>(handler: impl Handler<A>) -> MethodRouter<AdminState>
where
    A: FromRequest<AdminState, Via> + Send + 'static,
{
    routing::post(endpoint(handler))
}

/// Routes PATCH to a handler.
pub(super) fn patch<A, Via>(handler: impl Handler<A>) -> MethodRouter<AdminState>
where
    A: FromRequest<AdminState, Via> + Send + 'static,
{
    routing::patch(endpoint(handler))
}

/// Routes DELETE to a handler.
pub(super) fn delete<A, Via>(handler: impl Handler<A>) -> MethodRouter<AdminState>
where
    A: FromRequest<AdminState, Via> + Send + 'static,
{
    routing::delete(endpoint(handler))
}

/// Makes an endpoint of a handler, for example for a fallback.
pub(super) fn endpoint<A, Via>(handler: impl Handler<A>) -> Endpoint
where
    A: FromRequest<AdminState, Via> + Send + 'static,
{
    Endpoint::of(Arc::new(handler))
}

/// A handler whose type is erased.
#[derive(Clone)]
pub(super) struct Endpoint(Arc<dyn Fn(Request, AdminState) -> ResponseFuture + Send + Sync>);

impl Endpoint {
    /// Makes an endpoint. The handler is erased before its arguments are, so that handlers with the same
    /// arguments share the code that reads them.
    fn of<A, Via>(handler: Arc<dyn Handler<A>>) -> Self
    where
        A: FromRequest<AdminState, Via> + Send + 'static,
    {
        Self(Arc::new(move |request, state| {
            let handler = Arc::clone(&handler);
            Box::pin(async move {
                let arguments = A::from_request(request, &state).await;
                match arguments.map_err(IntoResponse::into_response) {
                    Ok(arguments) => handler.call(arguments).await,
                    Err(response) => response,
                }
            })
        }))
    }
}

impl axum::handler::Handler<(), AdminState> for Endpoint {
    type Future = ResponseFuture;

    fn call(self, request: Request, state: AdminState) -> ResponseFuture {
        (self.0)(request, state)
    }
}

/// A function that responds to a request, with a tuple of its arguments.
pub(super) trait Handler<Arguments>: Send + Sync + 'static {
    /// Calls the function.
    fn call(&self, arguments: Arguments) -> ResponseFuture;
}

async fn respond(result: impl Future<Output: IntoResponse>) -> Response {
    result.await.into_response()
}

/// Implements [`Handler`] for functions with a number of arguments.
macro_rules! impl_handler {
    ($($argument:ident $type:ident),*) => {
        impl<F, R, $($type),*> Handler<($($type,)*)> for F
        where
            F: Fn($($type),*) -> R + Send + Sync + 'static,
            R: Future<Output: IntoResponse> + Send + 'static,
        {
            fn call(&self, ($($argument,)*): ($($type,)*)) -> ResponseFuture {
                Box::pin(respond(self($($argument),*)))
            }
        }
    };
}

impl_handler!();
impl_handler!(a A);
impl_handler!(a A, b B);
impl_handler!(a A, b B, c C);
impl_handler!(a A, b B, c C, d D);
impl_handler!(a A, b B, c C, d D, e E);
