//! `Idempotency-Key`: a request that is repeated because its response was lost has no second effect.
//!
//! The outcome is stored without its body, which may contain a secret that is shown once. A repeated request
//! therefore does not get the first response again. Its response reports the outcome of the first request.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::LOCATION;
use http::{HeaderName, StatusCode};

use super::moment;
use crate::admin::problem::Problem;
use crate::oauth::decide::Permit;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// How long an outcome is stored.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3_600);
/// The maximum number of stored outcomes. The oldest one is removed first.
const MOST: usize = 10_000;
const LONGEST_KEY: usize = 255;

/// The client and the key of the request.
type Key = (String, String);

/// The outcome of a request.
#[derive(Debug, Clone)]
enum Outcome {
    /// The request is in progress.
    Begun,
    /// The request succeeded.
    Done { at: SystemTime, status: u16, location: Option<String> },
}

/// The outcomes of requests with a key.
#[derive(Debug, Default)]
pub(super) struct Outcomes(Mutex<State_>);

#[derive(Debug, Default)]
struct State_ {
    outcomes: HashMap<Key, Outcome>,
    /// The keys in the order of their requests.
    order: VecDeque<(SystemTime, Key)>,
}

impl Outcomes {
    /// Begins a request, unless its key was used before.
    fn begin(&self, key: &Key, now: SystemTime) -> Result<(), Outcome> {
        let mut state = self.lock();
        while state.order.front().is_some_and(|(at, _)| {
            state.order.len() >= MOST || now.duration_since(*at).is_ok_and(|age| age >= KEPT_FOR)
        }) {
            if let Some((_, old)) = state.order.pop_front() {
                state.outcomes.remove(&old);
            }
        }
        if let Some(outcome) = state.outcomes.get(key) {
            return Err(outcome.clone());
        }
        state.outcomes.insert(key.clone(), Outcome::Begun);
        state.order.push_back((now, key.clone()));
        Ok(())
    }

    /// Records the end of a request. A request that failed may be repeated.
    fn end(&self, key: &Key, outcome: Option<Outcome>) {
        let mut state = self.lock();
        match outcome {
            Some(outcome) => {
                if let Some(kept) = state.outcomes.get_mut(key) {
                    *kept = outcome;
                }
            }
            None => {
                state.outcomes.remove(key);
                state.order.retain(|(_, other)| other != key);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State_> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Removes a request that was dropped before its end.
struct Running<'a>(&'a Outcomes, Option<Key>);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.1.take() {
            self.0.end(&key, None);
        }
    }
}

/// Executes a request once for each key of a client.
pub(super) async fn once(State(outcomes): State<Arc<Outcomes>>, request: Request, next: Next) -> Response {
    let mut values = request.headers().get_all(IDEMPOTENCY_KEY).iter();
    let key = match (values.next(), values.next()) {
        (None, _) => return next.run(request).await,
        (Some(value), None) => value.to_str().ok().filter(|key| (1..=LONGEST_KEY).contains(&key.len())),
        (Some(_), Some(_)) => None,
    };
    let client = request.extensions().get::<Permit>().and_then(Permit::client_id);
    let (Some(key), Some(client)) = (key, client) else {
        let detail = "Idempotency-Key must be one text of 1 to 255 visible characters";
        return Problem::bad_request(detail).into_response();
    };
    let key = (client.to_owned(), key.to_owned());
    match outcomes.begin(&key, SystemTime::now()) {
        Ok(()) => {}
        Err(outcome) => return repeated(&outcome).into_response(),
    }
    let mut running = Running(&outcomes, Some(key));
    let response = next.run(request).await;
    if response.status().is_success()
        && let Some(key) = running.1.take()
    {
        let location =
            response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = response.status().as_u16();
        outcomes.end(&key, Some(Outcome::Done { at: SystemTime::now(), status, location }));
    }
    response
}

fn repeated(outcome: &Outcome) -> Problem {
    let detail = match outcome {
        Outcome::Begun => "a request with this Idempotency-Key is being answered".to_owned(),
        Outcome::Done { at, status, location } => {
            let at = moment::at(*at);
            let location = location.as_ref().map(|location| format!(", {location}")).unwrap_or_default();
            format!(
                "this was done at {at} with the status {status}{location}; a secret that it made is not shown again"
            )
        }
    };
    Problem::new(StatusCode::CONFLICT, "already-done", detail)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn key(number: usize) -> Key {
        ("client".to_owned(), number.to_string())
    }

    #[test]
    fn a_key_is_for_one_success_within_a_day() {
        let outcomes = Outcomes::default();
        let at = |hours: u64| UNIX_EPOCH + Duration::from_secs(3_600 * hours);
        assert!(outcomes.begin(&key(1), at(0)).is_ok());
        assert!(matches!(outcomes.begin(&key(1), at(0)), Err(Outcome::Begun)));
        outcomes.end(&key(1), None);
        assert!(outcomes.begin(&key(1), at(0)).is_ok(), "a failure may be repeated");
        outcomes.end(&key(1), Some(Outcome::Done { at: at(0), status: 201, location: None }));
        assert!(matches!(outcomes.begin(&key(1), at(23)), Err(Outcome::Done { .. })));
        assert!(outcomes.begin(&("other".to_owned(), "1".to_owned()), at(23)).is_ok());
        assert!(outcomes.begin(&key(1), at(24)).is_ok());
    }

    #[test]
    fn the_outcomes_are_bounded() {
        let outcomes = Outcomes::default();
        for number in 0..MOST + 10 {
            assert!(outcomes.begin(&key(number), UNIX_EPOCH).is_ok());
        }
        let state = outcomes.lock();
        assert_eq!((state.outcomes.len(), state.order.len()), (MOST, MOST));
    }
}
