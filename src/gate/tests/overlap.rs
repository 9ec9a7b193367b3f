//! Two gates that share a journal, as in an upgrade. Tokens that the old gate issues obey the settings of the
//! new one.

use super::*;
use crate::store::Journal;

/// An old gate and the one that takes over.
struct Overlap {
    folder: tempfile::TempDir,
    clock: Arc<FakeClock>,
    old: Gate,
    new: Gate,
    journals: [Arc<Journal>; 2],
}

impl Overlap {
    fn new(old: ClientSpec, new: Vec<ClientSpec>) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::<FakeClock>::default());
        let of = |clients, journal: &Arc<Journal>| {
            let builder = Gate::builder(spec(clients)).clock(Arc::<FakeClock>::clone(&clock));
            builder.store(Arc::<Journal>::clone(journal)).build_without_threads().unwrap()
        };
        let journal = Arc::new(Journal::open(folder.path(), 1_000, Arc::<FakeClock>::clone(&clock)).unwrap());
        let old = of(vec![old], &journal);
        block_on(journal.flush().get()).unwrap();
        journal.share().unwrap();
        let lock = journal.lock().unwrap();
        let shared = Journal::open_shared(folder.path(), 1_000, Arc::<FakeClock>::clone(&clock), lock);
        let shared = Arc::new(shared.unwrap());
        let new = of(new, &shared);
        Self { folder, clock, old, new, journals: [journal, shared] }
    }

    /// Issues a token by the old gate, which still has its settings, after it has learned what the new one
    /// has written.
    fn issue(&self, scope: &str) -> String {
        block_on(self.journals[1].flush().get()).unwrap();
        self.journals[0].catch_up().unwrap();
        block_on(self.old.issue_to_async("a", scope)).unwrap().expose().to_owned()
    }

    fn opens(&self, token: &str) -> bool {
        opens(&self.new, token)
    }

    /// Ends both gates, and starts one with this client.
    fn restart(self, client: ClientSpec) -> Gate {
        let Self { folder, clock, old, new, journals: [first, second] } = self;
        drop((old, first));
        drop((new, second));
        let journal = Journal::open(folder.path(), 1_000, Arc::<FakeClock>::clone(&clock)).unwrap();
        let builder = Gate::builder(spec(vec![client])).clock(clock).store(Arc::new(journal));
        builder.build_without_threads().unwrap()
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Whether a token opens a route that asks for no scope.
fn opens(gate: &Gate, token: &str) -> bool {
    let headers = HeaderMap::from_iter([(header::AUTHORIZATION, format!("Bearer {token}").parse().unwrap())]);
    block_on(gate.authorize_async(&headers, &Requirement::All(Scopes::none()))).is_ok()
}

fn a() -> ClientSpec {
    client("a", &[])
}

fn with(change: impl FnOnce(&mut ClientSpec)) -> ClientSpec {
    let mut client = a();
    change(&mut client);
    client
}

fn reader() -> ClientSpec {
    with(|client| client.policy.scopes = Scopes::parse("read").unwrap())
}

#[test]
fn a_reload_of_the_new_gate_reaches_tokens_that_the_old_one_issues_after_it_has_loaded() {
    for (change, write, read) in [
        (a(), true, true),
        (reader(), false, true),
        (with(|client| client.token_generation = 1), false, false),
        (with(|client| client.policy.enabled = false), false, false),
    ] {
        let gates = Overlap::new(a(), vec![a()]);
        let (of_write, of_read) = (gates.issue("write"), gates.issue("read"));
        assert!(gates.opens(&of_write) && gates.opens(&of_read));
        gates.new.reload(spec(vec![change.clone()]));
        assert_eq!((gates.opens(&of_write), gates.opens(&of_read)), (write, read), "{change:?}");
        // The old gate does not know the change.
        let (later_write, later_read) = (gates.issue("write"), gates.issue("read"));
        assert_eq!((gates.opens(&later_write), gates.opens(&later_read)), (write, read), "{change:?}");
        // Tokens that have ended stay ended when the old settings return.
        gates.new.reload(spec(vec![a()]));
        for (token, opens) in
            [(&of_write, write), (&of_read, read), (&later_write, write), (&later_read, read)]
        {
            assert_eq!(gates.opens(token), opens, "{change:?}");
        }
        let gate = gates.restart(a());
        for (token, is_open) in
            [(&of_write, write), (&of_read, read), (&later_write, write), (&later_read, read)]
        {
            assert_eq!(opens(&gate, token), is_open, "{change:?}");
        }
    }
}

#[test]
fn tokens_that_the_new_settings_do_not_permit_are_not_found() {
    for (change, write, read) in [
        (vec![a()], true, true),
        (vec![reader()], false, true),
        (vec![with(|client| client.token_generation = 1)], false, false),
        (vec![with(|client| client.policy.enabled = false)], false, false),
        (vec![with(|client| client.policy.capabilities.client_credentials = false)], false, false),
        (vec![], false, false),
    ] {
        let gates = Overlap::new(a(), change.clone());
        let (of_write, of_read) = (gates.issue("write"), gates.issue("read"));
        assert_eq!((gates.opens(&of_write), gates.opens(&of_read)), (write, read), "{change:?}");
        let gate = gates.restart(a());
        assert_eq!((opens(&gate, &of_write), opens(&gate, &of_read)), (write, read), "{change:?}");
    }
}

#[test]
fn a_lifetime_that_is_shorter_now_holds_for_tokens_of_the_old_gate() {
    let gates =
        Overlap::new(a(), vec![with(|client| client.policy.token_lifetime = Duration::from_secs(60))]);
    let token = gates.issue("read");
    gates.clock.advance(59_000);
    assert!(gates.opens(&token));
    gates.clock.advance(1_000);
    assert!(!gates.opens(&token));
}

#[test]
fn the_old_gate_does_not_judge_tokens_of_the_new_one() {
    let gates = Overlap::new(reader(), vec![a()]);
    let token = block_on(gates.new.issue_to_async("a", "write")).unwrap().expose().to_owned();
    assert!(opens(&gates.old, &token) && gates.opens(&token));
    assert!(opens(&gates.restart(a()), &token));
}
