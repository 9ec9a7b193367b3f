//! Routes in shadow mode: the token is judged as on an enforced route, and the request is forwarded even if an
//! enforced route would refuse it.

pub(crate) mod access;
pub(super) mod waive;
