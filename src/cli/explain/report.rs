//! How an explanation reads.

use serde_json::{Value, json};

use super::Verdict;
use super::asking::Asking;
use super::holder::Holder;
use crate::cli::{access, output, routes, terms};
use crate::config::{Access, Config, Route};
use crate::proxy::cors::Cors;

/// All there is to say about one request.
pub(super) struct Report<'c> {
    config: &'c Config,
    asking: &'c Asking,
    pub(super) canonical: Option<String>,
    pub(super) route: Option<&'c Route>,
    pub(super) verdict: Option<Verdict>,
}

impl<'c> Report<'c> {
    pub(super) fn new(config: &'c Config, asking: &'c Asking) -> Self {
        Self { config, asking, canonical: None, route: None, verdict: None }
    }

    pub(super) fn end(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    pub(super) fn text(&self) -> String {
        let mut rows =
            vec![vec!["request".to_owned(), format!("{} {}", self.asking.method, self.as_asked())]];
        let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
        if let Some(path) = &self.canonical {
            row("canonical path", path.clone());
        }
        if let Some(route) = self.route {
            let key = if route.path.is_prefix() { "prefix" } else { "path" };
            let host = route.host.as_ref().map(|host| format!(" on {host}")).unwrap_or_default();
            let place = format!("{}:{}", self.config.file.display(), route.place.line);
            row("route", format!("{key} = {:?}{host} ({place})", route.path.as_str()));
            row("needs", access::needs(route));
            row("held", self.asking.holder.describe(self.config));
            for (name, text) in self.terms(route) {
                row(name, text);
            }
        }
        if let Some(verdict) = &self.verdict {
            row("verdict", self.verdict_text(verdict));
        }
        if let Some(hint) = self.hint() {
            row("", hint);
        }
        output::columns(&rows)
    }

    fn as_asked(&self) -> String {
        let target = &self.asking.target;
        let query = target.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let text = format!("{}{}{query}", target.authority.as_deref().unwrap_or_default(), target.path);
        text.chars()
            .flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] })
            .collect()
    }

    fn verdict_text(&self, verdict: &Verdict) -> String {
        match verdict {
            Verdict::Passes { upstream, path } => {
                let servers = self.config.upstreams.iter().find(|known| known.name == *upstream);
                let servers: Vec<String> =
                    servers.iter().flat_map(|u| &u.servers).map(|server| server.origin.to_string()).collect();
                let query = if self.asking.target.query.is_some() { " and its query" } else { "" };
                format!("passes to upstream {upstream} ({}) as {path}{query}", servers.join(", "))
            }
            Verdict::Endpoint(name) => format!("answered by the gateway itself: {name}"),
            Verdict::Preflight { allowed: true } => {
                "answered by the gateway itself: the page may go on".to_owned()
            }
            Verdict::Preflight { allowed: false } => {
                "answered by the gateway itself, with no leave for this origin: browsers refuse to go on"
                    .to_owned()
            }
            Verdict::Refused { status, error, reason } => match error {
                Some(error) => format!("{status} {error}: {reason}"),
                None => format!("{status}: {reason}"),
            },
        }
    }

    /// What the route's limits are, and what must come with the request: told, for they depend on what else there is.
    fn terms(&self, route: &Route) -> Vec<(&'static str, String)> {
        let mut rows = Vec::new();
        let token = match route.access {
            Access::Public => None,
            Access::Token { .. } => self.asking.holder.token(self.config, route),
        };
        if let Some(words) = token.as_ref().and_then(|token| token.bound.words()) {
            rows.push((
                "to be shown",
                format!("{words}, which the token is bound to; without: 401 invalid_token"),
            ));
        }
        if let Some(audience) = token.and_then(|token| token.audience) {
            rows.push(("audience", audience));
        }
        let mut terms = terms::of(self.config, route);
        let client = self.asking.holder.client().and_then(|id| self.config.client(id));
        if let (Some(client), Access::Token { .. }) = (client, &route.access) {
            terms.extend(client.rate_limit.map(|rate| format!("client {:?}: {rate}", client.id.as_str())));
        }
        terms.push(terms::body(route));
        rows.push(("terms", terms.join("; ")));
        let addresses = &route.addresses;
        match self.asking.from {
            Some(from) => rows.push(("from", from.to_string())),
            None if addresses.allow.is_empty() && addresses.deny.is_empty() => {}
            None => rows.push(("from", "not known, so not weighed (--from ADDRESS)".to_owned())),
        }
        if let Some(reads) = self.page_reads(route) {
            let text = if reads { "may read the answer" } else { "browsers keep the answer from it" };
            let origin = self.asking.origin.as_ref().and_then(|origin| origin.to_str().ok());
            rows.push(("page", format!("{}: {text}", origin.unwrap_or("?"))));
        }
        rows
    }

    /// Whether the page that asks may read the answer, where a page asks.
    fn page_reads(&self, route: &Route) -> Option<bool> {
        self.asking.origin.as_ref()?;
        let head = self.asking.head();
        Some(route.cors.as_ref().is_some_and(|cors| Cors::new(cors, true).origin(&head.headers).is_some()))
    }

    /// A client's token has only what was asked for.
    fn hint(&self) -> Option<String> {
        let (Some(Verdict::Passes { .. }), Some(route), Holder::Client { id, audience, .. }) =
            (&self.verdict, self.route, &self.asking.holder)
        else {
            return None;
        };
        let Access::Token { requirement, audience: needed } = &route.access else { return None };
        let client = self.config.client(id)?;
        let mut asked = Vec::new();
        let lacking = access::missing(requirement, &client.default_scopes);
        if !lacking.is_empty() {
            asked.push(format!("scope {}", lacking.join(" ")));
        }
        if let (Some(needed), None) = (needed, audience) {
            asked.push(format!("resource {needed}"));
        }
        (!asked.is_empty()).then(|| format!("(with a token that was asked for with {})", asked.join(" and ")))
    }

    pub(super) fn json(&self) -> String {
        let verdict = match &self.verdict {
            Some(Verdict::Passes { upstream, path }) => {
                json!({ "passes": true, "upstream": upstream, "path": path })
            }
            Some(Verdict::Endpoint(name)) => json!({ "passes": false, "endpoint": name }),
            Some(Verdict::Preflight { allowed }) => {
                json!({ "passes": false, "status": 204, "preflight": { "allowed": allowed } })
            }
            Some(Verdict::Refused { status, error, reason }) => {
                json!({ "passes": false, "status": status, "error": error, "reason": reason })
            }
            None => Value::Null,
        };
        let Asking { method, target, holder, from, .. } = self.asking;
        let token = self.route.and_then(|route| holder.token(self.config, route));
        output::json(&json!({
            "method": method.as_str(),
            "host": target.authority,
            "path": target.path,
            "canonical_path": self.canonical,
            "route": self.route.map(|route| routes::route_json(self.config, route)),
            "client_id": holder.client(),
            "held": holder.held().map(|held| held.iter().collect::<Vec<_>>()),
            "audience": token.as_ref().and_then(|token| token.audience.as_deref()),
            "sender_constraint": token.as_ref().map(|token| token.bound.names()),
            "from": from.map(|from| from.to_string()),
            "page_reads_answer": self.route.and_then(|route| self.page_reads(route)),
            "verdict": verdict,
        }))
    }
}
