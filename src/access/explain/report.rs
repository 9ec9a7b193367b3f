//! An explanation in words, row by row.

use super::explanation::{Explanation, Verdict};
use super::request::SampleRequest;
use crate::access::describe;
use crate::config::{Access, Config, Route, key_path};

/// An explanation, and the request that it explains.
pub(crate) struct Report<'a> {
    pub(crate) config: &'a Config,
    pub(crate) request: &'a SampleRequest,
    pub(crate) explanation: Explanation<'a>,
}

impl Report<'_> {
    /// Returns the reasons, the decision, and what would change the decision. A row without a name continues
    /// the row before.
    pub(crate) fn rows(&self) -> Vec<(&'static str, String)> {
        let request = format!("{} {}", self.request.method, self.requested());
        let mut rows = vec![("request", request)];
        let mut row = |name, value| rows.push((name, value));
        if let Some(path) = &self.explanation.canonical_path {
            row("canonical path", path.clone());
        }
        if let Some(route) = self.explanation.route {
            let key = if route.path.is_prefix() { "prefix" } else { "path" };
            let hosts = route.host_names();
            let host = if hosts.is_empty() { hosts } else { format!(" on {}", hosts.replace(',', ", ")) };
            let position =
                format!("{}:{}", self.config.file_of(route.position).display(), route.position.line);
            row("route", format!("{key} = {:?}{host} ({position})", route.path.as_str()));
            row("needs", describe::needs(route));
            row("held", self.request.credential.describe(self.config));
            for (name, text) in self.terms(route) {
                row(name, text);
            }
        }
        match &self.explanation.enforced {
            None => row("verdict", self.verdict(&self.explanation.verdict)),
            Some(enforced) => {
                row("verdict", format!("passes (shadow); enforced: {}", self.verdict(enforced)));
                row("", format!("{}, without its credentials", self.verdict(&self.explanation.verdict)));
            }
        }
        let decisive = self.explanation.enforced.as_ref().unwrap_or(&self.explanation.verdict);
        if let Verdict::Refused { setting: Some(setting), .. } = decisive {
            row("setting", self.remedy(setting));
        }
        let asked = self.explanation.token_request(self.config, &self.request.credential);
        if !asked.is_empty() {
            row("", format!("(with a token that was asked for with {})", asked.join(" and ")));
        }
        rows
    }

    fn requested(&self) -> String {
        let target = &self.request.target;
        let query = target.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let text = format!("{}{}{query}", target.authority.as_deref().unwrap_or_default(), target.path);
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect()
    }

    /// Describes the decision about the request.
    pub(crate) fn verdict(&self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Passes { upstream, path } => {
                let servers = self.config.upstreams.iter().find(|known| known.name == *upstream);
                let servers: Vec<String> =
                    servers.iter().flat_map(|u| &u.servers).map(|server| server.to_string()).collect();
                let query = if self.request.target.query.is_some() { " and its query" } else { "" };
                format!("passes to upstream {upstream} ({}) as {path}{query}", servers.join(", "))
            }
            Verdict::Endpoint(name) => format!("answered by the gateway itself: {name}"),
            Verdict::Preflight { allowed: true } => {
                "answered by the gateway itself: the page may go on".to_owned()
            }
            Verdict::Preflight { allowed: false } => {
                "answered by the gateway itself, without permission for this origin: browsers do not go on"
                    .to_owned()
            }
            Verdict::Refused { status, error, reason, .. } => match error {
                Some(error) => format!("{status} {error}: {reason}"),
                None => format!("{status}: {reason}"),
            },
        }
    }

    /// Describes what must change before such a request is accepted.
    pub(crate) fn remedy(&self, setting: &str) -> String {
        let client = self.request.credential.client();
        match (setting, client) {
            ("routes", _) => "[[routes]]: no route matches; `tollgate routes` lists them".to_owned(),
            (setting, _) if setting.starts_with("routes.allow_") => {
                let key = setting.trim_start_matches("routes.");
                format!(
                    "{key} = true on the route accepts such paths, if its upstream reads them in one way only"
                )
            }
            ("clients.scopes", Some(id)) => {
                format!("{}, and the scopes of the token request", key_path("clients", id) + ".scopes")
            }
            ("clients.scopes", None) => {
                "scopes of the client, and the scopes of the token request".to_owned()
            }
            ("routes.allow", _) => {
                "`allow` and `deny` of the route; server.trusted_proxies if a proxy is in front".to_owned()
            }
            ("routes.methods", _) => "`methods` of the route".to_owned(),
            ("routes.max_body_size", _) => "`max_body_size` of the route, or of [server.limits]".to_owned(),
            (other, _) => other.to_owned(),
        }
    }

    /// Lists the limits of the route, and what a request must contain.
    fn terms(&self, route: &Route) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        let credential = &self.request.credential;
        let token = match route.access {
            Access::Public => None,
            Access::Token { .. } => credential.token(self.config, route),
        };
        if let Some(constraint) = token.as_ref().and_then(|token| token.constraint.description()) {
            let text = format!("{constraint}, which the token is bound to; without it: 401 invalid_token");
            rows.push(("to be shown", text));
        }
        if let Some(audience) = token.and_then(|token| token.audience) {
            rows.push(("audience", audience));
        }
        let mut terms = describe::terms(self.config, route);
        let client = credential.client().and_then(|id| self.config.client(id));
        if let (Some(client), Access::Token { .. }) = (client, &route.access) {
            terms.extend(client.rate_limit.map(|rate| format!("client \"{}\": {rate}", client.id)));
        }
        terms.push(describe::body_limit(route));
        rows.push(("terms", terms.join("; ")));
        let addresses = &route.addresses;
        match self.request.from {
            Some(from) => rows.push(("from", from.to_string())),
            None if addresses.allow.is_empty() && addresses.deny.is_empty() => {}
            None => {
                rows.push(("from", "not known, so address lists are not applied (--from ADDRESS)".to_owned()))
            }
        }
        if let Some(reads) = self.explanation.page_reads_response {
            let text = if reads { "may read the response" } else { "browsers keep the response from it" };
            let origin = self.request.origin.as_ref().and_then(|origin| origin.to_str().ok());
            rows.push(("page", format!("{}: {text}", origin.unwrap_or("?"))));
        }
        rows
    }
}
