//! Counts of responses and faults.

use std::collections::BTreeMap;
use std::fmt;

use super::histogram::Histogram;

/// Why a request has no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// No connection was established.
    Connect,
    /// The TLS or HTTP/2 handshake failed.
    Handshake,
    /// The connection ended before the response.
    Closed,
    /// The response was not HTTP.
    Malformed,
    /// There was no response before the end of the round, nor for a while after it.
    Unanswered,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] =
        [Self::Connect, Self::Handshake, Self::Closed, Self::Malformed, Self::Unanswered];

    /// Returns its name in the JSON output.
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
            Self::Handshake => "the TLS or HTTP/2 handshake failed",
            Self::Closed => "the connection ended before the response",
            Self::Malformed => "the response was not HTTP",
            Self::Unanswered => "no response in time",
        })
    }
}

/// The counts of one thread in one round, or of several together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// The latencies of expected responses. At a fixed rate, requests that were never sent count with the
    /// time that they waited.
    pub(crate) latency: Histogram,
    /// Expected responses before the end of the round.
    pub(crate) good: u64,
    /// Expected responses to requests that were in flight at the end of the round.
    pub(crate) late: u64,
    /// Responses of any status before the end of the round. The gateway's processor time was spent on these.
    pub(crate) in_time: u64,
    /// Responses with an unexpected status.
    pub(crate) unexpected: u64,
    pub(crate) statuses: BTreeMap<u16, u64>,
    pub(crate) faults: BTreeMap<Fault, u64>,
    /// Requests at a fixed rate that found no free connection before the end.
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

    /// Returns the number of responses.
    pub(crate) fn answers(&self) -> u64 {
        self.good + self.late + self.unexpected
    }

    /// Returns the number of requests without a response.
    pub(crate) fn faults(&self) -> u64 {
        self.faults.values().sum()
    }
}
