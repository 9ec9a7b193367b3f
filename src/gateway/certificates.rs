//! Keeps the certificates of `[server.tls.acme]`: orders and renews them, and puts them into use.
//!
//! A separate thread with its own runtime does this, so that neither requests nor readiness wait for an
//! authority. If an order fails, the previous certificate stays in use. The thread starts when the gateway
//! serves, because the authority connects to the gateway during an order. It ends when another process takes
//! over.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::reload::Reloader;
use crate::acme::challenge::Challenges;
use crate::acme::renewal::{Suggestion, renewal_due};
use crate::acme::session::Session;
use crate::acme::storage::Storage;
use crate::acme::{AcmeError, Attempts};
use crate::admin::control::Control as _;
use crate::config::Acme;
use crate::oauth::certificate::issued::Issued;
use crate::tasks::{block_on, runtime};
use crate::telemetry;
use crate::threads;
use crate::utc;

/// The longest time between two checks of the stored certificates, in seconds. Another process may have
/// renewed one.
const LOOK_EVERY: u64 = 60;
/// The most characters of a reason that are logged.
const LONGEST_REASON: usize = 1_000;
/// How long the thread waits while another process orders, in seconds.
const WAIT_FOR_OTHER: u64 = 5;

/// Starts the thread. Without a TLS listener, this does nothing.
pub(super) fn keep(reloader: Arc<Reloader>) -> io::Result<()> {
    let Some(challenges) = reloader.challenges() else { return Ok(()) };
    let runtime = runtime()?;
    threads::spawn("tollgate-acme", move || {
        block_on(&runtime, async {
            tokio::select! {
                () = rounds(&reloader, &challenges) => {}
                // An order that is under way ends here. The process that has taken over makes a new one.
                () = reloader.until_retired() => {}
            }
        });
    })?;
    Ok(())
}

async fn rounds(reloader: &Reloader, challenges: &Challenges) {
    let mut keeper = Keeper::default();
    loop {
        let config = reloader.config();
        let Some(acme) = config.server.tls.certificate.acme() else {
            telemetry::set_certificate_ends(Vec::new());
            reloader.changed().await;
            continue;
        };
        let next = keeper.round(acme, reloader, challenges).await;
        let wait = Duration::from_secs(next.saturating_sub(now()).clamp(1, LOOK_EVERY));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = reloader.changed() => {}
        }
    }
}

/// The state of the certificates. Moments are in seconds since 1970.
#[derive(Default)]
struct Keeper {
    /// The certificates that are in use.
    in_use: BTreeMap<String, Issued>,
    /// When the authority suggests renewing each of them.
    suggestions: BTreeMap<String, (Issued, Suggestion)>,
    /// The domains whose failure was logged, and which have got no certificate since.
    failing: BTreeSet<String>,
    is_limited: bool,
}

impl Keeper {
    /// Orders the certificates that are due. Returns the moment of the next round.
    async fn round(&mut self, acme: &Acme, reloader: &Reloader, challenges: &Challenges) -> u64 {
        let storage = Storage::new(reloader.state_dir(), &acme.directory);
        self.look(acme, &storage, reloader);
        let mut next = now() + LOOK_EVERY;
        let mut session = match Session::new(acme, &storage) {
            Ok(session) => session,
            Err(error) => {
                acme.domains.iter().for_each(|domain| self.failed(domain, &error, None));
                return next;
            }
        };
        let mut waits_for_limit = false;
        for domain in &acme.domains {
            let now = now();
            let due = self.due(acme, domain, &mut session, now).await;
            let attempts = storage.attempts();
            let at = due.max(attempts.allowed_from(domain, acme.max_orders_per_hour, now));
            waits_for_limit |= due <= now && attempts.within_limit(acme.max_orders_per_hour, now) > now;
            if at > now {
                next = next.min(at);
                continue;
            }
            next = next.min(self.renew(acme, domain, &storage, &mut session, challenges, now).await);
            self.look(acme, &storage, reloader);
        }
        self.limited(acme, waits_for_limit);
        next
    }

    /// Reads the stored certificates, and puts changed ones into use.
    fn look(&mut self, acme: &Acme, storage: &Storage, reloader: &Reloader) {
        let mut found = BTreeMap::new();
        for domain in &acme.domains {
            match storage.certificate(domain) {
                Ok(stored) => found.extend(stored.map(|(_, issued)| (domain.clone(), issued))),
                Err(error) => self.failed(domain, &error, None),
            }
        }
        let ends = acme.domains.iter().map(|domain| {
            let end = found.get(domain).map(|issued| issued.not_after);
            (domain.clone(), end)
        });
        telemetry::set_certificate_ends(ends.collect());
        if found != self.in_use {
            self.in_use = found;
            reloader.refresh_certificates();
        }
    }

