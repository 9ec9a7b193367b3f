//! The outcome as text, for a terminal.

use std::fmt::Write as _;

use super::numbers::{micros, rate, three_digits, time};
use crate::bench::comparison::{Comparison, Ratio, Verdict};
use crate::bench::outcome::{Measured, Outcome};
use crate::config::grouped;

const HEAD: [&str; 8] = ["", "requests/s", "p50", "p90", "p99", "p99.9", "longest", "errors"];

/// Returns the table, the comparisons and the remarks, each on lines of their own.
pub(crate) fn table(outcome: &Outcome) -> String {
    let mut text = String::new();
    let has_cpu = outcome.measured.iter().any(|measured| measured.cpu().is_some());
    let mut rows = vec![HEAD.map(str::to_owned).to_vec()];
    rows.extend(outcome.measured.iter().filter(|measured| !measured.rounds.is_empty()).map(row));
    if has_cpu {
        let cells = outcome.measured.iter().filter(|measured| !measured.rounds.is_empty()).map(cpu);
        let cells = std::iter::once("gateway CPU/request".to_owned()).chain(cells);
        for (row, cell) in rows.iter_mut().zip(cells) {
            row.insert(2, cell);
        }
    }
    text.push_str(&aligned(&rows));
    let comparisons = outcome.comparisons();
    if !comparisons.is_empty() {
        text.push('\n');
    }
    for comparison in &comparisons {
        let _ = writeln!(text, "{}", sentence(comparison));
    }
    let remarks = outcome.remarks();
    if !remarks.is_empty() {
        text.push('\n');
    }
    for remark in remarks {
        let _ = writeln!(text, "- {remark}");
    }
    text
}

fn row(measured: &Measured) -> Vec<String> {
    let total = measured.total();
    let title = match measured.offered {
        None => measured.kind.title().to_owned(),
        Some(offered) => format!("{}, {}/s", measured.kind.title(), rate(offered)),
    };
    let mut row = vec![title, rate(measured.rate().map_or(0.0, |spread| spread.median))];
    let quantiles = [0.5, 0.9, 0.99, 0.999].map(|share| total.latency.quantile(share));
    let has_any = total.latency.count() > 0;
    let latencies = quantiles.into_iter().chain([total.latency.max()]);
    row.extend(latencies.map(|latency| if has_any { time(latency) } else { "-".to_owned() }));
    row.push(grouped(total.faults() + total.unexpected));
    row
}

fn cpu(measured: &Measured) -> String {
    match measured.cpu() {
        None => "-".to_owned(),
        Some(cpu) => {
            format!("{} ({} + {})", micros(cpu.total()), three_digits(cpu.user), three_digits(cpu.system))
        }
    }
}

/// `protected route against public route: 1.03 times the CPU per request (1.01 to 1.06), …`
pub(super) fn sentence(comparison: &Comparison) -> String {
    let parts = [("CPU per request", comparison.cpu), ("requests/s", comparison.rate)];
    let parts: Vec<String> =
        parts.into_iter().filter_map(|(what, ratio)| Some(times(what, &ratio?))).collect();
    format!("{} against {}: {}", comparison.of.title(), comparison.to.title(), parts.join(", "))
}

fn times(what: &str, ratio: &Ratio) -> String {
    let Ratio { value, least, greatest, rounds: _ } = ratio;
    match ratio.verdict() {
        Verdict::Clear => format!("{value:.2} times the {what} ({least:.2} to {greatest:.2})"),
        Verdict::SingleRound => format!("{value:.2} times the {what} (one round)"),
        Verdict::TooNoisy => format!("{what}: too noisy to say ({least:.2} to {greatest:.2} times)"),
    }
}

/// Aligns the first column to the left and the others to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let space = " ".repeat(width - cell.chars().count());
            if at == 0 {
                line.push_str(cell);
                line.push_str(&space);
            } else {
                line.push_str("   ");
                line.push_str(&space);
                line.push_str(cell);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
