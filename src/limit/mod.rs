//! Bounds on traffic: how many requests in a period ([`rate`]), and how many at the same time ([`concurrency`]).

pub(crate) mod concurrency;
pub(crate) mod rate;
