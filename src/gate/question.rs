//! The questions of a decision to the store, and the answers with which the decision is made again.

#[cfg(feature = "jose")]
use std::time::Duration;

use crate::oauth::denial::Denial;
use crate::oauth::grant::Record;
use crate::oauth::token::TokenDigest;
use crate::store::StoreError;
#[cfg(feature = "jose")]
use crate::store::{Use, UsedName};

/// A question that only the store can answer, after a wait.
#[derive(Debug)]
pub(crate) enum Question {
    /// Is there such a token?
    Token(TokenDigest),
    /// Was this name used before? Asking uses it up.
    #[cfg(feature = "jose")]
    Use {
        /// The name.
        name: UsedName,
        /// The time for which the name is remembered.
        keep: Duration,
    },
}

/// Why there is no permit: the request is denied, or a question has to be answered first.
#[derive(Debug)]
pub(crate) enum Undecided {
    Denied(Denial),
    Ask(Question),
}

impl Undecided {
    /// Returns the denial of a caller that cannot wait.
    #[cold]
    pub(crate) fn without_waiting(self) -> Denial {
        match self {
            Self::Denied(denial) => denial,
            Self::Ask(_) => Denial::Unavailable,
        }
    }

    /// Changes the denial, if it is one.
    #[cfg(feature = "jose")]
    pub(super) fn map_denial(self, map: impl FnOnce(Denial) -> Denial) -> Self {
        match self {
            Self::Denied(denial) => Self::Denied(map(denial)),
            ask @ Self::Ask(_) => ask,
        }
    }
}

impl From<Denial> for Undecided {
    fn from(denial: Denial) -> Self {
        Self::Denied(denial)
    }
}

/// The answers to the questions of one request. A decision asks each question once.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    token: Option<(TokenDigest, Result<Option<Record>, StoreError>)>,
    #[cfg(feature = "jose")]
    used: Option<(UsedName, Result<Use, StoreError>)>,
}

/// The answers of a request that has asked nothing yet.
pub(crate) static NO_ANSWERS: Answers = Answers {
    token: None,
    #[cfg(feature = "jose")]
    used: None,
};

impl Answers {
    /// Returns the record of a token for which the store has to be asked.
    #[cold]
    pub(super) fn record(&self, token: TokenDigest) -> Result<Option<Record>, Undecided> {
        match &self.token {
            Some((asked, answer)) if *asked == token => {
                answer.clone().map_err(|_| Denial::Unavailable.into())
            }
            _ => Err(Undecided::Ask(Question::Token(token))),
        }
    }

    /// Adds the answer about a token.
    pub(super) fn add_record(&mut self, token: TokenDigest, answer: Result<Option<Record>, StoreError>) {
        self.token = Some((token, answer));
    }

    /// Adds the answer about a name.
    #[cfg(feature = "jose")]
    pub(super) fn add_use(&mut self, name: UsedName, answer: Result<Use, StoreError>) {
        self.used = Some((name, answer));
    }

    /// Returns whether a name was used before, if the store was asked.
    #[cfg(feature = "jose")]
    pub(super) fn used(&self, name: UsedName) -> Option<Result<Use, StoreError>> {
        self.used.as_ref().filter(|(asked, _)| *asked == name).map(|(_, answer)| *answer)
    }
}
