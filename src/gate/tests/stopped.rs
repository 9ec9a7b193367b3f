//! Clients that change while no gate runs. `changes.rs` tests the rows of the table. This file tests what is
//! special about a restart.

use super::*;
use crate::store::Journal;

/// Gates that run one after the other, with one journal.
pub(super) struct Restarts {
    folder: tempfile::TempDir,
    pub(super) clock: Arc<FakeClock>,
}

impl Restarts {
    pub(super) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: Arc::default() }
    }

    /// Starts a gate with these clients. The one before has to be dropped.
    pub(super) fn gate(&self, clients: Vec<ClientSpec>) -> Gate {
        let clock = || Arc::<FakeClock>::clone(&self.clock);
        let journal = Journal::open(self.folder.path(), 1_000, clock()).unwrap();
        let builder = Gate::builder(spec(clients)).clock(clock()).store(Arc::new(journal));
        builder.build_without_threads().unwrap()
    }
}

fn issue(gate: &Gate, scope: &str) -> String {
    gate.issue_to("a", scope).unwrap().expose().to_owned()
}

fn opens(gate: &Gate, token: &str, scope: &str) -> bool {
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    gate.authorize(&headers, &Requirement::All(Scopes::parse(scope).unwrap())).is_ok()
}

fn scoped(scopes: &str) -> Vec<ClientSpec> {
    let mut client = client("a", &[]);
    client.policy.scopes = Scopes::parse(scopes).unwrap();
    vec![client]
}

#[test]
fn tokens_of_several_starts_end_together_and_do_not_come_back() {
    let restarts = Restarts::new();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let gate = restarts.gate(scoped("read write"));
        tokens.push(issue(&gate, "write"));
        assert!(tokens.iter().all(|token| opens(&gate, token, "write")));
    }
    let read = issue(&restarts.gate(scoped("read write")), "read");
    let gate = restarts.gate(scoped("read"));
    assert!(opens(&gate, &read, "read") && !tokens.iter().any(|token| opens(&gate, token, "write")));
    drop(gate);
    let gate = restarts.gate(scoped("read write"));
    assert!(opens(&gate, &read, "read") && !tokens.iter().any(|token| opens(&gate, token, "write")));
    let new = issue(&gate, "write");
    drop(gate);
    assert!(opens(&restarts.gate(scoped("read write")), &new, "write"));
}

#[test]
fn a_reload_reaches_the_tokens_from_before_a_restart() {
    let restarts = Restarts::new();
    let token = issue(&restarts.gate(scoped("read write")), "write");
    let gate = restarts.gate(scoped("read write"));
    gate.reload(spec(scoped("read")));
    gate.reload(spec(scoped("read write")));
    assert!(!opens(&gate, &token, "write"));
    drop(gate);
    assert!(!opens(&restarts.gate(scoped("read write")), &token, "write"), "after another restart");
}

#[test]
fn a_lifetime_that_was_shorter_once_stays_so() {
    let short = || {
        let mut clients = scoped("read");
        clients[0].policy.token_lifetime = Duration::from_secs(60);
        clients
    };
    let restarts = Restarts::new();
    let token = issue(&restarts.gate(scoped("read")), "read");
    drop(restarts.gate(short()));
    let gate = restarts.gate(scoped("read"));
    let new = issue(&gate, "read");
    restarts.clock.advance(40_000);
    assert!(opens(&gate, &token, "read"));
    restarts.clock.advance(20_000);
    assert!(!opens(&gate, &token, "read"));
    restarts.clock.advance(200_000);
    assert!(opens(&gate, &new, "read"));
}

#[test]
fn a_change_of_a_running_gate_is_known_after_a_restart() {
    let generation = |generation| {
        let mut clients = scoped("read");
        clients[0].token_generation = generation;
        clients
    };
    let restarts = Restarts::new();
    let gate = restarts.gate(generation(0));
    let old = issue(&gate, "read");
    gate.reload(spec(generation(1)));
    let new = issue(&gate, "read");
    drop(gate);
    let gate = restarts.gate(generation(1));
    assert!(opens(&gate, &new, "read") && !opens(&gate, &old, "read"));
    // A client that a reload adds is recorded too.
    gate.reload(spec(vec![]));
    gate.reload(spec(generation(1)));
    let again = issue(&gate, "read");
    drop(gate);
    let gate = restarts.gate(generation(1));
    assert!(opens(&gate, &again, "read") && !opens(&gate, &new, "read"));
}

#[test]
fn tokens_of_an_unknown_generation_end() {
    let restarts = Restarts::new();
    let token = issue(&restarts.gate(scoped("read")), "read");
    // A file that the previous version has written.
    let file = rusqlite::Connection::open(restarts.folder.path().join("journal.db")).unwrap();
    file.execute_batch("DROP TABLE clients; PRAGMA user_version = 1;").unwrap();
    drop(file);
    let gate = restarts.gate(scoped("read"));
    assert!(!opens(&gate, &token, "read"));
    let new = issue(&gate, "read");
    drop(gate);
    assert!(opens(&restarts.gate(scoped("read")), &new, "read"), "the file is of this version now");
}
