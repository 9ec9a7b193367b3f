//! The meters of requests that no route serves.

use std::sync::LazyLock;

use crate::gate::Endpoint;
use crate::telemetry::{Meter, RouteCells};

/// The name of the meters of requests that no route and no endpoint serves.
const NO_ROUTE: &str = "(none)";

/// The meters of requests without a route. No route can have their names.
static BUILTIN: LazyLock<[Meter<RouteCells>; 6]> = LazyLock::new(|| {
    ["(token)", "(introspection)", "(revocation)", "(metadata)", "(registration)", NO_ROUTE]
        .map(|name| Meter::new(name, 64))
});

/// Returns the meters of requests without a route.
pub(crate) fn builtin_meters() -> &'static [Meter<RouteCells>] {
    &*BUILTIN
}

/// Returns the meters of requests to an endpoint, or of those without a route.
pub(super) fn builtin_meter(endpoint: Option<Endpoint>) -> Option<&'static Meter<RouteCells>> {
    BUILTIN.get(builtin_index(endpoint))
}

fn builtin_index(endpoint: Option<Endpoint>) -> usize {
    match endpoint {
        Some(Endpoint::Token) => 0,
        Some(Endpoint::Introspection) => 1,
        Some(Endpoint::Revocation) => 2,
        Some(Endpoint::AuthorizationServer | Endpoint::ProtectedResource | Endpoint::KeySet) => 3,
        Some(Endpoint::Registration) => 4,
        None => 5,
    }
}
