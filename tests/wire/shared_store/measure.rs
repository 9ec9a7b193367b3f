//! Figures, by hand:
//! `cargo test --release --all-features --test wire shared_store::measure -- --ignored --nocapture`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::gateways::{Gateways, revoke_at};
use crate::support::{Conn, TOKEN, credentials, get, post_form, token_of};

const TRIALS: usize = 1_000;
const ISSUES_PER_SECOND: u64 = 500;

fn quantile(sorted: &[Duration], of: f64) -> f64 {
    let at = ((sorted.len() - 1) as f64 * of).round() as usize;
    sorted[at].as_secs_f64() * 1_000.0
}

#[test]
#[ignore = "a measurement, which takes minutes"]
fn how_long_a_revocation_takes_to_be_everywhere() {
    let engine = Engine::start(&[]);
    let store = format!("url = \"redis://127.0.0.1:{}\"", engine.port());
    let gateways = Gateways::start(&[&store, &store, &store]);
    let (stop, issued) = (AtomicBool::new(false), AtomicU64::new(0));
    let addresses: Vec<_> = gateways.all.iter().map(|gateway| gateway.plain()).collect();
    let issue = |conn: &mut Conn| {
        let body = format!("{}&grant_type=client_credentials&scope=read", credentials("other"));
        token_of(&conn.request(post_form(TOKEN, &[], body)))
    };
    let (mut gone, mut confirmed, mut after) = (Vec::new(), Vec::new(), 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut conn = Conn::plain(addresses[2]);
            let begun = Instant::now();
            while !stop.load(Relaxed) {
                issue(&mut conn);
                let number = issued.fetch_add(1, Relaxed) + 1;
                let due = begun + Duration::from_micros(number * 1_000_000 / ISSUES_PER_SECOND);
                thread::sleep(due.saturating_duration_since(Instant::now()));
            }
        });
        let mut at_a = Conn::plain(addresses[0]);
        let mut at_b = Conn::plain(addresses[1]);
        for _ in 0..TRIALS {
            let token = issue(&mut at_a);
            let bearer = format!("Authorization: Bearer {token}");
            at_b.request(get("/hello", &[&bearer])).status(200);
            let begun = Instant::now();
            let address = addresses[0];
            let revoke = scope.spawn(move || {
                revoke_at(address, &token).status(200);
                Instant::now()
            });
            while at_b.request(get("/hello", &[&bearer])).code() == 200 {}
            gone.push(begun.elapsed());
            let done = revoke.join().expect("a revocation");
            confirmed.push(done - begun);
            after += usize::from(at_b.request(get("/hello", &[&bearer])).code() == 200);
        }
        stop.store(true, Relaxed);
    });
    gone.sort_unstable();
    confirmed.sort_unstable();
    println!(
        "{TRIALS} revocations beside {} issues: refused at another gateway after p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms; \
         confirmed after p50 {:.1} ms, p99 {:.1} ms; accepted after the 200: {after}",
        issued.load(Relaxed),
        quantile(&gone, 0.5),
        quantile(&gone, 0.99),
        quantile(&gone, 1.0),
        quantile(&confirmed, 0.5),
        quantile(&confirmed, 0.99),
    );
    assert_eq!(after, 0);
}
