//! A custom store that can be disconnected, to show what a gate does without its store. Its test runs the
//! contract that every store must keep.
//!
//! ```text
//! cargo run --example custom_store
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use tollgate::clock::Millis;
use tollgate::oauth::ClientId;
use tollgate::oauth::Record;
use tollgate::oauth::TokenDigest;
use tollgate::store::{Found, Health, Pending, StoreError, TokenStore, Use, UsedName};
use tollgate::{ClientSpec, Denial, Gate, GateSpec, Requirement};

/// A map behind one lock. It is enough for a test, and too slow for traffic.
struct OneLock {
    tokens: Mutex<HashMap<TokenDigest, Record>>,
    max_tokens: usize,
    disconnected: AtomicBool,
}

impl OneLock {
    fn new(max_tokens: usize) -> Self {
        Self { tokens: Mutex::default(), max_tokens, disconnected: AtomicBool::new(false) }
    }

    fn disconnect(&self, disconnected: bool) {
        self.disconnected.store(disconnected, Ordering::Relaxed);
    }

    fn tokens(&self) -> Result<MutexGuard<'_, HashMap<TokenDigest, Record>>, StoreError> {
        // "The store cannot answer" is not "there is no such token": the first results in 503, the second
        // in 401.
        if self.disconnected.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable);
        }
        Ok(self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TokenStore for OneLock {
    fn find(&self, token: &TokenDigest) -> Found {
        match self.tokens() {
            Ok(tokens) => tokens.get(token).map_or(Found::Unknown, |record| Found::Known(record.clone())),
            // The request then waits for `ask`, which a store on the network uses to reach its server.
            Err(_) => Found::Ask,
        }
    }

    fn ask(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        // A store on the network returns `Pending::Wait(Box::pin(async { … }))`.
        Pending::Ready(self.tokens().map(|tokens| tokens.get(&token).cloned()))
    }

    fn insert(&self, token: TokenDigest, record: Record) -> Pending<'_, Result<(), StoreError>> {
        Pending::Ready(self.tokens().and_then(|mut tokens| {
            if tokens.len() >= self.max_tokens {
                return Err(StoreError::Full);
            }
            tokens.insert(token, record);
            Ok(())
        }))
    }

    fn revoke(&self, token: TokenDigest) -> Pending<'_, Result<Option<Record>, StoreError>> {
        Pending::Ready(self.tokens().map(|mut tokens| tokens.remove(&token)))
    }

    fn end_epoch(&self, _: &ClientId, epoch: u32) -> Pending<'_, Result<u32, StoreError>> {
        // The gate has ended the epoch in this process. A store that lasts writes it down before it answers.
        Pending::Ready(self.tokens().map(|_| epoch))
    }

    fn use_once(&self, _: UsedName, _: Duration) -> Pending<'_, Result<Use, StoreError>> {
        // The gate remembers the names that were used in this process. A store that lasts or is shared adds
        // the others.
        Pending::Ready(self.tokens().map(|_| Use::First))
    }

    fn sweep(&self, now: Millis, at_most: usize, forgotten: &mut dyn FnMut(Record)) -> bool {
        let Ok(mut tokens) = self.tokens() else { return false };
        let due: Vec<TokenDigest> = tokens
            .iter()
            .filter(|(_, record)| record.expires() <= now)
            .map(|(token, _)| *token)
            .take(at_most)
            .collect();
        due.iter().filter_map(|token| tokens.remove(token)).for_each(forgotten);
        due.len() == at_most
    }

    fn len(&self) -> usize {
        self.tokens().map_or(0, |tokens| tokens.len())
    }

    fn health(&self) -> Health {
        self.tokens().map_or(Health::Unavailable, |_| Health::Good)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(OneLock::new(1_000));
    let client = ClientSpec::with_id("server")?.scopes("read")?;
    let gate = Gate::builder(GateSpec::new("http://localhost").client(client))
        .store(Arc::<OneLock>::clone(&store))
        .build()?;

    let token = gate.issue_to("server", "read")?;
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()))?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
    let needed = Requirement::all("read")?;

    let permit = gate.authorize(&headers, &needed)?;
    println!("connected: {:?} is authorized", permit.client_id());

    store.disconnect(true);
    let denial = gate.authorize(&headers, &needed).err();
    println!("disconnected: {:?}", denial.as_ref().map(Denial::status));
    assert_eq!(denial, Some(Denial::Unavailable), "the request is never let through");

    store.disconnect(false);
    assert!(gate.authorize(&headers, &needed).is_ok());
    Ok(())
}

#[cfg(test)]
mod tests {
    use tollgate::store::testing::Contract;

    #[test]
    fn it_runs() {
        super::main().unwrap();
    }

    #[test]
    fn the_store_keeps_the_contract() {
        Contract::of(super::OneLock::new).faults(super::OneLock::disconnect).check();
    }
}
