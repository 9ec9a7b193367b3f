//! Recent traffic: per second for five minutes, per ten seconds for an hour, per five minutes for a day.
//!
//! A task on the listener's thread reads the counters once a second and stores the increments. Memory is
//! bounded: only the busiest routes have a separate series.

mod ring;
mod store;

pub(crate) use self::ring::{Point, Span};
pub(crate) use self::store::SeriesStore;
