//! The outcome as JSON, for scripts.
//!
//! The document names its schema (`"schema": "tollgate-bench/1"`). A schema version only gains keys. Times
//! are microseconds unless the key ends with `_s`. An unknown figure is null.

use serde_json::{Map, Value, json};

use super::numbers::to_micros;
use crate::bench::comparison::{Comparison, Ratio, Verdict};
use crate::bench::cpu::CpuTime;
use crate::bench::outcome::{Measured, Outcome, cpu_per_request, rate};
use crate::bench::tally::{Fault, Tally};
use crate::sorting::collect_sorted;
use crate::utc;

const SCHEMA: &str = "tollgate-bench/1";

pub(crate) fn json(outcome: &Outcome) -> Value {
    let Outcome { started, target, machine, settings, measured, notes: _, interrupted } = outcome;
    let comparisons: Map<String, Value> = collect_sorted(outcome.comparisons().iter().map(comparison));
    let scenarios = measured.iter().filter(|measured| !measured.rounds.is_empty());
    json!({
        "schema": SCHEMA,
        "tollgate": env!("CARGO_PKG_VERSION"),
        "started": utc::from_unix(*started).to_string(),
        "interrupted": interrupted,
        "target": {
            "url": target.url,
            "own": target.own,
            "pid": target.process,
            "http": if target.http2 { "2" } else { "1.1" },
            "tls": target.tls,
            "route": target.route,
            "public_route": target.public_route,
        },
        "machine": { "cores": machine.cores, "cpu": machine.model, "shared": machine.shared },
        "settings": {
            "connections": settings.connections,
            "threads": settings.threads,
            "tokens": settings.tokens,
            "rounds": settings.rounds,
            "duration_s": settings.duration.as_secs_f64(),
        },
        "scenarios": scenarios.map(scenario).collect::<Vec<Value>>(),
        "ratios": comparisons,
        "notes": outcome.remarks(),
    })
}

fn scenario(measured: &Measured) -> Value {
    let total = measured.total();
    let rounds = measured.rounds.iter().map(|(at, round)| {
        json!({
            "at_s": round_to(*at, 3),
            "seconds": round_to(round.seconds, 3),
            "requests_per_second": round_to(rate(round), 1),
            "p99": to_micros(round.tally.latency.quantile(0.99)),
            "gateway_cpu_per_request": cpu_per_request(round).map(|micros| round_to(micros, 2)),
            "errors": errors(&round.tally),
        })
    });
    json!({
        "name": measured.kind.name(),
        "offered_per_second": measured.offered.map(|offered| round_to(offered, 1)),
        "seconds": round_to(measured.seconds(), 3),
        "requests": total.answers() + total.faults(),
        "requests_per_second": measured.rate().map(|spread| round_to(spread.median, 1)),
        "latency": latency(&total),
        "statuses": statuses(&total),
        "errors": errors(&total),
        "faults": faults(&total),
        "unexpected_status": total.unexpected,
        "unsent": total.unsent,
        "gateway_cpu_per_request": measured.cpu().map(cpu),
        "load_busy": round_to(measured.busy(), 3),
        "rounds": rounds.collect::<Vec<Value>>(),
    })
}

fn errors(tally: &Tally) -> u64 {
    tally.faults() + tally.unexpected
}

fn latency(total: &Tally) -> Value {
    let latency = &total.latency;
    if latency.count() == 0 {
        return Value::Null;
    }
    let at = |share| to_micros(latency.quantile(share));
    json!({
        "mean": to_micros(latency.mean()),
        "p50": at(0.5),
        "p90": at(0.9),
        "p99": at(0.99),
        "p99_9": at(0.999),
        "max": to_micros(latency.max()),
    })
}

fn statuses(total: &Tally) -> Value {
    let statuses = total.statuses.iter().map(|(status, times)| (status.to_string(), json!(times)));
    Value::Object(collect_sorted(statuses))
}

fn faults(total: &Tally) -> Value {
    let times = |fault| total.faults.get(&fault).copied().unwrap_or(0);
    Value::Object(collect_sorted(Fault::ALL.map(|fault| (fault.name().to_owned(), json!(times(fault))))))
}

fn cpu(cpu: CpuTime) -> Value {
    json!({ "user": round_to(cpu.user, 2), "system": round_to(cpu.system, 2) })
}

fn comparison(comparison: &Comparison) -> (String, Value) {
    let key = format!("{}_to_{}", comparison.of.name(), comparison.to.name());
    let value = json!({
        "gateway_cpu_per_request": comparison.cpu.map(ratio),
        "requests_per_second": comparison.rate.map(ratio),
    });
    (key, value)
}

fn ratio(ratio: Ratio) -> Value {
    json!({
        "median": round_to(ratio.value, 4),
        "least": round_to(ratio.least, 4),
        "greatest": round_to(ratio.greatest, 4),
        "too_noisy": ratio.verdict() == Verdict::TooNoisy,
    })
}

fn round_to(number: f64, digits: i32) -> f64 {
    let scale = 10_f64.powi(digits);
    (number * scale).round() / scale
}
