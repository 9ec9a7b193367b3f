//! What all rounds together say.

use std::time::Duration;

use super::cpu::CpuTime;
use super::load::Round;
use super::scenario::Kind;
use super::tally::{Fault, Tally};

/// From this share on, the load itself may be what limits.
const BUSY: f64 = 0.9;
/// So much less than asked for is not the rate that was asked for.
const KEPT: f64 = 0.98;
/// Rounds that lie further apart than this were not measured in peace.
const APART: f64 = 1.25;

/// A whole run.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    /// Unix time of its beginning, in seconds.
    pub(crate) started: u64,
    pub(crate) target: Target,
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    pub(crate) measured: Vec<Measured>,
    /// What there was to say before it began.
    pub(crate) notes: Vec<String>,
    /// It was ended before its end.
    pub(crate) interrupted: bool,
}

/// What was measured.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// The gateway's origin.
    pub(crate) url: String,
    /// It was started for this, before a stand-in API.
    pub(crate) own: bool,
    /// Its process, where that is known.
    pub(crate) process: Option<u32>,
    pub(crate) http2: bool,
    pub(crate) tls: bool,
    /// Method and path of the protected route.
    pub(crate) route: Option<String>,
    /// Method and path of the public one.
    pub(crate) public_route: Option<String>,
}

/// On what.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) model: Option<String>,
    /// The gateway runs here, too.
    pub(crate) shared: bool,
}

/// How.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) tokens: usize,
    pub(crate) rounds: usize,
    pub(crate) duration: Duration,
}

/// One scenario's rounds.
#[derive(Debug, Clone)]
pub(crate) struct Measured {
    pub(crate) kind: Kind,
    /// Requests a second that were asked for.
    pub(crate) offered: Option<f64>,
    /// Each with the seconds from the run's beginning to its own.
    pub(crate) rounds: Vec<(f64, Round)>,
}

/// A ratio in the middle of those of the rounds, and the extremes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) greatest: f64,
}

impl Spread {
    /// Of any order; none of nothing.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let (least, greatest) = (*values.first()?, *values.last()?);
        let upper = *values.get(values.len() / 2)?;
        let lower = *values.get((values.len() - 1) / 2)?;
        Some(Self { median: f64::midpoint(lower, upper), least, greatest })
    }
}

/// One scenario beside another, round by round.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) of: Kind,
    pub(crate) to: Kind,
    /// The gateway's processor time a request.
    pub(crate) cpu: Option<Spread>,
    /// Requests a second.
    pub(crate) rate: Option<Spread>,
}

#[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
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

    /// Good answers a second, over the rounds.
    pub(crate) fn rate(&self) -> Option<Spread> {
        Spread::of(self.rounds.iter().map(|(_, round)| rate(round)))
    }

    /// The gateway's processor time a request, all rounds together, in microseconds.
    pub(crate) fn cpu(&self) -> Option<CpuTime> {
        let (mut used, mut answers) = (CpuTime::default(), 0);
        for (_, round) in &self.rounds {
            let of_round = round.server?;
            used.user += of_round.user;
            used.system += of_round.system;
            answers += round.tally.in_time;
        }
        (answers > 0).then(|| CpuTime {
            user: used.user * 1e6 / answers as f64,
            system: used.system * 1e6 / answers as f64,
        })
    }

    /// The greatest share of its time that a thread of the load was computing.
    pub(crate) fn busy(&self) -> f64 {
        self.rounds.iter().map(|(_, round)| round.busy).fold(0.0, f64::max)
    }
}

#[expect(clippy::cast_precision_loss)]
pub(crate) fn rate(round: &Round) -> f64 {
    if round.seconds > 0.0 { round.tally.good as f64 / round.seconds } else { 0.0 }
}

/// Microseconds a request, user and system together.
#[expect(clippy::cast_precision_loss)]
pub(crate) fn cpu_per_request(round: &Round) -> Option<f64> {
    let answers = round.tally.in_time;
    (answers > 0).then(|| Some(round.server?.total() * 1e6 / answers as f64)).flatten()
}

impl Outcome {
    pub(crate) fn of(&self, kind: Kind) -> Option<&Measured> {
        self.measured.iter().find(|measured| measured.kind == kind && !measured.rounds.is_empty())
    }

    /// Whatever there is to compare.
    pub(crate) fn comparisons(&self) -> Vec<Comparison> {
        let pairs = [
            (Kind::Protected, Kind::Public),
            (Kind::Issuing, Kind::Protected),
            (Kind::Invalid, Kind::Protected),
        ];
        pairs.into_iter().filter_map(|(of, to)| compare(self.of(of)?, self.of(to)?)).collect()
    }

    /// What a reader of the figures must know.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let mut remarks = self.notes.clone();
        if self.interrupted {
            remarks.push("Interrupted: these are the figures of what was done until then.".into());
        }
        if self.machine.shared {
            remarks.push(format!(
                "Gateway and load share this machine's {} cores: requests/s is what they do together; CPU a request is the gateway's own.",
                self.machine.cores
            ));
        }
        if self
            .comparisons()
            .iter()
            .filter_map(|pair| pair.cpu.or(pair.rate))
            .any(|ratio| ratio.greatest > ratio.least * APART)
        {
            remarks.push(
                "The rounds lie far apart, so something else used this machine, or they were too short (--duration): take the ratios as a hint.".into(),
            );
        }
        for measured in &self.measured {
            of_measured(measured, &mut remarks);
        }
        remarks
    }
}

fn compare(of: &Measured, to: &Measured) -> Option<Comparison> {
    let pairs = || of.rounds.iter().zip(&to.rounds).map(|((_, of), (_, to))| (of, to));
    let cpu = Spread::of(pairs().filter_map(|(of, to)| Some(cpu_per_request(of)? / cpu_per_request(to)?)));
    let rate = Spread::of(pairs().map(|(of, to)| rate(of) / rate(to)));
    (cpu.is_some() || rate.is_some()).then_some(Comparison { of: of.kind, to: to.kind, cpu, rate })
}

fn of_measured(measured: &Measured, remarks: &mut Vec<String>) {
    let (title, total) = (measured.kind.title(), measured.total());
    if measured.busy() >= BUSY {
        remarks.push(format!(
            "{title}: the load itself was the bottleneck (its busiest thread computed {:.0} % of the time): the gateway can do more than this. More --threads, or another machine, would show it.",
            measured.busy() * 100.0
        ));
    }
    if let (Some(offered), Some(rate)) = (measured.offered, measured.rate())
        && rate.median < offered * KEPT
    {
        remarks.push(format!(
            "{title}: {:.0} requests/s were asked for and {:.0} answered in time{}.",
            offered,
            rate.median,
            match total.unsent {
                0 => String::new(),
                unsent => format!(
                    "; {unsent} found no connection free until the end and count as slow as they waited"
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
        401 => ": a token was refused. Has it expired, or was it revoked meanwhile?",
        403 => ": the token lacks a scope, or this address is not let in.",
        404 | 405 => ": no route, or the API does not know the path. --route METHOD PATH names another.",
        429 => ": a rate_limit of the client or the route.",
        502..=504 => ": the gateway had no answer from the API, or no room (max_in_flight, max_tokens).",
        _ => ".",
    }
}

#[cfg(test)]
mod tests;
