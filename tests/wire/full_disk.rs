//! A state folder that cannot be written any more while the gateway runs, and then again.

use crate::support::metrics::Scrape;
use crate::support::{
    Config, Fixture, Gateway, INTROSPECT, REVOKE, Upstream, credentials, get, post_form, token_of,
};
use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long a gateway may take to notice a change. It tries to write four times a second.
const NOTICE: Duration = Duration::from_secs(30);

fn config(upstream: &Upstream, state: &Path) -> Config {
    Config::standard(upstream.address())
        .server(&format!("state_dir = {state:?}"))
        .table("[metrics]\nlisten = \"http://127.0.0.1:0\"")
}

fn status(fixture: &Fixture, token: &str) -> u16 {
    fixture.raw(get("/hello", &[&format!("Authorization: Bearer {token}")])).code()
}

fn revoke(fixture: &Fixture, token: &str) -> u16 {
    let body = format!("{}&token={token}", credentials("server"));
    fixture.raw(post_form(REVOKE, &[], body)).code()
}

/// Requests tokens until the status is `until`. Returns the tokens that were issued.
#[track_caller]
fn issue_until(fixture: &Fixture, until: u16) -> Vec<String> {
    let started = Instant::now();
    let mut tokens = Vec::new();
    loop {
        let answer = fixture.ask_token("server", "&scope=read");
        let code = answer.code();
        if code == 200 {
            tokens.push(token_of(&answer));
        } else {
            answer.oauth_error(503, "temporarily_unavailable");
        }
        if code == until {
            return tokens;
        }
        assert!(started.elapsed() < NOTICE, "still {code}\n{}", fixture.gateway.written());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Takes the ability to write from a gateway and gives it back. `state` is its folder as this process sees
/// it.
fn loses_nothing(fixture: Fixture, state: &Path, breaks: impl Fn(&Fixture, bool)) {
    let mut live = vec![fixture.token("server", "read")];
    let (ended, late) = (fixture.token("server", "read"), fixture.token("server", "read"));
    assert_eq!(revoke(&fixture, &ended), 200);
    assert_eq!(Scrape::of(&fixture.gateway).value("tollgate_store_healthy"), 1.0);

    breaks(&fixture, true);
    live.extend(issue_until(&fixture, 503));
    fixture.gateway.wait_for("cannot be written (");
    assert_eq!(Scrape::of(&fixture.gateway).value("tollgate_store_healthy"), 0.0);
    assert_eq!(revoke(&fixture, &late), 503);
    assert_eq!(status(&fixture, &late), 401, "it is refused already");
    assert_eq!(revoke(&fixture, &late), 503, "nobody promises that it stays so");
    for token in &live {
        assert_eq!(status(&fixture, token), 200, "a valid token");
    }
    let body = format!("{}&token={}", credentials("introspector"), live[0]);
    assert_eq!(fixture.raw(post_form(INTROSPECT, &[], body)).json()["active"], true);

    breaks(&fixture, false);
    live.extend(issue_until(&fixture, 200));
    fixture.gateway.wait_for("can be written again");
    assert_eq!(Scrape::of(&fixture.gateway).value("tollgate_store_healthy"), 1.0);
    // Once it succeeds, everything before it is written too.
    assert_eq!(revoke(&fixture, &late), 200);
    let last = fixture.token("server", "read");
    assert_eq!(revoke(&fixture, &last), 200);

    // This is the journal that a killed process leaves.
    fixture.gateway.signal("STOP");
    let after = tempfile::tempdir().expect("a folder");
    for file in ["journal.db", "journal.db-wal"] {
        fs::copy(state.join(file), after.path().join(file)).expect("a copy");
    }
    let Fixture { mut gateway, upstream } = fixture;
    gateway.signal("KILL");
    gateway.wait(Duration::from_secs(12));
    assert!(!gateway.written().contains("panicked"), "{}", gateway.written());
    let again = Fixture { gateway: Gateway::start(&config(&upstream, after.path())), upstream };
    for token in &live {
        assert_eq!(status(&again, token), 200, "a valid token, after a restart");
    }
    for token in [&ended, &late, &last] {
        assert_eq!(status(&again, token), 401, "a revoked token, after a restart");
    }
}

#[test]
fn a_disk_that_fails_loses_nothing() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let gateway = Gateway::start(&config(&upstream, state.path()));
    let process = Pid::from_raw(gateway.pid().cast_signed()).expect("a process");
    let maximum = getrlimit(Resource::Fsize).maximum;
    loses_nothing(Fixture { gateway, upstream }, state.path(), |_, broken| {
        // Each write fails as if the disk had an error. The gateway is not killed by the signal that comes
        // with it.
        let current = if broken { Some(0) } else { maximum };
        prlimit(Some(process), Resource::Fsize, Rlimit { current, maximum }).expect("a limit");
    });
}

#[test]
fn a_disk_that_is_full_loses_nothing() {
    let state = tempfile::tempdir().expect("a folder");
    let upstream = Upstream::start();
    let config = config(&upstream, state.path());
    let Some(gateway) = Gateway::start_on_small_disk(&config, state.path(), "512k") else {
        eprintln!("skipped: this system allows no mounts without privileges");
        return;
    };
    let seen = PathBuf::from(format!("/proc/{}/root", gateway.pid()));
    let seen = seen.join(state.path().strip_prefix("/").expect("an absolute path"));
    let filler = seen.join("filler");
    loses_nothing(Fixture { gateway, upstream }, &seen, |_, broken| {
        if broken {
            let full = fs::write(&filler, vec![1; 1 << 20]).expect_err("more than there is room for");
            assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
        } else {
            fs::remove_file(&filler).expect("room again");
        }
    });
}
