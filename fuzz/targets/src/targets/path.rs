//! A path of any text: canonical is one spelling, and no server reads a canonical path as another one.

use crate::readers::percent_decoded;
use http::uri::PathAndQuery;
use tollgate::fuzzing::{Marks, canonical};

/// Whether a server that drops parameters and what Windows drops finds a segment to walk up by.
fn climbs(path: &[u8]) -> bool {
    path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        name.contains(&b'.') && name.iter().all(|byte| matches!(byte, b'.' | b' '))
    })
}

fn count(bytes: &[u8], byte: u8) -> usize {
    bytes.iter().filter(|other| **other == byte).count()
}

/// Tries one input.
pub fn run(raw: &str) {
    let Ok(path) = canonical(raw) else {
        let plain = raw.split('/').skip(1).all(|segment| {
            !segment.is_empty() && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        });
        assert!(!(raw.starts_with('/') && plain), "a plain path is refused");
        return;
    };
    let text = path.as_str();
    let again = canonical(text).expect("what is canonical is accepted");
    assert_eq!(again.as_str(), text);
    let flags = [path.has_semicolon(), path.has_encoded_slash(), path.has_reserved_escape()];
    assert_eq!(flags, [again.has_semicolon(), again.has_encoded_slash(), again.has_reserved_escape()]);

    // Only the spelling changed, and the target holds together on the wire.
    let decoded = percent_decoded(text.as_bytes()).expect("escapes are well-formed");
    assert_eq!(percent_decoded(raw.as_bytes()).as_ref(), Some(&decoded));
    let target = PathAndQuery::try_from(text).expect("a target");
    assert!(target.path() == text && target.query().is_none());
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'\\')));

    assert!(!decoded.iter().any(|byte| matches!(byte, 0..0x20 | 0x7f | b'\\')));
    assert!(!climbs(&decoded) && !climbs(text.as_bytes()));
    // Cut first, then decoded.
    let cut: Vec<&str> =
        text.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect();
    assert!(!climbs(&percent_decoded(cut.join("/").as_bytes()).expect("escapes")));
    assert_eq!(path.marks().has(Marks::EMPTY_SEGMENT), text.contains("//"));
    assert_eq!(path.has_encoded_slash(), count(&decoded, b'/') > count(text.as_bytes(), b'/'));
    assert_eq!(path.has_semicolon(), decoded.contains(&b';'));
}
