//! Refuses forms that pages of other sites submit (CSRF).
//!
//! A form also contains the token of its session, and the session cookie is not sent with cross-site
//! requests. This check comes before both of them, and also protects the forms without a session: signing in
//! and the setup.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{HOST, HeaderName, ORIGIN};
use http::{HeaderMap, Method};

use super::problem::Problem;
use super::state::AdminState;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Accepts a request that changes nothing, or that was sent by a page of this listener.
pub(super) async fn refuse_cross_site(
    State(state): State<AdminState>,
    request: Request,
    next: Next,
) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_safe || is_same_origin(request.headers(), state.scheme()) {
        return next.run(request).await;
    }
    let detail = "the form was not sent by a page of this console: open the page again and repeat";
    Problem::forbidden("cross-site", detail).into_response()
}

/// Returns whether the browser indicates that the request comes from a page of the same origin. Only very old
/// browsers send no indication, and their requests cannot be distinguished from an attack.
fn is_same_origin(headers: &HeaderMap, scheme: &str) -> bool {
    let only = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value.to_str().map(Some).map_err(drop),
            (Some(_), Some(_)) => Err(()),
        }
    };
    let (Ok(site), Ok(origin), Ok(Some(host))) = (only(&SEC_FETCH_SITE), only(&ORIGIN), only(&HOST)) else {
        return false;
    };
    let own = || format!("{scheme}://{host}");
    match (site, origin) {
        (None, None) => false,
        (site, origin) => {
            site.is_none_or(|site| site == "same-origin")
                && origin.is_none_or(|origin| origin.eq_ignore_ascii_case(&own()))
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn only_pages_of_the_listener_may_send_forms() {
        let table: [(Option<&str>, Option<&str>, bool); 9] = [
            (Some("same-origin"), None, true),
            (Some("same-origin"), Some("http://127.0.0.1:9465"), true),
            (None, Some("http://127.0.0.1:9465"), true),
            (None, None, false),
            (None, Some("null"), false),
            (None, Some("http://127.0.0.1:8443"), false),
            (None, Some("https://127.0.0.1:9465"), false),
            (Some("same-site"), Some("http://127.0.0.1:9465"), false),
            (Some("cross-site"), None, false),
        ];
        for (site, origin, good) in table {
            let mut headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("127.0.0.1:9465"))]);
            headers.extend(site.map(|site| (SEC_FETCH_SITE, HeaderValue::from_static(site))));
            headers.extend(origin.map(|origin| (ORIGIN, HeaderValue::from_static(origin))));
            assert_eq!(is_same_origin(&headers, "http"), good, "{site:?} {origin:?}");
        }
    }
}
