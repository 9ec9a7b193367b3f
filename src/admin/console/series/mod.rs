//! What the traffic was like lately: per second for five minutes, per ten seconds for an hour, per five minutes for a day.
//!
//! A task of the listener's thread reads the counters once a second and keeps what was added. The memory is bounded: the
//! busiest routes have series of their own, the others do not.

mod ring;
mod store;

pub(crate) use self::ring::{Point, Span};
pub(crate) use self::store::SeriesStore;
