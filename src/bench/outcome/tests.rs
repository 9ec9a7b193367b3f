//! Outcomes of known rounds, and the reports of them.

use super::*;
use crate::bench::report;

fn round(good: u64, seconds: f64, cpu: Option<(f64, f64)>) -> Round {
    let mut round = Round { seconds, ..Round::default() };
    round.tally.good = good;
    round.tally.in_time = good;
    round.tally.statuses.insert(200, good);
    for n in 0..good {
        round.tally.latency.record(Duration::from_micros(100 + n % 100));
    }
    round.server = cpu.map(|(user, system)| CpuTime { user, system });
    round.samples = vec![(0.1, 990.0), (0.2, 1010.0)];
    round
}

fn outcome(measured: Vec<Measured>) -> Outcome {
    Outcome {
        started: 1_795_420_800,
        target: Target {
            url: "https://localhost:8443".into(),
            own: true,
            process: Some(4711),
            http2: false,
            tls: true,
            route: Some("GET /hello".into()),
            public_route: None,
        },
        machine: Machine { cores: 8, model: Some("Some CPU".into()), shared: true },
        settings: Settings {
            connections: 32,
            threads: 4,
            tokens: 100,
            rounds: 3,
            duration: Duration::from_secs(3),
        },
        measured,
        notes: Vec::new(),
        interrupted: false,
    }
}

fn measured(kind: Kind, rounds: Vec<Round>) -> Measured {
    let rounds = rounds.into_iter().enumerate().map(|(at, round)| (at as f64, round)).collect();
    Measured { kind, offered: None, rounds }
}

/// Public: 1,000/s at 20 µs. Protected: 900/s, 800/s and 1,000/s at 22, 24 and 21 µs.
fn known() -> Outcome {
    let public = (0..3).map(|_| round(1000, 1.0, Some((0.012, 0.008)))).collect();
    let protected = vec![
        round(900, 1.0, Some((0.0108, 0.009))),
        round(800, 1.0, Some((0.0112, 0.008))),
        round(1000, 1.0, Some((0.012, 0.009))),
    ];
    outcome(vec![measured(Kind::Public, public), measured(Kind::Protected, protected)])
}

fn close(found: f64, expected: f64) -> bool {
    (found - expected).abs() < 1e-9
}

#[test]
fn ratios_are_those_of_the_table_with_the_spread_of_the_rounds() {
    let outcome = known();
    let comparisons = outcome.comparisons();
    let [comparison] = comparisons.as_slice() else { panic!("{comparisons:?}") };
    assert_eq!((comparison.of, comparison.to), (Kind::Protected, Kind::Public));
    let (cpu, rate) = (comparison.cpu.unwrap(), comparison.rate.unwrap());
    assert!(close(cpu.value, 1.1) && close(cpu.least, 1.05) && close(cpu.greatest, 1.2), "{cpu:?}");
    assert!(close(rate.value, 0.9) && close(rate.least, 0.8) && close(rate.greatest, 1.0), "{rate:?}");
    let cpu = outcome.of(Kind::Public).and_then(Measured::cpu).unwrap();
    assert!(close(cpu.user, 12.0) && close(cpu.system, 8.0), "{cpu:?}");
}

