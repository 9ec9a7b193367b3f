//! Lints about routes in shadow mode.

use super::findings::Findings;
use crate::config::{Config, Lint, Mode, Route};

pub(super) fn shadow(config: &Config, findings: &mut Findings<'_>) {
    let routes: Vec<(usize, &Route)> =
        config.routes.iter().enumerate().filter(|(_, route)| route.mode == Mode::Shadow).collect();
    // All routes share one warning, because one line of the file sets their mode.
    if config.server.mode == Mode::Shadow {
        if !routes.is_empty() {
            let sets = routes.iter().any(|(_, route)| !route.request_headers.set.is_empty());
            let headers = if sets { HEADERS } else { "" };
            findings.add_of_file(
                Lint::ShadowMode,
                format!("server.mode = \"shadow\" holds for {} routes: {MEANING}{headers}", routes.len()),
            );
        }
        return;
    }
    for (index, route) in routes {
        let upstream = config.upstream_of(route);
        let credentials = match upstream.filter(|upstream| upstream.credentials.is_some()) {
            Some(upstream) => format!(
                "; the credentials of the upstream {} go only with tokens that would pass",
                upstream.name
            ),
            None => String::new(),
        };
        let headers = if route.request_headers.set.is_empty() { "" } else { HEADERS };
        findings.add(
            Lint::ShadowMode,
            route.position,
            format!("routes[{index}].mode"),
            format!("{MEANING}{credentials}{headers}"),
        );
    }
}

const MEANING: &str = "requests without a valid token are forwarded, without X-Client-Id and without the credentials of \
    the upstream, until the mode is \"enforce\"";

const HEADERS: &str =
    "; what `request_headers.set` has goes with all requests: if it authenticates, the API is open";
