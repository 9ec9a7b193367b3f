//! The headers of a message: what they mean to a gateway and what crosses it. Pure.

pub(crate) mod identity;
