//! The result of a whole run.

use std::time::Duration;

use super::comparison::{Comparison, Ratio, Spread, Verdict};
use super::cpu::CpuTime;
use super::load::Round;
use super::scenario::Kind;
use super::tally::{Fault, Tally};

/// If a thread of the load is busy for this share of its time, the load itself may be the bottleneck.
const BUSY: f64 = 0.9;
/// If a smaller share of the requested rate is answered, the gateway did not keep up.
const KEPT: f64 = 0.98;
/// If the rounds differ by more than this factor, something else used the machine.
const APART: f64 = 1.25;

/// A whole run.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// When the run began: Unix time in seconds.
    pub(crate) started: u64,
    pub(crate) target: Target,
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    pub(crate) measured: Vec<Measured>,
    /// What the reader must know, from before the measurement.
    pub(crate) notes: Vec<String>,
    /// Whether a signal ended the run early.
    pub(crate) interrupted: bool,
}

/// What was measured.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The gateway's origin.
    pub(crate) url: String,
    /// Whether this is a temporary gateway in front of a stand-in API.
    pub(crate) own: bool,
    /// The gateway's process, if it is known.
    pub(crate) process: Option<u32>,
    pub(crate) http2: bool,
    pub(crate) tls: bool,
    /// Method and path of the protected route.
    pub(crate) route: Option<String>,
    /// Method and path of the public route.
    pub(crate) public_route: Option<String>,
}

/// Where it was measured.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) model: Option<String>,
    /// Whether the gateway runs on this machine too.
    pub(crate) shared: bool,
}

/// How it was measured.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) tokens: usize,
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
}

/// One scenario with its rounds.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    /// The requested rate per second, if the scenario has a fixed rate.
    pub(crate) offered: Option<f64>,
    /// Each round, with the seconds from the start of the run to the start of the round.
    pub(crate) rounds: Vec<(f64, Round)>,
}

impl Measured {
    pub(crate) fn total(&self) -> Tally {
        let mut total = Tally::default();
        for (_, round) in &self.rounds {
            total.add(&round.tally);
        }
        total
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.rounds.iter().map(|(_, round)| round.seconds).sum()
    }

    /// Returns the good responses per second, over the rounds.
    pub(crate) fn rate(&self) -> Option<Spread> {
        Spread::of(self.rate_by_round())
    }

    /// Returns the gateway's processor time per request in microseconds: the median of the rounds, divided
    /// into user and system time in the proportion of all rounds together. Returns `None` unless every round
    /// has it.
    pub(crate) fn cpu(&self) -> Option<CpuTime> {
        let median = Spread::of(self.cpu_by_round()?)?.median;
        let mut used = CpuTime::default();
        for (_, round) in &self.rounds {
            let of_round = round.server?;
            used.user += of_round.user;
            used.system += of_round.system;
        }
        let user = if used.total() > 0.0 { median * used.user / used.total() } else { 0.0 };
        Some(CpuTime { user, system: median - user })
    }

    /// Returns the gateway's processor time per request of each round.
    pub(crate) fn cpu_by_round(&self) -> Option<Vec<f64>> {
        self.rounds.iter().map(|(_, round)| cpu_per_request(round)).collect()
    }

    fn rate_by_round(&self) -> Vec<f64> {
        self.rounds.iter().map(|(_, round)| rate(round)).collect()
    }

    /// Returns the share of its time for which the busiest thread of the load was computing.
    pub(crate) fn busy(&self) -> f64 {
        self.rounds.iter().map(|(_, round)| round.busy).fold(0.0, f64::max)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
pub(crate) fn rate(round: &Round) -> f64 {
    if round.seconds > 0.0 { round.tally.good as f64 / round.seconds } else { 0.0 }
}

/// Returns the gateway's processor time per request in microseconds, user and system together.
#[expect(clippy::cast_precision_loss)]
pub(crate) fn cpu_per_request(round: &Round) -> Option<f64> {
    let answers = round.tally.in_time;
    (answers > 0).then(|| Some(round.server?.total() * 1e6 / answers as f64)).flatten()
}

impl Outcome {
    pub(crate) fn of(&self, kind: Kind) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.kind == kind && !measured.rounds.is_empty())
    }

