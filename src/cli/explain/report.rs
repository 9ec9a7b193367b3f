//! How an explanation reads.

use http::Method;
use serde_json::{Value, json};

use super::Verdict;
use super::holder::Holder;
use super::target::Target;
use crate::cli::{access, output, routes};
use crate::config::{Access, Config, PathPattern, Route};

/// All there is to say about one request.
pub(super) struct Report<'c> {
    config: &'c Config,
    holder: &'c Holder,
    method: Method,
    target: Target,
    pub(super) canonical: Option<String>,
    pub(super) route: Option<&'c Route>,
    pub(super) verdict: Option<Verdict>,
}

impl<'c> Report<'c> {
    pub(super) fn new(config: &'c Config, method: Method, target: &Target, holder: &'c Holder) -> Self {
        Self { config, holder, method, target: target.clone(), canonical: None, route: None, verdict: None }
    }

    pub(super) fn end(mut self, verdict: Verdict) -> Self {
        self.verdict = Some(verdict);
        self
    }

    pub(super) fn text(&self) -> String {
        let mut rows = vec![vec!["request".to_owned(), format!("{} {}", self.method, self.as_asked())]];
        let mut row = |name: &str, value: String| rows.push(vec![name.to_owned(), value]);
        if let Some(path) = &self.canonical {
            row("canonical path", path.clone());
        }
        if let Some(route) = self.route {
            let (key, host) = match (&route.path, &route.host) {
                (PathPattern::Exact(_), None) => ("path", String::new()),
                (PathPattern::Prefix(_), None) => ("prefix", String::new()),
                (PathPattern::Exact(_), Some(host)) => ("path", format!(" on {host}")),
                (PathPattern::Prefix(_), Some(host)) => ("prefix", format!(" on {host}")),
            };
            let place = format!("{}:{}", self.config.file.display(), route.place.line);
            row("route", format!("{key} = {:?}{host} ({place})", route.path.as_str()));
            row("needs", access::needs(route));
            row("held", self.holder.describe(self.config));
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
        let query = self.target.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let text =
            format!("{}{}{query}", self.target.authority.as_deref().unwrap_or_default(), self.target.path);
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
                let query = if self.target.query.is_some() { " and its query" } else { "" };
                format!("passes to upstream {upstream} ({}) as {path}{query}", servers.join(", "))
            }
            Verdict::Endpoint(name) => format!("answered by the gateway itself: {name}"),
            Verdict::Refused { status, error, reason } => match error {
                Some(error) => format!("{status} {error}: {reason}"),
                None => format!("{status}: {reason}"),
            },
        }
    }

    /// A client's token has only what was asked for.
    fn hint(&self) -> Option<String> {
        let (Some(Verdict::Passes { .. }), Some(route), Holder::Client { id, .. }) =
            (&self.verdict, self.route, self.holder)
        else {
            return None;
        };
        let Access::Token { requirement, .. } = &route.access else { return None };
        let client = self.config.client(id)?;
        let lacking = access::missing(requirement, &client.default_scopes);
        if lacking.is_empty() {
            return None;
        }
        Some(format!("(with a token that was asked for with scope {})", lacking.join(" ")))
    }

    pub(super) fn json(&self) -> String {
        let verdict = match &self.verdict {
            Some(Verdict::Passes { upstream, path }) => {
                json!({ "passes": true, "upstream": upstream, "path": path })
            }
            Some(Verdict::Endpoint(name)) => json!({ "passes": false, "endpoint": name }),
            Some(Verdict::Refused { status, error, reason }) => {
                json!({ "passes": false, "status": status, "error": error, "reason": reason })
            }
            None => Value::Null,
        };
        output::json(&json!({
            "method": self.method.as_str(),
            "host": self.target.authority,
            "path": self.target.path,
            "canonical_path": self.canonical,
            "route": self.route.map(|route| routes::route_json(self.config, route)),
            "client_id": self.holder.client(),
            "held": self.holder.held().map(|held| held.iter().collect::<Vec<_>>()),
            "verdict": verdict,
        }))
    }
}
