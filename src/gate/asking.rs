//! Asking the store what a decision needs, and deciding again.

use crate::gate::instance::Gate;
use crate::gate::question::{Answers, NO_ANSWERS, Question, Undecided};
use crate::oauth::decide::Permit;
use crate::oauth::denial::Denial;

impl Gate {
    /// Asks the store, and adds its answer.
    pub(crate) async fn ask(&self, question: Question, answers: Option<Box<Answers>>) -> Box<Answers> {
        let mut answers = answers.unwrap_or_default();
        match question {
            Question::Token(token) => answers.add_record(token, self.inner.store.ask(token).get().await),
            #[cfg(feature = "jose")]
            Question::Use { name, keep } => {
                answers.add_use(name, self.inner.store.use_once(name, keep).get().await);
            }
        }
        answers
    }

    /// Decides, asks the store what the decision needs, and decides again.
    pub(crate) async fn until_decided(
        &self,
        mut decide: impl FnMut(&Answers) -> Result<Permit, Undecided>,
    ) -> Result<Permit, Denial> {
        let mut answers = None;
        loop {
            match decide(answers.as_deref().unwrap_or(&NO_ANSWERS)) {
                Ok(permit) => return Ok(permit),
                Err(Undecided::Denied(denial)) => return Err(denial),
                Err(Undecided::Ask(question)) => answers = Some(self.ask(question, answers).await),
            }
        }
    }
}
