//! The target of a request (RFC 9112 §3.2).

use std::ops::Range;

use http::Method;

use super::fault::RequestFault;
use crate::headers::Form;

/// The parts of a target, as positions in the buffer.
#[derive(Debug, Clone, Default)]
pub(super) struct Target {
    pub(super) form: Form,
    pub(super) authority: Range<usize>,
    pub(super) path: Range<usize>,
    pub(super) query: Option<Range<usize>>,
}

/// The bytes that do not occur in a plain target without a query.
pub(super) static SPECIAL: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0x80;
    while byte < 256 {
        table[byte] = true;
        byte += 1;
    }
    table[b' ' as usize] = true;
    table[b'#' as usize] = true;
    table[b'?' as usize] = true;
    table
};

/// Splits a target into its parts. `start` is its position in the buffer, and `special` the position of its
/// first [`SPECIAL`] byte. The path is only checked to be ASCII; other code validates it.
pub(super) fn parse_target(
    target: &[u8],
    special: Option<usize>,
    method: &Method,
    start: usize,
) -> Result<Target, RequestFault> {
    if special.is_none() && target.first() == Some(&b'/') && *method != Method::CONNECT {
        let path = start..start + target.len();
        return Ok(Target { form: Form::Origin, authority: 0..0, path, query: None });
    }
    if memchr::memchr(b'#', target).is_some() {
        return Err(RequestFault::Fragment);
    }
    let question = memchr::memchr(b'?', target);
    let before_query = question.unwrap_or(target.len());
    let mut parsed = Target {
        form: Form::Origin,
        authority: 0..0,
        path: start..start + before_query,
        query: question.map(|at| start + at + 1..start + target.len()),
    };
    let hierarchy = target.get(..before_query).unwrap_or_default();
    if !hierarchy.is_ascii() {
        return Err(RequestFault::PathByte);
    }
    if hierarchy.first() == Some(&b'/') && *method != Method::CONNECT {
        return Ok(parsed);
    }
    if *method == Method::CONNECT {
        parsed.form = Form::Authority;
        (parsed.authority, parsed.path) = (parsed.path, 0..0);
        return Ok(parsed);
    }
    if target == b"*" && *method == Method::OPTIONS {
        parsed.form = Form::Asterisk;
        return Ok(parsed);
    }
    let scheme_end = hierarchy.windows(3).position(|window| window == b"://").ok_or(RequestFault::Target)?;
    let scheme = hierarchy.get(..scheme_end).unwrap_or_default();
    parsed.form = if scheme.eq_ignore_ascii_case(b"http") {
        Form::Http
    } else if scheme.eq_ignore_ascii_case(b"https") {
        Form::Https
    } else {
        Form::OtherScheme
    };
    let authority = scheme_end + 3;
    let path = memchr::memchr(b'/', hierarchy.get(authority..).unwrap_or_default())
        .map_or(before_query, |at| authority + at);
    parsed.authority = start + authority..start + path;
    parsed.path = start + path..start + before_query;
    Ok(parsed)
}
