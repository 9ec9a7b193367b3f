//! A bounded queue that takes turns between networks.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

/// Jobs in the order in which they are done: one of each network, and then the next of each.
///
/// One network can fill its own share and no more, so a flood from it delays a job of another network by at
/// most one job of each network that waits.
pub(crate) struct FairQueue<T> {
    lanes: HashMap<IpAddr, VecDeque<T>>,
    /// The networks that have a job, the next one first.
    turns: VecDeque<IpAddr>,
    length: usize,
    bounds: QueueBounds,
}

/// The maximum number of waiting jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueBounds {
    /// Of all networks together.
    pub(crate) total: usize,
    /// Of one network.
    pub(crate) per_network: usize,
}

impl<T> FairQueue<T> {
    pub(crate) fn new(bounds: QueueBounds) -> Self {
        Self { lanes: HashMap::new(), turns: VecDeque::new(), length: 0, bounds }
    }

    /// Returns the number of jobs that wait.
    #[cfg(any(feature = "gateway", test))]
    pub(crate) fn len(&self) -> usize {
        self.length
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds a job.
    ///
    /// If the whole queue is full, a network that has fewer jobs than the busiest takes the place of the last
    /// job of that network.
    ///
    /// # Errors
    /// Returns the job for which there is no place: this one, or the one that has lost its place to it.
    pub(crate) fn push(&mut self, network: IpAddr, job: T) -> Result<(), T> {
        let own = self.lanes.get(&network).map_or(0, VecDeque::len);
        if own >= self.bounds.per_network {
            return Err(job);
        }
        let displaced = if self.length < self.bounds.total {
            None
        } else {
            match self.displace(own) {
                None => return Err(job),
                displaced => displaced,
            }
        };
        let lane = self.lanes.entry(network).or_default();
        if lane.is_empty() {
            self.turns.push_back(network);
        }
        lane.push_back(job);
        self.length += 1;
        displaced.map_or(Ok(()), Err)
    }

    /// Removes the last job of the busiest network, if that has at least two more than `own`.
    fn displace(&mut self, own: usize) -> Option<T> {
        let busiest = self.lanes.values_mut().max_by_key(|lane| lane.len())?;
        if busiest.len() < own + 2 {
            return None;
        }
        self.length -= 1;
        // It keeps at least one job, so its turn stays.
        busiest.pop_back()
    }

    /// Removes the next job.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let network = self.turns.pop_front()?;
        let lane = self.lanes.get_mut(&network)?;
        let job = lane.pop_front()?;
        self.length -= 1;
        if lane.is_empty() {
            self.lanes.remove(&network);
        } else {
            self.turns.push_back(network);
        }
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 2));
    const C: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 3));

    fn queue(total: usize, per_network: usize) -> FairQueue<&'static str> {
        FairQueue::new(QueueBounds { total, per_network })
    }

    fn drain(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).collect()
    }

    #[test]
    fn networks_take_turns() {
        let mut queue = queue(10, 5);
        for (network, job) in [(A, "a1"), (A, "a2"), (A, "a3"), (B, "b1"), (C, "c1"), (B, "b2")] {
            queue.push(network, job).unwrap();
        }
        assert_eq!(queue.pop(), Some("a1"));
        // A newcomer waits for one job of each other network, however many they have.
        queue.push("10.0.0.4".parse().unwrap(), "d1").unwrap();
        assert_eq!(drain(&mut queue), ["b1", "c1", "a2", "d1", "b2", "a3"]);
        assert!(queue.lanes.is_empty() && queue.turns.is_empty() && queue.length == 0);
    }

    #[test]
    fn a_network_fills_its_own_share_only() {
        let mut queue = queue(10, 2);
        queue.push(A, "a1").unwrap();
        queue.push(A, "a2").unwrap();
        assert_eq!(queue.push(A, "a3"), Err("a3"));
        queue.push(B, "b1").unwrap();
        assert_eq!(drain(&mut queue), ["a1", "b1", "a2"]);
        queue.push(A, "a4").unwrap();
    }

    #[test]
    fn a_newcomer_takes_a_place_of_the_busiest_network() {
        let mut queue = queue(3, 3);
        for job in ["a1", "a2", "a3"] {
            queue.push(A, job).unwrap();
        }
        assert_eq!(queue.push(B, "b1"), Err("a3"), "the last job of the busiest network loses its place");
        assert_eq!(queue.push(B, "b2"), Err("b2"), "taking another place would only reverse the roles");
        assert_eq!(queue.push(C, "c1"), Err("a2"));
        assert_eq!(queue.push("10.0.0.4".parse().unwrap(), "d1"), Err("d1"), "all have one job each");
        assert_eq!(drain(&mut queue), ["a1", "b1", "c1"]);
    }
}
