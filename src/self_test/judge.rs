//! Compares the responses with the expected results.

use super::answer::{Answer, Outcome};
use super::attack::{Attack, Case, Expected};
use super::message::Protocol;

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

impl Judged {
    /// Judges the response to a request.
    pub(super) fn new(case: &Case, answer: &Answer, foreign_refusals: bool) -> Self {
        let Case { attack, what, message, expected } = case;
        Self {
            attack: *attack,
            what: what.clone(),
            protocol: message.protocol,
            request: message.line.clone(),
            finding: judge(expected, answer, foreign_refusals),
            status: answer.status().unwrap_or(0),
        }
    }
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
