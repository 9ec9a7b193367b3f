//! The figures of the console are those of the metrics and of the access log.

use super::Admin;
use crate::support::metrics::Scrape;
use crate::support::{get, raw};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

#[test]
fn the_console_the_metrics_and_the_access_log_have_the_same_figures() {
    let admin = Admin::start_with("", |config| {
        config
            .server("access_log = { file = \"access.log\" }")
            .table("[metrics]\nlisten = \"http://127.0.0.1:0\"")
    });
    let fixture = &admin.fixture;
    // Issued first, so that the traffic of the test itself is known: two tokens, and four of the API's reader
    // below.
    let bearer = fixture.bearer("server", "read");
    let reader = admin.bearer("reader");
    for _ in 0..7 {
        fixture.raw(get("/hello", &[&bearer])).status(200);
    }
    for _ in 0..3 {
        fixture.raw(get("/write", &[&bearer])).status(403);
    }
    fixture.raw(get("/hello", &[])).status(401);
    fixture.raw(get("/nothing", &[])).status(404);
    fixture.ask_token("server", "&scope=admin").status(400);

    // The last of them is counted once its response has been sent.
    let live = || {
        let response = raw(admin.address, admin.request("GET", "/api/v1/live", &[&reader], ""));
        response.status(200);
        response.json()
    };
    let deadline = Instant::now() + Duration::from_secs(10);
    let live = loop {
        let live = live();
        if live["requests"] == 15 {
            break live;
        }
        assert!(Instant::now() < deadline, "{live:#}");
        std::thread::sleep(Duration::from_millis(10));
    };
    let scrape = Scrape::of(&fixture.gateway);
    let sum = |family: &str| -> f64 {
        scrape
            .text
            .lines()
            .filter(|line| line.starts_with(family))
            .filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok())
            .sum()
    };
    let figure = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}"));
    assert_eq!(figure(&live["requests"]), sum("tollgate_requests_total{"), "{live:#}");
    assert_eq!(figure(&live["tokens_issued"]), sum("tollgate_tokens_issued_total "), "{}", scrape.text);
    assert_eq!((&live["tokens_issued"], &live["tokens_refused"]), (&2.into(), &1.into()));
    let refusals = figure(&live["refused"]) + figure(&live["limited"]) + figure(&live["failed"]);
    assert_eq!(refusals, sum("tollgate_refusals_total{"), "{live:#}\n{}", scrape.text);
    for route in live["routes"].as_array().expect("routes") {
        let name = route["route"].as_str().expect("a name");
        let of_route = format!("tollgate_requests_total{{route=\"{name}\"");
        assert_eq!(figure(&route["requests"]), sum(&of_route), "{name}");
    }
    let hello = live["routes"]
        .as_array()
        .expect("routes")
        .iter()
        .find(|route| route["route"] == "/hello")
        .expect("it");
    assert_eq!((&hello["requests"], &hello["client_errors"]), (&8.into(), &1.into()), "{hello}");

    let log = fixture.gateway.dir().join("access.log");
    let lines = loop {
        let lines = fs::read_to_string(&log).unwrap_or_default();
        if lines.lines().count() >= 15 {
            break lines;
        }
        assert!(Instant::now() < deadline, "{lines}");
        std::thread::sleep(Duration::from_millis(10));
    };
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let with = |status: u64| lines.iter().filter(|line| line["status"] == status).count();
    assert_eq!(lines.len(), 15);
    assert_eq!([with(200), with(401), with(403), with(404), with(400)], [9, 1, 3, 1, 1], "{lines:#?}");
}
