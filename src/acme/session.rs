//! A session with one authority: its account, its orders, and its suggestions for renewal.

use instant_acme::Account;

use super::account;
use super::challenge::Challenges;
use super::error::AcmeError;
use super::http::AuthorityClient;
use super::order::order;
use super::renewal::{Suggestion, suggestion};
use super::storage::{OrderLock, Storage};
use crate::config::Acme;
use crate::oauth::certificate::issued::Issued;
use crate::telemetry;

/// A session with the authority of a configuration. It opens the account when it needs it.
pub(crate) struct Session<'a> {
    acme: &'a Acme,
    storage: &'a Storage,
    http: AuthorityClient,
    account: Option<Account>,
}

impl<'a> Session<'a> {
    /// Creates a session, without connecting.
    ///
    /// # Errors
    /// Fails if TLS cannot be set up.
    pub(crate) fn new(acme: &'a Acme, storage: &'a Storage) -> Result<Self, AcmeError> {
        Ok(Self { acme, storage, http: AuthorityClient::new(acme)?, account: None })
    }

    /// Orders a certificate for a domain, and stores it. Counts the attempt and its result.
    ///
    /// # Errors
    /// Fails if the authority does not issue it, or if it cannot be stored.
    pub(crate) async fn renew(
        &mut self,
        domain: &str,
        current: Option<&Issued>,
        challenges: &Challenges,
        now: u64,
        _: &OrderLock,
    ) -> Result<Issued, AcmeError> {
        let outcome = self.try_to_renew(domain, current, challenges, now).await;
        let mut attempts = self.storage.attempts();
        match &outcome {
            Ok(_) => attempts.succeeded(domain, &self.acme.domains),
            Err(error) => {
                // The authority has lost its accounts or ended this one, so the next order creates another.
                if matches!(error.problem(), Some("accountDoesNotExist")) {
                    self.storage.forget_account();
                }
                let asked = self.http.take_asked_wait();
                attempts.failed(domain, self.acme.retry_after, asked, random(), now);
            }
        }
        telemetry::record_order(outcome.is_ok());
        self.storage.write_attempts(&attempts)?;
        outcome
    }

    async fn try_to_renew(
        &mut self,
        domain: &str,
        current: Option<&Issued>,
        challenges: &Challenges,
        now: u64,
    ) -> Result<Issued, AcmeError> {
        let account = self.account().await?;
        // The order is counted before it is made, because the process may end at any moment.
        let mut attempts = self.storage.attempts();
        attempts.begin(now);
        self.storage.write_attempts(&attempts)?;
        let chain = order(&account, domain, current, challenges).await?;
        self.storage.write_certificate(domain, &chain.key, &chain.certificates, now)
    }

    /// Asks the authority when to renew a certificate.
    pub(crate) async fn suggestion(&mut self, issued: &Issued, now: u64) -> Suggestion {
        match self.account().await {
            Ok(account) => suggestion(&account, issued, random(), now).await,
            Err(error) => {
                log::debug!("the authority is not asked when to renew: {error}");
                Suggestion::none(now)
            }
        }
    }

    async fn account(&mut self) -> Result<Account, AcmeError> {
        if let Some(account) = &self.account {
            return Ok(account.clone());
        }
        let account = account::open(self.acme, self.storage, &self.http).await?;
        Ok(self.account.insert(account).clone())
    }
}

/// Returns a random number for jitter, or 0 if the system has no random bytes.
fn random() -> u16 {
    let mut bytes = [0; 2];
    let _ = getrandom::fill(&mut bytes);
    u16::from_ne_bytes(bytes)
}
