//! Measurements that are run by hand:
//! `TOLLGATE_PROGRAM=target/release/tollgate cargo test --all-features --test wire shared_store::measure --
//! --ignored --nocapture --test-threads 1`.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use super::engine::Engine;
use super::gateways::Gateways;
use super::link::Link;
use crate::support::metrics::Scrape;
use crate::support::{Conn, REVOKE, TOKEN, credentials, get, post_form, token_of};

const TRIALS: usize = 1_000;
const ISSUES_PER_SECOND: u64 = 500;
/// How often the second gateway is asked whether it still accepts a token.
const ASK_EVERY: Duration = Duration::from_micros(250);

fn quantile(sorted: &[Duration], of: f64) -> f64 {
    let at = ((sorted.len() - 1) as f64 * of).round() as usize;
    sorted[at].as_secs_f64() * 1_000.0
}

fn at(engine: &Engine) -> String {
    format!("url = \"redis://127.0.0.1:{}\"", engine.port())
}

fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}")
}

fn issue(conn: &mut Conn) -> String {
    let body = format!("{}&grant_type=client_credentials&scope=read", credentials("other"));
    token_of(&conn.request(post_form(TOKEN, &[], body)))
}

/// Revokes tokens at the first gateway until they are refused at the second one, while the third one issues
/// others.
fn revocations(what: &str, gateways: &Gateways) {
    let (stop, issued) = (AtomicBool::new(false), AtomicU64::new(0));
    let addresses: Vec<_> = gateways.all.iter().map(|gateway| gateway.plain()).collect();
    let (mut gone, mut confirmed, mut after) = (Vec::new(), Vec::new(), 0);
    let begun = Instant::now();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut conn = Conn::plain(addresses[2]);
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
            let request = get("/hello", &[&bearer(&token)]);
            at_b.request(&request).status(200);
            let mut to_revoke = Conn::plain(addresses[0]);
            let revocation = post_form(REVOKE, &[], format!("{}&token={token}", credentials("other")));
            let begun = Instant::now();
            to_revoke.send(&revocation);
            let revoke = scope.spawn(move || {
                to_revoke.read().status(200);
                Instant::now()
            });
            while at_b.request(&request).code() == 200 {
                // Without a pause, the requests alone would take most of a small machine's time.
                thread::sleep(ASK_EVERY);
            }
            gone.push(begun.elapsed());
            let done = revoke.join().expect("a revocation");
            confirmed.push(done - begun);
            after += usize::from(at_b.request(&request).code() == 200);
        }
        stop.store(true, Relaxed);
    });
    gone.sort_unstable();
    confirmed.sort_unstable();
    println!(
        "{what}: {TRIALS} revocations beside {:.0} issues/s: refused at another gateway after p50 {:.2} ms, p99 {:.2} ms, max \
         {:.2} ms; confirmed after p50 {:.1} ms, p99 {:.1} ms; accepted after the 200: {after}",
        issued.load(Relaxed) as f64 / begun.elapsed().as_secs_f64(),
        quantile(&gone, 0.5),
        quantile(&gone, 0.99),
        quantile(&gone, 1.0),
        quantile(&confirmed, 0.5),
        quantile(&confirmed, 0.99),
    );
    assert_eq!(after, 0);
}

#[test]
#[ignore = "a measurement, which takes minutes"]
fn the_time_until_a_revocation_is_everywhere() {
    let engine = Engine::start(&[]);
    let link = Link::to(engine.port());
    let gateways = Gateways::start(&[&at(&engine), &at(&engine), &at(&engine)]);
    revocations("with notifications", &gateways);
    let gateways = Gateways::start(&[&at(&engine), &link.store(), &at(&engine)]);
    link.lose_notifications(true);
    revocations("without notifications", &gateways);
    assert!(link.lost_notifications() >= TRIALS as u32 / 2, "{} were lost", link.lost_notifications());
}

/// Returns the latencies of good requests, sorted, while others send these tokens at a fixed rate.
fn good_traffic(
    address: SocketAddr,
    good: &str,
    flood: Option<&(dyn Fn(u64) -> String + Sync)>,
) -> Vec<Duration> {
    const FLOODS: u64 = 2;
    const EACH_PER_SECOND: u64 = 1_500;
    let stop = AtomicBool::new(false);
    let mut latencies = Vec::new();
    thread::scope(|scope| {
        for thread in 0..FLOODS {
            let (Some(token), stop) = (flood, &stop) else { continue };
            scope.spawn(move || {
                let mut conn = Conn::plain(address);
                let begun = Instant::now();
                for number in 0.. {
                    if stop.load(Relaxed) {
                        break;
                    }
                    let refused =
                        conn.request(get("/hello", &[&bearer(&token((thread << 32) | number))])).code();
                    assert!([401, 503].contains(&refused), "{refused}");
                    let due = begun + Duration::from_micros((number + 1) * 1_000_000 / EACH_PER_SECOND);
                    thread::sleep(due.saturating_duration_since(Instant::now()));
                }
            });
        }
        let request = get("/hello", &[&bearer(good)]);
        let mut conn = Conn::plain(address);
        for _ in 0..4_000 {
            let begun = Instant::now();
            conn.request(&request).status(200);
            latencies.push(begun.elapsed());
            thread::sleep(Duration::from_millis(1));
        }
        stop.store(true, Relaxed);
    });
    latencies.sort_unstable();
    latencies
}

#[test]
#[ignore = "a measurement, which takes minutes"]
fn the_latency_of_good_requests_during_a_flood_of_unknown_tokens() {
    let engine = Engine::start(&[]);
    let gateways = Gateways::start(&[&at(&engine)]);
    let (good, address) = (gateways.token(0), gateways.all[0].plain());
    let random = |number: u64| {
        let mut random = [7; 32];
        random[..8].copy_from_slice(&number.to_be_bytes());
        tollgate::oauth::AccessToken::from_random(&random).expose().to_owned()
    };
    // The last character is part of the checksum, so that the engine is not asked.
    let wrong = |number: u64| {
        let mut token = random(number);
        let last = if token.ends_with('A') { 'B' } else { 'A' };
        token.pop();
        token.push(last);
        token
    };
    let asked = |gateways: &Gateways| {
        Scrape::of(&gateways.all[0]).value("tollgate_shared_store_misses_total{answer=\"unknown\"}")
    };
    for round in 0..3 {
        let idle = good_traffic(address, &good, None);
        let malformed = good_traffic(address, &good, Some(&wrong));
        let before = asked(&gateways);
        let unknown = good_traffic(address, &good, Some(&|number| random(number | (round << 56))));
        let asked = asked(&gateways) - before;
        println!(
            "p50 / p99 of good requests: idle {:.2} / {:.2} ms, beside 3,000 tokens/s with a wrong checksum {:.2} / {:.2} ms, \
             beside 3,000 unknown tokens/s {:.2} / {:.2} ms, for which the engine was asked {asked} times",
            quantile(&idle, 0.5),
            quantile(&idle, 0.99),
            quantile(&malformed, 0.5),
            quantile(&malformed, 0.99),
            quantile(&unknown, 0.5),
            quantile(&unknown, 0.99),
        );
    }
}
