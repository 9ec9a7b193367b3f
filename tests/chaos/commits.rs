//! Hundreds of commits through the API while clients send requests, on HTTP/1.1 and on HTTP/2.

use super::load::{self, Seen};
use super::number;
use crate::admin::Admin;
use crate::support::raw;
use serde_json::json;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;

/// The growth of the process that is not a leak, in KiB: the allocators of its threads keep what they have
/// freed.
const SLACK: u64 = 16 << 10;

#[test]
#[ignore = "takes minutes: tests/chaos/run commits"]
fn commits_under_load_fail_no_request_and_leave_memory_flat() {
    let commits = number("TOLLGATE_COMMITS", 200);
    // The upstream of the other tests keeps every connection and every byte.
    let admin = Admin::start_with("", |config| {
        config
            .listen("{ url = \"http://127.0.0.1:0\", h2c = true }")
            .upstream("load", load::upstream())
            .route("path = \"/load\"\nscopes = [\"read\"]\nupstream = \"load\"")
    });
    let (address, h2c) = (admin.fixture.address(), admin.fixture.gateway.h2c());
    let token = admin.fixture.token("server", "read");
    let bearer = admin.bearer("writer");
    let seen = Seen::default();
    let (mut memory, started) = (Vec::new(), Instant::now());
    thread::scope(|scope| {
        scope.spawn(|| load::connections(&seen, address, "/load", &token));
        scope.spawn(|| load::connections(&seen, address, "/load", &token));
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(load::streams(&seen, h2c, "/load", &token));
        });
        for commit in 0..commits {
            // A scope, a client and a route change, and the file stays as large as it is.
            let body = json!({
                "comment": format!("Commit {commit}"),
                "operations": [
                    { "op": "scope_describe", "name": "read", "description": format!("Read {commit:05}") },
                    { "op": "client_lifetime", "id": "other", "token_lifetime": format!("{}s", 600 + commit % 100) },
                    { "op": "route_set", "route": { "path": "/hello" },
                      "settings": { "max_body_size": format!("{}KiB", 100 + commit % 100) } },
                ],
            });
            let fields = [&*bearer, "Content-Type: application/json"];
            let request = admin.request("POST", "/api/v1/changes", &fields, &body.to_string());
            let response = raw(admin.address, request);
            if response.code() != 201 {
                seen.stop.store(true, Ordering::Relaxed);
                panic!("commit {commit}: {response}");
            }
            if commit % 20 == 19 {
                memory.push(resident(admin.fixture.gateway.pid()));
            }
        }
        seen.stop.store(true, Ordering::Relaxed);
    });
    let took = started.elapsed();
    let faults = seen.faults();
    println!(
        "{commits} commits in {took:.1?}: {} requests on HTTP/1.1, {} on HTTP/2 and {} faults; resident KiB \
         after every 20 commits: {memory:?}",
        seen.connections.load(Ordering::Relaxed),
        seen.streams.load(Ordering::Relaxed),
        faults.len(),
    );
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(seen.connections.load(Ordering::Relaxed) > 0);
    assert!(seen.streams.load(Ordering::Relaxed) > 0);
    // The first part fills caches and pools.
    if let (Some(early), Some(last)) = (memory.get(memory.len() / 4), memory.last()) {
        assert!(*last <= early + SLACK, "{memory:?}");
    }
}

/// Returns the resident memory of a process, in KiB.
fn resident(process: u32) -> u64 {
    let status =
        std::fs::read_to_string(format!("/proc/{process}/status")).expect("the status of the gateway");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}
