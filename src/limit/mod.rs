//! Limits on traffic: requests per period ([`rate`], [`by_address`], [`by_registered`]) and requests at the
//! same time ([`concurrency`]).

mod buckets;
pub(crate) mod by_address;
pub(crate) mod by_registered;
pub(crate) mod concurrency;
pub(crate) mod exchange;
pub(crate) mod rate;
pub(crate) mod state;
