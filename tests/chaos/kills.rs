//! `kill -9`, again and again, while clients get and revoke tokens.

use super::number;
use crate::support::{Config, Conn, Gateway, REVOKE, TOKEN, TestResponse, credentials, get, post_form};
use rustix::process::{Pid, Signal, kill_process};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How old a token may be that is lost when the process is killed.
const LOST_AGE: Duration = Duration::from_millis(10);
/// How many tokens of earlier rounds are tried again after each kill.
const EARLIER: usize = 20;

struct Issued {
    token: String,
    asked: Instant,
    answered: Instant,
}

/// What became of the tokens of a round.
#[derive(Default)]
struct Round {
    live: Vec<Issued>,
    revoked: Vec<String>,
}

pub(super) fn config(upstream: SocketAddr, state: &Path) -> Config {
    let lasting = "scopes = [\"read\"]\ntoken_lifetime = \"1h\"";
    Config::bare()
        .server(&format!("state_dir = {state:?}"))
        .token_service("max_tokens_per_client = 10000000")
        .upstream("api", upstream)
        .client("lasting", crate::support::config::SECRET, lasting)
        .route("path = \"/hello\"\nscopes = [\"read\"]\nupstream = \"api\"")
}

pub(super) fn status(gateway: &Gateway, conn: &mut Option<Conn>, token: &str) -> u16 {
    let conn = conn.get_or_insert_with(|| Conn::plain(gateway.plain()));
    conn.request(get("/hello", &[&format!("Authorization: Bearer {token}")])).code()
}

/// Sends a request and returns the answer, or `None` once the gateway is dead.
pub(super) fn ask(conn: &mut Conn, request: &[u8]) -> Option<TestResponse> {
    conn.send(request);
    conn.try_read(false).ok()
}

fn issue(address: SocketAddr, stop: &AtomicBool, issued: &Sender<Issued>) {
    let request = post_form(TOKEN, &[], credentials("lasting") + "&grant_type=client_credentials&scope=read");
    let mut conn = Conn::plain(address);
    while !stop.load(Ordering::Relaxed) {
        let asked = Instant::now();
        let Some(answer) = ask(&mut conn, &request) else { return };
        let answered = Instant::now();
        let token = crate::support::token_of(&answer);
        if issued.send(Issued { token, asked, answered }).is_err() {
            return;
        }
    }
}

/// Revokes every second token.
fn revoke(address: SocketAddr, issued: &Receiver<Issued>) -> Round {
    let mut round = Round::default();
    let mut conn = Some(Conn::plain(address));
    while let Ok(token) = issued.recv() {
        let Some(alive) = conn.as_mut().filter(|_| round.live.len() > round.revoked.len()) else {
            round.live.push(token);
            continue;
        };
        let body = format!("{}&token={}", credentials("lasting"), token.token);
        match ask(alive, &post_form(REVOKE, &[], body)) {
            Some(answer) => {
                answer.status(200);
                round.revoked.push(token.token);
            }
            // Nobody knows whether it was revoked.
            None => conn = None,
        }
    }
    round
}

/// Lets clients work, and kills the gateway in the middle. Returns when.
fn kill_in_the_middle(gateway: &Gateway, after: Duration) -> (Round, Instant) {
    let stop = AtomicBool::new(false);
    let address = gateway.plain();
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        let revoking = scope.spawn(|| revoke(address, &{ receiver }));
        for _ in 0..2 {
            let (sender, stop) = (sender.clone(), &stop);
            scope.spawn(move || issue(address, stop, &sender));
        }
        drop(sender);
        thread::sleep(after);
        let process = Pid::from_raw(gateway.pid().cast_signed()).expect("a process");
        let killed = Instant::now();
        kill_process(process, Signal::KILL).expect("killed");
        stop.store(true, Ordering::Relaxed);
        (revoking.join().expect("revoking"), killed)
    })
}

#[test]
#[ignore = "takes minutes: tests/chaos/run kills"]
fn killed_while_it_issues_and_revokes() {
    let state = tempfile::tempdir().expect("a folder");
    let config = config(super::load::upstream(), state.path());
    let (mut before_live, mut before_revoked) = (Vec::<String>::new(), Vec::<String>::new());
    let (mut issued, mut revoked, mut lost) = (0, 0, 0);
    let (mut oldest, mut oldest_asked) = (Duration::ZERO, Duration::ZERO);
    let kills = number("TOLLGATE_KILLS", 200);
    for kill in 0..kills {
        let mut gateway = Gateway::start(&config);
        // Not in step with the writer of the journal, which writes every few milliseconds and syncs each
        // second.
        let after = Duration::from_micros(150_000 + (kill as u64 * 7_919) % 1_300_000);
        let (round, killed) = kill_in_the_middle(&gateway, after);
        gateway.wait(Duration::from_secs(12));
        assert!(!gateway.written().contains("panicked"), "{}", gateway.written());

        let mut again = Gateway::start(&config);
        let mut conn = None;
        for token in round.revoked.iter().chain(&before_revoked) {
            assert_eq!(status(&again, &mut conn, token), 401, "a revoked token after {kill} kills");
        }
        for token in &before_live {
            assert_eq!(status(&again, &mut conn, token), 200, "a token of an earlier round");
        }
        issued += round.live.len() + round.revoked.len();
        revoked += round.revoked.len();
        let mut kept = Vec::new();
        for Issued { token, asked, answered } in round.live {
            if status(&again, &mut conn, &token) == 200 {
                kept.push(token);
                continue;
            }
            lost += 1;
            oldest = oldest.max(killed.saturating_duration_since(answered));
            oldest_asked = oldest_asked.max(killed.saturating_duration_since(asked));
        }
        before_live.extend(kept.into_iter().rev().take(EARLIER));
        before_revoked.extend(round.revoked.into_iter().rev().take(EARLIER));
        before_live.drain(..before_live.len().saturating_sub(EARLIER * 10));
        before_revoked.drain(..before_revoked.len().saturating_sub(EARLIER * 10));
        again.signal("KILL");
        again.wait(Duration::from_secs(12));
    }
    eprintln!(
        "{kills} kills: {issued} tokens issued, {revoked} of them revoked; no revoked one was accepted. {lost} tokens were \
         lost; the oldest was answered {oldest:?} before the kill, and asked for {oldest_asked:?} before it"
    );
    assert!(oldest <= LOST_AGE, "a token of {oldest:?} was lost");
}
