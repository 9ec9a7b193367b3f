//! HTTP/2: requests as frames, and what only HTTP/2 can express.

mod bodies;
mod exchange;
pub(super) mod frames;
pub(super) mod head;
mod heads;
mod sizes;

use super::attack::Suite;
use super::message::Request;
use crate::config::Limits;

pub(super) use self::exchange::exchange;
pub(super) use self::frames::PREFACE;

/// Adds the attacks that differ from those over HTTP/1.1.
pub(super) fn attacks(request: &Request<'_>, limits: &Limits, suite: &mut Suite) {
    heads::pseudo_headers(request, suite);
    heads::fields(request, suite);
    bodies::lengths(request, suite);
    bodies::frames(request, suite);
    sizes::compressed(request, limits, suite);
}
