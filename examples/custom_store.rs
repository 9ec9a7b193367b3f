//! A store of one's own: here one that can be cut off, to show what a gate does that cannot ask its store.
//!
//! ```text
//! cargo run --example custom_store
//! ```

use std::collections::HashMap;
use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, HeaderValue, header};
use tollgate::clock::Millis;
use tollgate::gate::{ClientSpec, Gate, GateSpec};
use tollgate::oauth::denial::Denial;
use tollgate::oauth::grant::Record;
use tollgate::oauth::scope::Requirement;
use tollgate::oauth::token::TokenDigest;
use tollgate::store::{StoreError, TokenStore};

/// A map behind one lock: enough for a test, too little for traffic.
#[derive(Default)]
struct OneLock {
    tokens: Mutex<HashMap<TokenDigest, Record>>,
    cut_off: AtomicBool,
}

impl OneLock {
    fn tokens(&self) -> Result<MutexGuard<'_, HashMap<TokenDigest, Record>>, StoreError> {
        // "Nobody knows" is not "there is none": the first is 503, the second 401.
        if self.cut_off.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable);
        }
        Ok(self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TokenStore for OneLock {
    fn insert(&self, token: TokenDigest, record: Record) -> Result<(), StoreError> {
        self.tokens()?.insert(token, record);
        Ok(())
    }

    fn find(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError> {
        Ok(self.tokens()?.get(token).cloned())
    }

    fn remove(&self, token: &TokenDigest) -> Result<Option<Record>, StoreError> {
        Ok(self.tokens()?.remove(token))
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
}

fn main() -> Result<(), Box<dyn Error>> {
    let store = Arc::new(OneLock::default());
    let client = ClientSpec::with_id("server")?.scopes(["read"])?;
    let gate = Gate::builder(GateSpec::new("http://localhost").client(client))
        .store(Arc::<OneLock>::clone(&store))
        .build()?;

    let token = gate.issue_to("server", ["read"])?;
    let bearer = HeaderValue::from_str(&format!("Bearer {}", token.expose()))?;
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, bearer)]);
    let needed = Requirement::all(["read"])?;

    let permit = gate.authorize(&headers, &needed)?;
    println!("kept in a store of one's own: {:?} may pass", permit.client_id());

    store.cut_off.store(true, Ordering::Relaxed);
    let denial = gate.authorize(&headers, &needed).err();
    println!("cut off: {:?}", denial.as_ref().map(Denial::status));
    assert_eq!(denial, Some(Denial::Unavailable), "never let through");

    store.cut_off.store(false, Ordering::Relaxed);
    assert!(gate.authorize(&headers, &needed).is_ok());
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_runs() {
        super::main().unwrap();
    }
}
