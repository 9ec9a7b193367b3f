//! `tollgate shadow`: what routes in shadow mode have learned, and which changes let every caller pass.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::change::environment::read_config;
use crate::change::proposals::operations;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::config::Config;
use crate::shadow::file::ShadowFile;
use crate::shadow::{CallerSummary, Learned, Proposal, RouteSummary, Summary, proposals};
use crate::utc;

/// Reads the file that a gateway saves every ten seconds, also while it runs.
pub(super) fn shadow(path: &Path, as_json: bool) -> Result<(), Failure> {
    let config = read_config(path)?;
    let file = ShadowFile::in_folder(&config.server.state_dir);
    let learned = Learned::default();
    file.restore(&learned).map_err(|error| Failure::other(format!("{} {error}", file.path().display())))?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let summary = Summary::of(&learned, &config, now);
    let proposals = proposals(&summary, &config, now.as_secs());
    let text = if as_json {
        document(&config, &summary, &proposals)
    } else {
        text(&config, &summary, &proposals, now)
    };
    output::print(&text)
}

fn text(config: &Config, summary: &Summary, proposals: &[Proposal], now: Duration) -> String {
    if summary.routes.is_empty() {
        return "No route is in shadow mode.\n".to_owned();
    }
    let mut text = String::new();
    for route in &summary.routes {
        text.push_str(&heading(config, route));
        let rows: Vec<Vec<String>> = route.callers.iter().map(|caller| row(caller, now)).collect();
        text.push_str(&output::columns(&rows));
        text.push('\n');
    }
    for proposal in proposals {
        text.push_str(&format!("- {proposal}\n"));
        if let Some(command) = proposal.command() {
            let quoted: Vec<String> = command.iter().map(|word| quoted(word)).collect();
            text.push_str(&format!("  tollgate {}\n", quoted.join(" ")));
        }
    }
    text
}

fn heading(config: &Config, route: &RouteSummary) -> String {
    let position = config.routes.get(route.index).map(|route| route.position);
    let at = position.map_or_else(String::new, |position| {
        format!(" ({}:{})", config.file_of(position).display(), position.line)
    });
    let ready = match route.ready() {
        None => "no requests in the last 7 days".to_owned(),
        // Rounded down: 100 % is all of them.
        Some(share) => {
            format!("{:.1} % of the last 7 days' requests would pass", (share * 1_000.0).floor() / 10.0)
        }
    };
    let waiting = match route.waiting().count() {
        0 => "nobody would be refused".to_owned(),
        1 => "1 caller would be refused".to_owned(),
        count => format!("{count} callers would be refused"),
    };
    format!("{}{at}: {ready}; {waiting}\n", route.route)
}

fn row(caller: &CallerSummary, now: Duration) -> Vec<String> {
    let who = match &caller.user_agent {
        Some(user_agent) => format!("{} ({user_agent})", caller.who),
        None => caller.who.to_string(),
    };
    let reasons: Vec<String> =
        caller.refused.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    let refused = match caller.last_refused {
        None => String::new(),
        Some(last) => {
            format!("{} (last {} s ago)", reasons.join(", "), now.as_secs().saturating_sub(last))
        }
    };
    let state = if caller.would_pass { "passes" } else { "would be refused" };
    vec![format!("  {who}"), state.to_owned(), format!("{} passed", caller.passed), refused]
}

/// Quotes a word for a shell, if it needs that.
fn quoted(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:,=@%+".contains(&byte);
    if word.bytes().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

fn document(config: &Config, summary: &Summary, proposals: &[Proposal]) -> String {
    let routes: Vec<Value> = summary.routes.iter().map(route_json).collect();
    let proposals: Vec<Value> = proposals
        .iter()
        .map(|proposal| {
            let mut value = json!(proposal);
            value["message"] = json!(proposal.to_string());
            value["command"] = json!(proposal.command());
            value["operations"] = json!(operations(proposal, config));
            value
        })
        .collect();
    output::json(&json!({ "routes": routes, "proposals": proposals }))
}

fn route_json(route: &RouteSummary) -> Value {
    let mut value = json!(route);
    value["ready"] = json!(route.ready());
    value["since"] = json!(route.since.map(|since| utc::from_unix(since).to_string()));
    value
}