    /// Drops the last round of the scenarios that have one round more than others, so that every figure comes
    /// from the same rounds. A scenario keeps its only round.
    pub(crate) fn drop_incomplete_round(&mut self) {
        let complete = self.measured.iter().map(|measured| measured.rounds.len()).min().unwrap_or(0).max(1);
        for measured in &mut self.measured {
            measured.rounds.truncate(complete);
        }
    }

    /// Compares the scenarios that were measured, in pairs.
    pub(crate) fn comparisons(&self) -> Vec<Comparison> {
        let pairs = [
            (Kind::Protected, Kind::Public),
            (Kind::Issuing, Kind::Protected),
            (Kind::Invalid, Kind::Protected),
        ];
        pairs.into_iter().filter_map(|(of, to)| compare(self.of(of)?, self.of(to)?)).collect()
    }

    /// Returns what a reader of the figures must know.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = self.notes.clone();
        if self.interrupted {
            remarks.push("Interrupted: these are the figures of the rounds before that.".into());
        }
        if self.machine.shared {
            remarks.push(format!(
                "Gateway and load share this machine's {} cores: requests/s is what both achieve together; CPU per request is the gateway's own.",
                self.machine.cores
            ));
        }
        let ratios: Vec<Ratio> = self.comparisons().iter().flat_map(Comparison::ratios).collect();
        if ratios.iter().any(|ratio| ratio.greatest > ratio.least * APART) {
            remarks.push(
                "The rounds differ widely: something else used this machine, or they were too short. A quieter machine, a longer --duration or more --rounds narrow the ranges.".into(),
            );
        } else if ratios.iter().any(|ratio| ratio.verdict() == Verdict::TooNoisy) {
            remarks.push(
                "Too noisy to say: the rounds do not agree which of the two is more. A longer --duration or more --rounds narrow the ranges.".into(),
            );
        }
        for measured in &self.measured {
            of_measured(measured, &mut remarks);
        }
        remarks
    }
}

fn compare(of: &Measured, to: &Measured) -> Option<Comparison> {
    let cpu = of.cpu_by_round().zip(to.cpu_by_round()).and_then(|(of, to)| Ratio::of(&of, &to));
    let rate = Ratio::of(&of.rate_by_round(), &to.rate_by_round());
    (cpu.is_some() || rate.is_some()).then_some(Comparison { of: of.kind, to: to.kind, cpu, rate })
}

fn of_measured(measured: &Measured, remarks: &mut Vec<String>) {
    let (title, total) = (measured.kind.title(), measured.total());
    if measured.busy() >= BUSY {
        remarks.push(format!(
            "{title}: the load itself was the bottleneck (its busiest thread computed {:.0} % of the time), so the gateway can do more than this. Use more --threads, or another machine for the load.",
            measured.busy() * 100.0
        ));
    }
    if let (Some(offered), Some(rate)) = (measured.offered, measured.rate())
        && rate.median < offered * KEPT
    {
        remarks.push(format!(
            "{title}: {:.0} requests/s were sent and {:.0} were answered in time{}.",
            offered,
            rate.median,
            match total.unsent {
                0 => String::new(),
                unsent => format!(
                    "; {unsent} found no free connection before the end; the time that they waited counts as their latency"
                ),
            }
        ));
    }
    let expected = |status: u16| match measured.kind {
        Kind::Invalid => status == 401,
        _ => (200..400).contains(&status),
    };
    for (status, times) in total.statuses.iter().filter(|(status, _)| !expected(**status)) {
        remarks.push(format!("{title}: {times} times status {status}{}", meaning(*status)));
    }
    for fault in Fault::ALL {
        if let Some(times) = total.faults.get(&fault) {
            remarks.push(format!("{title}: {times} times {fault}."));
        }
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 => ": a token was refused. Perhaps it has expired or was revoked.",
        403 => ": the token lacks a scope, or this address is not allowed.",
        404 | 405 => {
            ": no route, or the API does not know the path. Choose another with --route METHOD PATH."
        }
        429 => ": a rate_limit of the client or of the route applies.",
        502..=504 => ": the API did not answer, or a limit was reached (max_in_flight, max_tokens).",
        _ => ".",
    }
}

#[cfg(test)]
mod tests;
