//! What became of the requests.

use std::collections::BTreeMap;
use std::fmt;

use super::histogram::Histogram;

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// No connection could be had.
    Connect,
    /// No TLS session, or no HTTP/2 one.
    Handshake,
    /// The connection ended before the answer did.
    Closed,
    /// What came was no HTTP.
    Malformed,
    /// Nothing came before the round was over, and for a while after it.
    Unanswered,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] =
        [Self::Connect, Self::Handshake, Self::Closed, Self::Malformed, Self::Unanswered];

    /// As scripts know it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Handshake => "handshake",
            Self::Closed => "closed",
            Self::Malformed => "malformed",
            Self::Unanswered => "unanswered",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "no connection",
            Self::Handshake => "no TLS or HTTP/2 session",
            Self::Closed => "the connection ended before the answer did",
            Self::Malformed => "the answer was no HTTP",
            Self::Unanswered => "no answer in time",
        })
    }
}

/// The counts of one thread in one round, or of several together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Of the answers that were as they should; at a fixed rate also of what was never sent, as long as that waited.
    pub(crate) latency: Histogram,
    /// Answers as they should be, before the round was over.
    pub(crate) good: u64,
    /// Answers as they should be, to requests under way when the round was over.
    pub(crate) late: u64,
    /// Answers of whatever status before the round was over: those that the gateway's processor time was for.
    pub(crate) in_time: u64,
    /// Answers with another status.
    pub(crate) unexpected: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// Requests of a fixed rate for which no connection was free until the end.
    pub(crate) unsent: u64,
}

impl Tally {
    pub(crate) fn fault(&mut self, fault: Fault, times: u64) {
        if times > 0 {
            *self.faults.entry(fault).or_default() += times;
        }
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.latency.add(&other.latency);
        self.good += other.good;
        self.late += other.late;
        self.in_time += other.in_time;
        self.unexpected += other.unexpected;
        for (status, times) in &other.statuses {
            *self.statuses.entry(*status).or_default() += times;
        }
        for (fault, times) in &other.faults {
            *self.faults.entry(*fault).or_default() += times;
        }
        self.unsent += other.unsent;
    }

    /// All answers.
    pub(crate) fn answers(&self) -> u64 {
        self.good + self.late + self.unexpected
    }

    /// Requests without an answer.
    pub(crate) fn faults(&self) -> u64 {
        self.faults.values().sum()
    }
}
