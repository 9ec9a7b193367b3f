//! What a journal keeps of grants and clients beyond a restart.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Journal, lock};
use crate::oauth::client::ClientId;
use crate::oauth::grant::Grant;
use crate::store::journal::batch::{ClientRow, GrantRow};
use crate::store::lasting::{Lasting, OnFound};
use crate::store::stored::StoredGrant;

impl Lasting for Journal {
    fn grants(&self) -> Vec<Arc<Grant>> {
        lock(&self.grants).grants()
    }

    fn registrations(&self) -> HashMap<ClientId, Vec<u8>> {
        lock(&self.registrations).clone()
    }

    fn register(&self, client: &ClientId, registration: Option<Vec<u8>>) {
        // The lock is held until the change is in the queue, so that the file and memory end with the same
        // change.
        let mut registrations = lock(&self.registrations);
        match &registration {
            Some(registration) => drop(registrations.insert(client.clone(), registration.clone())),
            None => drop(registrations.remove(client)),
        }
        let row = ClientRow { client: client.as_str().to_owned(), registration };
        self.shared.add(|batch| batch.clients.push(row));
    }

    fn on_found(&self, on_found: OnFound) {
        // A journal belongs to one gate.
        let _ = self.on_found.set(on_found);
    }

    fn restrict(&self, grants: &[Arc<Grant>]) {
        let numbers = lock(&self.grants);
        self.shared.add(|batch| {
            for grant in grants {
                for (id, until) in numbers.rows(grant) {
                    if grant.is_current() {
                        let bytes = StoredGrant::of(grant).to_bytes();
                        batch.grants.push(GrantRow { id, until, bytes });
                    } else {
                        batch.ended.push(id);
                    }
                }
            }
        });
    }
}
