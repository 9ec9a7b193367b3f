//! The result for people, for scripts and for CI servers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::judge::{Finding, Judged, JudgedSuite};
use super::message::Protocol;

use crate::sorting::collect_sorted;

/// The result of a self-test.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) origin: String,
    /// The protocols of the requests.
    pub(crate) protocols: Vec<Protocol>,
    /// The number of requests.
    pub(crate) requests: usize,
    pub(crate) suites: Vec<JudgedSuite>,
}

impl Report {
    fn findings(&self) -> impl Iterator<Item = (&JudgedSuite, &Judged)> {
        self.suites.iter().flat_map(|suite| suite.cases.iter().map(move |case| (suite, case)))
    }

    fn count(&self, is_meant: impl Fn(&Finding) -> bool) -> usize {
        self.findings().filter(|(_, case)| is_meant(&case.finding)).count()
    }

    /// Returns how many requests were accepted that must be refused.
    pub(crate) fn passed(&self) -> usize {
        self.count(|finding| matches!(finding, Finding::Passed(_)))
    }

    /// Returns how many requests were refused that must be accepted.
    pub(crate) fn differing(&self) -> usize {
        self.count(|finding| matches!(finding, Finding::Differs(_)))
    }

    /// Returns the rows of a table with one row for each route.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        let header = ["route", "line", "requests", "as it must be", "passed", "not seen", "skipped"];
        let mut rows = vec![header.map(str::to_owned).to_vec()];
        for suite in &self.suites {
            let count = |is_meant: fn(&Finding) -> bool| {
                suite.cases.iter().filter(|case| is_meant(&case.finding)).count().to_string()
            };
            rows.push(vec![
                suite.name.clone(),
                suite.line.map_or("-".to_owned(), |line| line.to_string()),
                suite.cases.len().to_string(),
                count(|finding| *finding == Finding::Held),
                count(|finding| matches!(finding, Finding::Passed(_))),
                count(|finding| matches!(finding, Finding::Unseen(_))),
                suite.skipped.len().to_string(),
            ]);
        }
        rows
    }

    /// Returns the text after the table: each finding, and the attacks that were skipped.
    pub(crate) fn details(&self) -> String {
        let mut text = String::new();
        for (suite, case) in self.findings() {
            let (kind, how) = match &case.finding {
                Finding::Passed(how) => ("PASSED", how),
                Finding::Differs(how) => ("DIFFERS", how),
                Finding::Held | Finding::Unseen(_) => continue,
            };
            let line = suite.line.map(|line| format!(" (line {line})")).unwrap_or_default();
            let _ = writeln!(text, "{kind}  {}{line}: {}: {}", suite.name, case.attack.name(), case.what);
            let _ = writeln!(text, "        {}  ->  {how}", case.request);
        }
        let mut reasons: Vec<(String, usize)> = Vec::new();
        for suite in &self.suites {
            for reason in suite.reasons() {
                match reasons.iter_mut().find(|(known, _)| *known == reason) {
                    Some((_, count)) => *count += 1,
                    None => reasons.push((reason, 1)),
                }
            }
        }
        if !reasons.is_empty() {
            text.push_str("Not tested:\n");
            for (reason, count) in reasons {
                let routes = if count == 1 { "route" } else { "routes" };
                let _ = writeln!(text, "  {reason} ({count} {routes})");
            }
        }
        let _ = writeln!(text, "{}", self.summary());
        text
    }

    fn summary(&self) -> String {
        let Self { origin, requests, .. } = self;
        let protocols: Vec<&str> = self.protocols.iter().map(|protocol| protocol.name()).collect();
        let over = protocols.join(" and ");
        let (passed, differing) = (self.passed(), self.differing());
        match (passed, differing) {
            (0, 0) => format!("{origin}: {requests} requests over {over}, and nothing passed that must not."),
            (0, _) => format!(
                "{origin}: {differing} of {requests} requests over {over} were refused that must pass: the gateway has \
                 another configuration."
            ),
            _ => format!(
                "{origin}: {passed} of {requests} requests over {over} passed that must not. `tollgate explain` says what \
                 the configuration makes of them; the running gateway may have another one."
            ),
        }
    }

    /// Returns the result as JSON.
    pub(crate) fn json(&self) -> Value {
        let suites: Vec<Value> = self.suites.iter().map(suite_json).collect();
        json!({
            "url": self.origin,
            "protocols": self.protocols.iter().map(|protocol| protocol.name()).collect::<Vec<_>>(),
            "requests": self.requests,
            "passed": self.passed(),
            "differing": self.differing(),
            "routes": suites,
        })
    }

    /// Returns the result as JUnit XML, with a test suite for each route.
    pub(crate) fn junit(&self) -> String {
        let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let failures = self.passed() + self.differing();
        let _ = writeln!(
            text,
            "<testsuites name=\"tollgate self-test\" tests=\"{}\" failures=\"{failures}\">",
            self.requests
        );
        for suite in &self.suites {
            suite_junit(suite, &mut text);
        }
        text.push_str("</testsuites>\n");
        text
    }
}

