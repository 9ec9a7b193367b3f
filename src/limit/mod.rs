//! Limits on traffic: requests per period ([`rate`], [`by_address`]) and requests at the same time
//! ([`concurrency`]).

pub(crate) mod by_address;
pub(crate) mod concurrency;
pub(crate) mod exchange;
pub(crate) mod rate;
pub(crate) mod state;
