//! A token is valid only under the registration of the client under which it was issued, also over restarts
//! of all gateways.

use std::time::Duration;

use super::engine::Engine;
use super::gateways::{config, revoke_at};
use super::requests::wait_until;
use crate::support::{Gateway, TOKEN, Upstream, credentials, get, post_form, raw, token_of};

/// Gateways whose state folders are kept over a restart.
struct Restarts {
    engine: Engine,
    upstream: Upstream,
    states: [tempfile::TempDir; 2],
}

impl Restarts {
    fn new() -> Self {
        let folder = || tempfile::tempdir().expect("a folder");
        Self { engine: Engine::start(&[]), upstream: Upstream::start(), states: [folder(), folder()] }
    }

    fn text(&self, state: &tempfile::TempDir) -> String {
        let store = format!("url = \"redis://127.0.0.1:{}\"", self.engine.port());
        let config = config(self.upstream.address(), &store);
        config.server(&format!("state_dir = {:?}", state.path())).text()
    }

    /// Starts all gateways with the configuration that `change` makes.
    fn start(&self, change: impl Fn(String) -> String) -> Vec<Gateway> {
        self.states.iter().map(|state| started(&change(self.text(state)))).collect()
    }

    /// Starts one more gateway, which remembers nothing.
    fn start_new(&self, change: impl Fn(String) -> String) -> (Gateway, tempfile::TempDir) {
        let state = tempfile::tempdir().expect("a folder");
        (started(&change(self.text(&state))), state)
    }
}

fn started(text: &str) -> Gateway {
    let gateway = Gateway::start_text(text, &[]);
    gateway.wait_for("the shared store at");
    gateway
}

/// Ends gateways, and waits until they have ended.
fn end(gateways: Vec<Gateway>, signal: &str) {
    for mut gateway in gateways {
        gateway.signal(signal);
        gateway.wait(Duration::from_secs(12));
    }
}

fn token(gateway: &Gateway) -> String {
    let body = format!("{}&grant_type=client_credentials&scope=read", credentials("other"));
    token_of(&raw(gateway.plain(), post_form(TOKEN, &[], body)))
}

fn code(gateway: &Gateway, token: &str) -> u16 {
    raw(gateway.plain(), get("/hello", &[&format!("Authorization: Bearer {token}")])).code()
}

#[track_caller]
fn all_answer<'a>(gateways: impl IntoIterator<Item = &'a Gateway>, token: &str, status: u16) {
    for (at, gateway) in gateways.into_iter().enumerate() {
        assert_eq!(code(gateway, token), status, "gateway {at}");
    }
}

fn without_the_client(text: String) -> String {
    text.replace("[clients.other]", "[clients.renamed]")
}

fn in_generation(generation: u64) -> impl Fn(String) -> String {
    move |text| text.replace("[clients.other]", &format!("[clients.other]\ntoken_generation = {generation}"))
}

#[test]
fn a_client_that_was_gone_at_a_start_and_is_added_again_gets_none_of_its_tokens_back() {
    let restarts = Restarts::new();
    let gateways = restarts.start(|text| text);
    let old = token(&gateways[0]);
    all_answer(&gateways, &old, 200);
    end(gateways, "TERM");

    let gateways = restarts.start(without_the_client);
    all_answer(&gateways, &old, 401);
    // One gets the client again while it runs, and one at its next start.
    gateways[0].rewrite(|_| restarts.text(&restarts.states[0]));
    gateways[0].signal("HUP");
    gateways[0].wait_for(" reloaded: ");
    wait_until(|| code(&gateways[0], &old) == 401);
    let new = token(&gateways[0]);
    all_answer([&gateways[0]], &new, 200);
    end(gateways, "KILL");

    let gateways = restarts.start(|text| text);
    let (third, _state) = restarts.start_new(|text| text);
    let all = || gateways.iter().chain([&third]);
    all_answer(all(), &old, 401);
    wait_until(|| all().all(|gateway| code(gateway, &new) == 200));
    revoke_at(third.plain(), &new).status(200);
    all_answer(all(), &new, 401);
}

#[test]
fn a_client_that_was_removed_and_added_while_no_gateway_ran_has_new_tokens_only() {
    let restarts = Restarts::new();
    let gateways = restarts.start(in_generation(1));
    let old = token(&gateways[0]);
    all_answer(&gateways, &old, 200);
    end(gateways, "KILL");

    // `tollgate client remove` and `tollgate client add` change the generation. These gateways remember
    // nothing.
    let (first, _one) = restarts.start_new(in_generation(2));
    let (second, _other) = restarts.start_new(in_generation(2));
    all_answer([&first, &second], &old, 401);
    let new = token(&first);
    all_answer([&first, &second], &new, 200);
    // A gateway that has not got the change yet does not know the new registration.
    let (late, _late) = restarts.start_new(in_generation(1));
    all_answer([&late], &new, 401);
    all_answer([&first, &second], &new, 200);
    // Those that remember the registration end the tokens of the earlier one for good.
    let gateways = restarts.start(in_generation(2));
    end(gateways, "TERM");
    let (back, _back) = restarts.start_new(in_generation(1));
    all_answer([&back], &old, 401);
}

#[test]
fn an_end_of_tokens_that_the_engine_has_not_carried_out_is_repeated_at_the_next_start() {
    let restarts = Restarts::new();
    let gateways = restarts.start(|text| text);
    let old = token(&gateways[0]);
    all_answer(&gateways, &old, 200);
    end(gateways, "TERM");
    // The client is gone, the engine does not answer, and the gateway dies before it does.
    restarts.engine.signal("STOP");
    let first = || without_the_client(restarts.text(&restarts.states[0]));
    let gateway = Gateway::start_text(&first(), &[]);
    gateway.wait_for("cannot be reached");
    end(vec![gateway], "KILL");
    restarts.engine.signal("CONT");
    drop(started(&first()));
    let gateways = restarts.start(|text| text);
    wait_until(|| gateways.iter().all(|gateway| code(gateway, &old) == 401));
}
