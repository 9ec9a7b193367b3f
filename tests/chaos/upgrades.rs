//! Upgrades under as many connections as this machine can make.

use super::load::{self, Seen};
use super::number;
use crate::support::config::SECRET;
use crate::support::guard::Guard;
use crate::support::program::run_upgrade;
use crate::support::upstream::echo;
use crate::support::{Config, Gateway, TOKEN, credentials, post_form, raw, token_of};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

const GRACE: Duration = Duration::from_secs(2);

#[test]
#[ignore = "takes minutes: tests/chaos/run upgrades"]
fn replaced_under_load() {
    let echo = echo();
    let config = Config::standard(load::upstream())
        .server("shutdown_grace = \"2s\"\nstate_dir = \"state\"")
        .listen("{ url = \"http://127.0.0.1:0\", h2c = true }")
        .client("lasting", SECRET, "scopes = [\"read\"]\ntoken_lifetime = \"1h\"")
        .upstream("echo", echo)
        .route("prefix = \"/ws\"\naccess = \"public\"\nupstream = \"echo\"");
    // One thread alone could not accept so many connections.
    let text = config.text().replace("threads = 1", "threads = 2");
    let gateway = Gateway::start_text(&text, &[]);
    let (plain, h2c) = (gateway.plain(), gateway.h2c());
    let ask = credentials("lasting") + "&grant_type=client_credentials&scope=read";
    let token = token_of(&raw(plain, post_form(TOKEN, &[], ask)));
    let seen = Seen::default();
    let upgrades = number("TOLLGATE_UPGRADES", 100);
    let started = Instant::now();
    // They outlive the clients.
    let mut guards = VecDeque::<Guard>::new();
    thread::scope(|scope| {
        for _ in 0..number("TOLLGATE_CLIENTS", 3) {
            scope.spawn(|| load::connections(&seen, plain, "/hello", &token));
        }
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
                runtime.expect("a runtime").block_on(load::streams(&seen, h2c, "/hello", &token));
            });
        }
        for _ in 0..8 {
            scope.spawn(|| load::tunnel(&seen, plain, GRACE));
        }
        scope.spawn(|| load::tokens(&seen, plain));
        for _ in 0..upgrades {
            let (_, guard) = run_upgrade(gateway.dir());
            seen.upgraded();
            guards.push_back(guard);
            if guards.len() > 3 {
                // Its process has ended: an upgrade waits for the end of the one before the last.
                guards.pop_front();
            }
            thread::sleep(Duration::from_millis(300));
        }
        seen.stop.store(true, Ordering::Relaxed);
    });
    drop(guards);
    let seconds = started.elapsed().as_secs_f64();
    let rate = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed) as f64 / seconds;
    let faults = seen.faults();
    eprintln!(
        "{upgrades} upgrades in {seconds:.0} s: {:.0} new HTTP/1.1 connections/s, {:.0} HTTP/2 streams/s, {} WebSockets with \
         {:.0} messages/s, {:.0} tokens/s issued, used and revoked; {} faults",
        rate(&seen.connections),
        rate(&seen.streams),
        seen.tunnels.load(Ordering::Relaxed),
        rate(&seen.messages),
        rate(&seen.tokens),
        faults.len(),
    );
    assert!(faults.is_empty(), "{:#?}", &faults[..faults.len().min(20)]);
}
