//! The first check of a request: whether it names this listener, and whether it comes directly from the
//! client.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{FORWARDED, HOST, VIA};
use http::{HeaderMap, StatusCode, Uri};

use super::peer::Peer;
use super::problem::Problem;
use super::state::AdminState;
use crate::config::Host;

/// Refuses a request for another host name, so that a name that an attacker's DNS resolves to this address
/// has no access (DNS rebinding). Also refuses a request that came through a proxy, such as a route of this
/// gateway.
pub(super) async fn guard(
    State(state): State<AdminState>,
    peer: Peer,
    request: Request,
    next: Next,
) -> Response {
    if !is_for(&state, &peer, request.uri(), request.headers()) {
        let detail = "this listener does not serve that name: add it to admin.hosts, or use the address of the listener";
        return Problem::new(StatusCode::MISDIRECTED_REQUEST, "misdirected", detail).into_response();
    }
    if came_through_a_proxy(request.headers()) {
        let detail =
            "the request came through a proxy, and the console must be reached directly: use `ssh -L`";
        return Problem::forbidden("proxied", detail).into_response();
    }
    next.run(request).await
}

/// Returns whether the request names this listener. The port does not matter: `ssh -L` may use another one.
fn is_for(state: &AdminState, peer: &Peer, uri: &Uri, headers: &HeaderMap) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let Ok(host) = host.to_str() else { return false };
    // RFC 9112 §3.2.2: the authority of the absolute form counts, and ours must agree with it.
    if uri.authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(host)) {
        return false;
    }
    let Some(host) = without_port(host).and_then(Host::parse) else { return false };
    match &host {
        Host::Address(ip) => ip.to_canonical() == peer.local.ip().to_canonical() || state.has_host(&host),
        Host::Name(name) => &**name == "localhost" || state.has_host(&host),
    }
}

/// Returns the host of an authority; `None` if its port is not a number.
fn without_port(authority: &str) -> Option<&str> {
    let bracket = authority.rfind(']').map_or(0, |at| at + 1);
    match authority.get(bracket..)?.rfind(':') {
        None => Some(authority),
        Some(at) => {
            let (host, port) = authority.split_at_checked(bracket + at)?;
            port.get(1..)?.bytes().all(|byte| byte.is_ascii_digit()).then_some(host)
        }
    }
}

fn came_through_a_proxy(headers: &HeaderMap) -> bool {
    headers.contains_key(VIA)
        || headers.contains_key(FORWARDED)
        || headers.keys().any(|name| name.as_str().starts_with("x-forwarded-"))
}

#[cfg(test)]
mod tests {
    use super::without_port;

    #[test]
    fn the_port_of_an_authority_is_removed() {
        for (authority, host) in [
            ("localhost", Some("localhost")),
            ("localhost:9465", Some("localhost")),
            ("[::1]", Some("[::1]")),
            ("[::1]:9465", Some("[::1]")),
            ("localhost:", Some("localhost")),
            ("localhost:x", None),
            ("user@localhost:1", Some("user@localhost")),
        ] {
            assert_eq!(without_port(authority), host, "{authority}");
        }
    }
}