impl JudgedSuite {
    /// Returns why attacks on the route were not made or not seen. Each reason comes once.
    fn reasons(&self) -> BTreeSet<String> {
        let unseen = self.cases.iter().filter_map(|case| match &case.finding {
            Finding::Unseen(reason) => Some((case.attack, reason)),
            Finding::Held | Finding::Passed(_) | Finding::Differs(_) => None,
        });
        let skipped = self.skipped.iter().map(|(attack, reason)| (*attack, reason));
        collect_sorted(skipped.chain(unseen).map(|(attack, reason)| format!("{}: {reason}", attack.name())))
    }
}

fn suite_json(suite: &JudgedSuite) -> Value {
    let cases: Vec<Value> = suite
        .cases
        .iter()
        .map(|case| {
            let (result, reason) = match &case.finding {
                Finding::Held => ("held", None),
                Finding::Passed(how) => ("passed", Some(how)),
                Finding::Differs(how) => ("differs", Some(how)),
                Finding::Unseen(reason) => ("unseen", Some(reason)),
            };
            json!({
                "attack": case.attack.name(),
                "what": case.what,
                "protocol": case.protocol.name(),
                "request": case.request,
                "result": result,
                "reason": reason,
                "status": (case.status != 0).then_some(case.status),
            })
        })
        .collect();
    let skipped: Vec<Value> = suite
        .skipped
        .iter()
        .map(|(attack, reason)| json!({ "attack": attack.name(), "reason": reason }))
        .collect();
    json!({ "route": suite.name, "line": suite.line, "cases": cases, "skipped": skipped })
}

fn suite_junit(suite: &JudgedSuite, text: &mut String) {
    let failures = suite
        .cases
        .iter()
        .filter(|case| matches!(case.finding, Finding::Passed(_) | Finding::Differs(_)))
        .count();
    let unseen = suite.cases.iter().filter(|case| matches!(case.finding, Finding::Unseen(_))).count();
    let name = xml(&suite.name);
    let _ = writeln!(
        text,
        "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failures}\" skipped=\"{}\">",
        suite.cases.len() + suite.skipped.len(),
        suite.skipped.len() + unseen
    );
    for case in &suite.cases {
        let what = xml(&format!("{}: {} ({})", case.attack.name(), case.what, case.protocol.name()));
        let _ = write!(text, "    <testcase classname=\"{name}\" name=\"{what}\"");
        match &case.finding {
            Finding::Held => text.push_str("/>\n"),
            Finding::Passed(how) | Finding::Differs(how) => {
                let message = xml(how);
                let request = xml(&case.request);
                let _ = writeln!(text, "><failure message=\"{message}\">{request}</failure></testcase>");
            }
            Finding::Unseen(reason) => {
                let _ = writeln!(text, "><skipped message=\"{}\"/></testcase>", xml(reason));
            }
        }
    }
    for (attack, reason) in &suite.skipped {
        let _ = writeln!(
            text,
            "    <testcase classname=\"{name}\" name=\"{}\"><skipped message=\"{}\"/></testcase>",
            attack.name(),
            xml(reason)
        );
    }
    text.push_str("  </testsuite>\n");
}

/// Escapes a text for XML. Control characters are not allowed there, even escaped.
fn xml(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            control if control.is_control() => escaped.extend(control.escape_default()),
            other => escaped.push(other),
        }
    }
    escaped
}
