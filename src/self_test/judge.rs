//! Compares the responses with the expected results.

use super::answer::{Answer, Outcome};
use super::attack::{Attack, Case, Expected, Suite};
use super::error::SelfTestError;
use super::message::Protocol;
use super::wire::Gateway;

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
    pub(super) protocol: Protocol,
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
        for Case { attack, what, message, expected } in cases {
            let answer = gateway.exchange(&message).await.map_err(|error| {
                SelfTestError::Failed(format!("the gateway accepts no more connections: {error}"))
            })?;
            let finding = judge(&expected, &answer, foreign_refusals);
            let status = answer.status().unwrap_or(0);
            let (protocol, request) = (message.protocol, message.line);
            done.push(Judged { attack, what, protocol, request, finding, status });
        }
        judged.push(JudgedSuite { name, line, cases: done, skipped });
    }
    Ok(judged)
}

/// Compares a response with the expected result of its request.
pub(super) fn judge(expected: &Expected, answer: &Answer, foreign_refusals: bool) -> Finding {
    let responses = answer.responses;
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
        Expected::Passes => match (&answer.outcome, answer.refusal(false)) {
            (Outcome::Unclear(how), _) => Finding::Unseen(how.clone()),
            (_, Ok(())) => Finding::Differs(format!("the gateway refuses it: {}", answer.describe())),
            (_, Err(_)) => Finding::Held,
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