    /// Returns the moment at which a certificate should be ordered.
    async fn due(&mut self, acme: &Acme, domain: &str, session: &mut Session<'_>, now: u64) -> u64 {
        let Some(current) = self.in_use.get(domain) else { return 0 };
        let due = renewal_due(current, acme.renew_percent_left);
        if due <= now {
            return due;
        }
        let known = self
            .suggestions
            .get(domain)
            .filter(|(issued, suggestion)| issued == current && suggestion.look_at > now);
        let suggestion = match known {
            Some((_, suggestion)) => *suggestion,
            None => {
                let suggestion = session.suggestion(current, now).await;
                self.suggestions.insert(domain.to_owned(), (current.clone(), suggestion));
                suggestion
            }
        };
        suggestion.renew_at.map_or(due, |suggested| suggested.min(due))
    }

    /// Orders a certificate, unless another process does. Returns the moment of the next attempt.
    async fn renew(
        &mut self,
        acme: &Acme,
        domain: &str,
        storage: &Storage,
        session: &mut Session<'_>,
        challenges: &Challenges,
        now: u64,
    ) -> u64 {
        let lock = match storage.lock() {
            Ok(Some(lock)) => lock,
            Ok(None) => return now + WAIT_FOR_OTHER,
            Err(error) => {
                self.failed(domain, &error, None);
                return now + LOOK_EVERY;
            }
        };
        let stored = match storage.certificate(domain) {
            Ok(stored) => stored.map(|(_, issued)| issued),
            Err(AcmeError::Malformed(_)) => None,
            // A file whose key other users can read is not replaced, so that an operator notices it.
            Err(_) => return now + LOOK_EVERY,
        };
        if stored.as_ref() != self.in_use.get(domain) && stored.is_some() {
            // Another process has ordered a certificate in the meantime.
            return now;
        }
        match session.renew(domain, stored.as_ref(), challenges, now, &lock).await {
            Ok(issued) => {
                let again = if self.failing.remove(domain) { " again" } else { "" };
                log::info!(
                    "{domain}: a certificate was issued{again}, valid until {}",
                    utc::from_unix(issued.not_after)
                );
                // The next round is now. It asks the authority when to renew the certificate.
                now
            }
            Err(error) => {
                let attempts: Attempts = storage.attempts();
                let next = attempts.allowed_from(domain, acme.max_orders_per_hour, now);
                self.failed(domain, &error, Some(next));
                next
            }
        }
    }

    /// Logs the first failure of a domain since its last new certificate.
    fn failed(&mut self, domain: &str, error: &AcmeError, next: Option<u64>) {
        if !self.failing.insert(domain.to_owned()) {
            log::debug!("{domain}: {error}");
            return;
        }
        // The error may contain text from the authority.
        let error = error.to_string().replace(char::is_control, " ");
        let error: String = error.chars().take(LONGEST_REASON).collect();
        let next = next.map(|next| format!("; next attempt at {}", utc::from_unix(next))).unwrap_or_default();
        match self.in_use.get(domain).map(|issued| issued.not_after) {
            None => log::error!("{domain} has no certificate, and none was issued: {error}{next}"),
            Some(end) if end <= now() => {
                log::error!("{domain}: the certificate has expired, and none was issued: {error}{next}");
            }
            Some(end) => log::warn!(
                "{domain}: no new certificate was issued, and the previous one stays in use until {}: {error}{next}",
                utc::from_unix(end)
            ),
        }
    }

    /// Logs when the limit of orders is reached, and not again until it no longer is.
    fn limited(&mut self, acme: &Acme, is_limited: bool) {
        if is_limited && !self.is_limited {
            log::warn!(
                "no certificates are ordered now, because {} were ordered within an hour: see max_orders_per_hour",
                acme.max_orders_per_hour
            );
        }
        self.is_limited = is_limited;
    }
}

/// Returns each domain that the configuration orders a certificate for, with its stored certificate.
pub(crate) fn stored(acme: &Acme, state_dir: &Path) -> Vec<(String, Result<Option<Issued>, AcmeError>)> {
    let storage = Storage::new(state_dir, &acme.directory);
    let stored = |domain: &String| storage.certificate(domain).map(|found| found.map(|(_, issued)| issued));
    acme.domains.iter().map(|domain| (domain.clone(), stored(domain))).collect()
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
