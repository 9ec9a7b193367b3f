//! Limits on traffic: requests per period ([`rate`]) and requests at the same time ([`concurrency`]).

pub(crate) mod concurrency;
pub(crate) mod exchange;
pub(crate) mod rate;
