//! Compares the responses with the expected results.

use super::attack::{Attack, Case, Expected, Suite};
use super::error::SelfTestError;
use super::wire::{Answer, Gateway};

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Finding {
    /// The result is the expected one.
    Held,
    /// A request was accepted that must be refused.
    Passed(String),
    /// A request was refused that must be accepted: the gateway has another configuration.
    Differs(String),
    /// The result is not visible.
    Unseen(String),
}

/// A request with its response.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) attack: Attack,
    pub(super) what: String,
    /// The first line of the request, as printable text without its token.
    pub(super) request: String,
    pub(super) finding: Finding,
    /// The status of the response, or 0 if there is none.
    pub(super) status: u16,
}

/// A suite with its responses.
#[derive(Debug)]
pub(crate) struct JudgedSuite {
    pub(super) name: String,
    pub(super) line: Option<u32>,
    pub(super) cases: Vec<Judged>,
    pub(super) skipped: Vec<(Attack, String)>,
}

/// Sends every request of the suites, one after the other.
///
/// # Errors
/// Fails if the gateway no longer accepts connections.
pub(super) async fn suites(
    gateway: &Gateway,
    suites: Vec<Suite>,
    foreign_refusals: bool,
) -> Result<Vec<JudgedSuite>, SelfTestError> {
    let mut judged = Vec::with_capacity(suites.len());
    for Suite { name, line, cases, skipped } in suites {
        let mut done = Vec::with_capacity(cases.len());
        for case in cases {
            let answer = gateway.exchange(&case.bytes).await.map_err(|error| {
                SelfTestError::Failed(format!("the gateway accepts no more connections: {error}"))
            })?;
            let finding = judge(&case.expected, &answer, foreign_refusals);
            let request = first_line(&case);
            let status = answer.status().unwrap_or(0);
            done.push(Judged { attack: case.attack, what: case.what, request, finding, status });
        }
        judged.push(JudgedSuite { name, line, cases: done, skipped });
    }
    Ok(judged)
}

/// Compares a response with the expected result of its request.
pub(super) fn judge(expected: &Expected, answer: &Answer, foreign_refusals: bool) -> Finding {
    let responses = answer.responses();
    match expected {
        Expected::Refused => match answer.refusal(foreign_refusals) {
            _ if responses > 1 => Finding::Passed(format!("{responses} responses to one request")),
            Ok(()) => Finding::Held,
            Err(how) => Finding::Passed(how),
        },
        Expected::OneAtMost if responses > 1 => {
            Finding::Passed(format!("{responses} responses to one request"))
        }
        Expected::OneAtMost => Finding::Held,
        Expected::Passes => match answer.refusal(false) {
            Ok(()) => Finding::Differs(format!("the gateway refuses it: {}", answer.describe())),
            Err(_) => Finding::Held,
        },
        Expected::Hides { control, values } => {
            if let Some((name, _)) = values.iter().find(|(_, value)| answer.contains(value)) {
                return Finding::Passed(format!("the API got the client's {name}"));
            }
            if answer.contains(control) {
                return Finding::Held;
            }
            Finding::Unseen("the API does not show the headers that it gets".to_owned())
        }
    }
}

impl Answer {
    /// Returns the status of the first final response.
    pub(super) fn status(&self) -> Option<u16> {
        status_line(self.final_response())
    }

    /// Returns the first final response and what follows it. Interim ones come before it (RFC 9110 §15.2).
    fn final_response(&self) -> &[u8] {
        let mut rest = &*self.bytes;
        while status_line(rest).is_some_and(|status| (100..200).contains(&status) && status != 101) {
            rest = find(rest, b"\r\n\r\n").and_then(|end| rest.get(end + 4..)).unwrap_or_default();
        }
        rest
    }

    /// Returns how many final responses there are.
    ///
    /// A response inside the body of another response is counted too. If an API's body contains the text of a
    /// response, the request is reported, and the operator sees the reason.
    fn responses(&self) -> usize {
        let mut count = usize::from(self.status().is_some());
        let first = self.final_response();
        let mut rest = first.get(head_end(first)..).unwrap_or_default();
        while let Some(found) = find(rest, b"HTTP/1.").and_then(|at| rest.get(at..)) {
            let is_final = status_line(found).is_some_and(|status| status >= 200);
            count += usize::from(is_final && find(found, b"\r\n\r\n").is_some());
            rest = found.get(1..).unwrap_or_default();
        }
        count
    }

    /// Returns whether the gateway itself refused the request, or what happened instead.
    fn refusal(&self, foreign: bool) -> Result<(), String> {
        let Some(status) = self.status() else {
            // Closing without a response counts as a refusal. A missing response on an open connection does
            // not, because the API may be working.
            return if self.closed && self.bytes.is_empty() {
                Ok(())
            } else {
                Err("no response in time".to_owned())
            };
        };
        if !(400..500).contains(&status) && !matches!(status, 501 | 503 | 505) {
            return Err(self.describe());
        }
        let is_ours = self.has_field("x-content-type-options", "nosniff")
            && self.has_field("cache-control", "no-store")
            && (self.has_field("content-type", "application/problem+json")
                || self.has_field("content-type", "application/json"));
        // The response to HEAD or to a malformed head may have no body, but it has these fields.
        if is_ours || foreign {
            Ok(())
        } else {
            Err(format!("{}, which is not the gateway's", self.describe()))
        }
    }

    fn describe(&self) -> String {
        self.status().map_or("no response".to_owned(), |status| format!("status {status}"))
    }

    /// Returns whether the head of the first final response has a field that begins with `value`.
    fn has_field(&self, name: &str, value: &str) -> bool {
        let response = self.final_response();
        let head = response.get(..head_end(response)).unwrap_or_default();
        head.split(|byte| *byte == b'\n').any(|line| {
            let line = String::from_utf8_lossy(line);
            line.split_once(':').is_some_and(|(found, content)| {
                found.eq_ignore_ascii_case(name) && content.trim().to_ascii_lowercase().starts_with(value)
            })
        })
    }

    fn contains(&self, text: &str) -> bool {
        find(&self.bytes, text.as_bytes()).is_some()
    }
}

/// Returns the position of the end of a response head.
fn head_end(bytes: &[u8]) -> usize {
    find(bytes, b"\r\n\r\n").map_or(bytes.len(), |end| end + 4)
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    memchr::memmem::find(bytes, wanted)
}

/// Returns the status of a response that begins at this position.
fn status_line(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(b"HTTP/1.")?;
    let digits = rest.get(2..5).filter(|_| rest.get(1) == Some(&b' '))?;
    str::from_utf8(digits).ok()?.parse().ok()
}

/// Returns the request line as printable text.
fn first_line(case: &Case) -> String {
    let line = case.bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let text = line.escape_ascii().to_string();
    // A token in the query is a secret.
    match text.split_once("access_token=") {
        None => text,
        Some((before, _)) => format!("{before}access_token=…"),
    }
}
