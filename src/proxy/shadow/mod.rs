//! Routes in shadow mode: the token is judged as on an enforced route, and the request is forwarded whatever
//! the verdict.

pub(crate) mod access;
pub(super) mod waive;