/// The rounds are of different length, so a figure over all requests would differ from the median.
#[test]
fn the_summary_never_contradicts_the_table() {
    let public = vec![
        round(10_000, 1.0, Some((0.1, 0.1))),
        round(100, 1.0, Some((0.002, 0.001))),
        round(100, 1.0, Some((0.002, 0.001))),
    ];
    let protected = vec![
        round(10_000, 1.0, Some((0.1, 0.12))),
        round(100, 1.0, Some((0.002, 0.00125))),
        round(100, 1.0, Some((0.002, 0.0016))),
    ];
    let outcome = outcome(vec![measured(Kind::Public, public), measured(Kind::Protected, protected)]);
    let cpu = |kind| outcome.of(kind).and_then(Measured::cpu).unwrap().total();
    let comparison = outcome.comparisons()[0];
    assert!(close(cpu(Kind::Public), 30.0) && close(cpu(Kind::Protected), 32.5), "{comparison:?}");
    assert!(close(comparison.cpu.unwrap().value, 32.5 / 30.0), "{comparison:?}");
    let text = report::table(&outcome);
    for part in ["30.0 µs", "32.5 µs", "1.08 times the CPU per request (1.08 to 1.20)"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn an_unknown_process_has_no_times_and_no_ratio_of_them() {
    let mut outcome = known();
    outcome.measured[1].rounds[1].1 = round(0, 1.0, None);
    let comparison = outcome.comparisons()[0];
    assert_eq!(comparison.cpu, None, "not of other rounds than the table: {comparison:?}");
    assert_eq!(outcome.measured[1].cpu(), None);
    let text = report::table(&outcome);
    assert!(text.lines().any(|line| line.starts_with("protected route") && line.contains(" - ")), "{text}");
}

#[test]
fn an_interrupted_round_does_not_count_for_some_scenarios_only() {
    let mut outcome = known();
    outcome.measured[0].rounds.push((4.0, round(10, 1.0, Some((0.1, 0.1)))));
    outcome.drop_incomplete_round();
    assert_eq!(outcome.comparisons(), known().comparisons());
    // A scenario that was reached once keeps that round.
    outcome.measured[0].rounds.truncate(1);
    outcome.measured[1].rounds.clear();
    outcome.drop_incomplete_round();
    assert_eq!(outcome.measured[0].rounds.len(), 1);
}

#[test]
fn rounds_that_disagree_are_called_too_noisy_everywhere() {
    let mut outcome = known();
    outcome.measured[1].rounds[2].1 = round(1100, 1.0, Some((0.012, 0.008)));
    let text = report::table(&outcome);
    let sentence = "protected route against public route: CPU per request: too noisy to say (0.91 to 1.20 times), requests/s: too noisy to say (0.80 to 1.10 times)";
    assert!(text.contains(sentence) && text.contains("The rounds differ widely"), "{text}");
    let page = report::page(&outcome);
    assert!(page.contains("0.91–1.20×") && page.contains("protected to public: too noisy to say"), "{page}");
    let json = report::json(&outcome);
    let ratio = &json["ratios"]["protected_to_public"]["gateway_cpu_per_request"];
    assert_eq!((&ratio["too_noisy"], &ratio["median"]), (&true.into(), &1.1.into()), "{json:#}");
}

#[test]
fn the_table_has_the_figures() {
    let text = report::table(&known());
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(
        lines[0],
        ["requests/s", "gateway CPU/request", "p50", "p90", "p99", "p99.9", "longest", "errors"]
    );
    assert_eq!(
        lines[1],
        [
            "public route",
            "1,000",
            "20.0 µs (12.0 + 8.00)",
            "150 µs",
            "189 µs",
            "199 µs",
            "199 µs",
            "199 µs",
            "0"
        ]
    );
    assert_eq!(lines[2][..2], ["protected route", "900"]);
    let sentence = "protected route against public route: 1.10 times the CPU per request (1.05 to 1.20), requests/s: too noisy to say (0.80 to 1.00 times)";
    assert!(text.contains(sentence), "{text}");
}

#[test]
fn the_remarks_say_what_a_reader_must_know() {
    let mut outcome = known();
    outcome.measured[0].rounds[1].1.busy = 0.97;
    let tally = &mut outcome.measured[1].rounds[0].1.tally;
    tally.statuses.insert(429, 7);
    tally.unexpected = 7;
    tally.fault(Fault::Closed, 3);
    let mut fixed = measured(Kind::Fixed, vec![round(500, 1.0, None)]);
    fixed.offered = Some(1000.0);
    fixed.rounds[0].1.tally.unsent = 400;
    outcome.measured.push(fixed);
    outcome.interrupted = true;
    let text = report::table(&outcome);
    for part in [
        "public route: the load itself was the bottleneck (its busiest thread computed 97 % of the time)",
        "protected route: 7 times status 429: a rate_limit",
        "protected route: 3 times the connection ended before the response",
        "fixed rate: 1000 requests/s were sent and 500 were answered in time; 400 found no free connection",
        "Interrupted:",
        "8 cores",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let peaceful = report::table(&known());
    for part in ["bottleneck", "Interrupted", "times status", "differ widely"] {
        assert!(!peaceful.contains(part), "{part}\n{peaceful}");
    }
}

#[test]
fn the_json_has_the_figures_under_stable_names() {
    let json = report::json(&known());
    let at = |pointer: &str| json.pointer(pointer).unwrap_or_else(|| panic!("{pointer}: {json:#}")).clone();
    for (pointer, expected) in [
        ("/schema", serde_json::json!("tollgate-bench/1")),
        ("/started", "2026-11-23T08:00:00Z".into()),
        ("/interrupted", false.into()),
        ("/target/own", true.into()),
        ("/target/pid", 4711.into()),
        ("/target/http", "1.1".into()),
        ("/settings/duration_s", 3.0.into()),
        ("/machine/cores", 8.into()),
        ("/scenarios/0/name", "public".into()),
        ("/scenarios/0/requests", 3000.into()),
        ("/scenarios/0/requests_per_second", 1000.0.into()),
        ("/scenarios/0/gateway_cpu_per_request/user", 12.0.into()),
        ("/scenarios/0/statuses/200", 3000.into()),
        ("/scenarios/0/faults/unanswered", 0.into()),
        ("/scenarios/1/rounds/1/requests_per_second", 800.0.into()),
        ("/scenarios/1/rounds/1/gateway_cpu_per_request", 24.0.into()),
        ("/scenarios/0/latency/max", 199.0.into()),
        ("/ratios/protected_to_public/gateway_cpu_per_request/median", 1.1.into()),
        ("/ratios/protected_to_public/gateway_cpu_per_request/too_noisy", false.into()),
        ("/ratios/protected_to_public/requests_per_second/too_noisy", true.into()),
    ] {
        assert_eq!(at(pointer), expected, "{pointer}");
    }
}

#[test]
fn the_page_is_complete_and_escapes_its_values() {
    const HOSTILE: &str = "<script src='https://evil.test/x.js'>&\"";
    let mut outcome = known();
    outcome.target.url = HOSTILE.into();
    outcome.target.route = Some(format!("GET /{HOSTILE}"));
    outcome.machine.model = Some(HOSTILE.into());
    outcome.notes.push(HOSTILE.into());
    let page = report::page(&outcome);
    assert!(!page.contains("<script"), "{page}");
    assert_eq!(
        page.matches("&lt;script src=&#39;https://evil.test/x.js&#39;&gt;&amp;&quot;").count(),
        4,
        "{page}"
    );
    for absent in ["<link", "url(", "@import", "href=", "NaN", "inf"] {
        assert!(!page.contains(absent), "{absent}\n{page}");
    }
    assert!(page.contains("default-src 'none'"));
    assert_eq!(page.matches("<svg").count(), 4);
    for tag in ["svg", "section", "div", "ul", "table", "main", "html"] {
        let (opened, closed) =
            (page.matches(&format!("<{tag}")).count(), page.matches(&format!("</{tag}>")).count());
        assert_eq!(opened, closed, "{tag}");
    }
}

#[test]
fn a_page_without_figures_is_complete_too() {
    let page = report::page(&outcome(vec![measured(Kind::Public, Vec::new())]));
    assert!(page.ends_with("</html>\n") && !page.contains("<svg") && !page.contains("NaN"), "{page}");
    let page = report::page(&outcome(vec![measured(Kind::Public, vec![round(0, 1.0, None)])]));
    assert!(page.ends_with("</html>\n") && !page.contains("NaN"), "{page}");
}
