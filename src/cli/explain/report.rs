//! An explanation as text and as JSON.

use serde_json::{Value, json};

use crate::access::explain::{Report, SampleRequest, Verdict, VerdictFields};
use crate::cli::{output, route_json};

/// Returns the explanation for people.
pub(super) fn text(report: &Report<'_>) -> String {
    let rows: Vec<Vec<String>> =
        report.rows().into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    output::columns(&rows)
}

/// Returns the explanation for scripts.
pub(super) fn json(report: &Report<'_>) -> String {
    let mut verdict = verdict_json(&report.explanation.verdict);
    if let Some(enforced) = &report.explanation.enforced {
        verdict["shadow"] = verdict_json(enforced);
    }
    let SampleRequest { method, target, credential, from, .. } = report.request;
    let route = report.explanation.route;
    let token = route.and_then(|route| credential.token(report.config, route));
    output::json(&json!({
        "method": method.as_str(),
        "host": target.authority,
        "path": target.path,
        "canonical_path": report.explanation.canonical_path,
        "route": route.map(|route| route_json::route(report.config, route)),
        "client_id": credential.client(),
        "held": credential.scopes().map(|scopes| scopes.iter().collect::<Vec<_>>()),
        "audience": token.as_ref().and_then(|token| token.audience.as_deref()),
        "sender_constraint": token.as_ref().map(|token| token.constraint.names()),
        "from": from.map(|from| from.to_string()),
        "page_reads_answer": report.explanation.page_reads_response,
        "verdict": verdict,
    }))
}

fn verdict_json(verdict: &Verdict) -> Value {
    let VerdictFields { status, error, reason, setting, upstream, path, .. } = verdict.fields();
    match verdict {
        Verdict::Passes { .. } => json!({ "passes": true, "upstream": upstream, "path": path }),
        Verdict::Endpoint(name) => json!({ "passes": false, "endpoint": name }),
        Verdict::Preflight { allowed } => {
            json!({ "passes": false, "status": status, "preflight": { "allowed": allowed } })
        }
        Verdict::Refused { .. } => {
            json!({ "passes": false, "status": status, "error": error, "reason": reason, "setting": setting })
        }
    }
}
