use proptest::prelude::*;

use super::*;

fn path(raw: &str) -> Result<String, PathError> {
    canonical(raw).map(|path| path.as_str().to_owned())
}

#[test]
fn ordinary_paths_are_borrowed_as_they_are() {
    for raw in [
        "/",
        "/a",
        "/a/",
        "/a/b/c",
        "/hello_world",
        "/A-z0.9_~",
        "/a.b/c..d/e...",
        "/.well-known/x",
        "/..a/.b/...c",
        "/a!$&'()*+,=:@b",
        "/[x]|y",
        "/a%20b",
        "/caf%C3%A9",
        "/caf%E9",
        "/100%25",
        "/%252e%252e/a",
        "/%252F",
        "/%20/a",
        "/%E0%A4%B9",
        "/%F0%9F%98%80",
        "/M%FCller",
        "/a./b",
        "/a%20",
    ] {
        let path = canonical(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        assert_eq!(path.as_str(), raw);
        assert!(!path.is_rewritten(), "{raw} was copied");
        assert!(!path.has_semicolon() && !path.has_encoded_slash(), "{raw} is flagged");
    }
}

#[test]
fn only_escapes_are_rewritten() {
    for (raw, want) in [
        ("/%61", "/a"),
        ("/%41%5a%7E%2d%5F", "/AZ~-_"),
        ("/a%2eb", "/a.b"),
        ("/%2ewell-known", "/.well-known"),
        ("/caf%c3%a9", "/caf%C3%A9"),
        ("/a%3a%3f", "/a%3A%3F"),
        // A path is decoded once.
        ("/%2561", "/%2561"),
        ("/%25%36%31", "/%2561"),
        ("/%252f%2561", "/%252f%2561"),
        // The case of letters is kept, except in escapes.
        ("/aB%2B%2b", "/aB%2B%2B"),
    ] {
        assert_eq!(path(raw), Ok(want.to_owned()), "{raw}");
    }
}

#[test]
fn flags_name_what_a_route_has_to_allow() {
    for (raw, semicolon, slash, reserved) in [
        ("/a;b", true, false, false),
        ("/a;jsessionid=1/b", true, false, false),
        ("/a%3bb", true, false, true),
        ("/a%2fb", false, true, false),
        ("/a%2F", false, true, false),
        ("/fetch/https:%2F%2Fexample.com", false, true, false),
        ("/a;x%2Fb", true, true, false),
        ("/items%3Abatch", false, false, true),
        ("/items:batch", false, false, false),
        ("/a%20b", false, false, false),
    ] {
        let path = canonical(raw).unwrap_or_else(|error| panic!("{raw}: {error}"));
        assert_eq!(
            (path.has_semicolon(), path.has_encoded_slash(), path.has_reserved_escape()),
            (semicolon, slash, reserved),
            "{raw}"
        );
    }
}

#[test]
fn delimiters_and_empty_segments_are_marked() {
    let both = Marks::ENCODED_DELIMITER | Marks::EMPTY_SEGMENT;
    for (raw, marks) in [
        ("/a%3fb", Marks::ENCODED_DELIMITER),
        ("/a%23", Marks::ENCODED_DELIMITER),
        ("/a//b", Marks::EMPTY_SEGMENT),
        ("/a//", Marks::EMPTY_SEGMENT),
        ("/a/%61//b", Marks::EMPTY_SEGMENT),
        ("/a//%3F", both),
        ("/a/", Marks::NONE),
        ("/a%253F", Marks::NONE),
    ] {
        assert_eq!(canonical(raw).map(|path| path.marks()), Ok(marks), "{raw}");
    }
}

#[test]
fn path_confusion_is_refused() {
    use PathError::*;
    for (raw, want) in [
        ("", NotAbsolute),
        ("*", NotAbsolute),
        ("a", NotAbsolute),
        ("example.com:443", NotAbsolute),
        ("%2Fa", NotAbsolute),
        // Dot segments in every spelling.
        ("/.", DotSegment),
        ("/..", DotSegment),
        ("/./a", DotSegment),
        ("/a/../b", DotSegment),
        ("/a/..", DotSegment),
        ("/a/./", DotSegment),
        ("/public/..%2fadmin", DotSegment),
        ("/public/%2e%2e/admin", DotSegment),
        ("/public/%2E./admin", DotSegment),
        ("/public/.%2e/admin", DotSegment),
        ("/public/%2e%2e%2fadmin", DotSegment),
        ("/public%2f..%2fadmin", DotSegment),
        ("/public%2F.", DotSegment),
        ("/public/..;/admin", DotSegment),
        ("/public/..;a=b/admin", DotSegment),
        ("/public/.;/admin", DotSegment),
        ("/public/%2e%2e;/admin", DotSegment),
        ("/public/..%3b/admin", DotSegment),
        ("/public/..%3Bx;y/admin", DotSegment),
        ("/public/..;x%2f../admin", DotSegment),
        ("/public/..%20/admin", DotSegment),
        ("/public/.%20/admin", DotSegment),
        ("/public/.%20./admin", DotSegment),
        ("/public/%20../admin", DotSegment),
        ("/public/.../admin", DotSegment),
        ("/public/...%20.;x/admin", DotSegment),
        // Empty segments.
        ("//", EmptySegment),
        ("//admin", EmptySegment),
        ("/;/admin", EmptySegment),
        ("/;x=1/admin", EmptySegment),
        ("/a/;x", EmptySegment),
        ("/%3bx/admin", EmptySegment),
        ("/a%2F;x/admin", EmptySegment),
        // Separators of other systems.
        ("/a\\b", Backslash),
        ("/public/..\\admin", Backslash),
        ("/a%5cb", Backslash),
        ("/public/..%5Cadmin", Backslash),
        // Escapes.
        ("/%", Escape),
        ("/%4", Escape),
        ("/%zz", Escape),
        ("/%4g", Escape),
        ("/%%34%31", Escape),
        ("/%u002e", Escape),
        ("/%+1", Escape),
        // Controls.
        ("/a%00", Control),
        ("/a%00.html", Control),
        ("/a%0d%0aSet-Cookie:x", Control),
        ("/a%0A", Control),
        ("/..%09/b", Control),
        ("/%1f", Control),
        ("/%7F", Control),
        // Overlong UTF-8.
        ("/%c0%af", Overlong),
        ("/%c0%ae%c0%ae/admin", Overlong),
        ("/%C1%9C", Overlong),
        ("/%c0%2f", Overlong),
        ("/%c0.", Overlong),
        ("/%e0%80%ae", Overlong),
        ("/%e0%80%af", Overlong),
        ("/%f0%80%80%af", Overlong),
        ("/%f8%80%80%80%af", Overlong),
        ("/%fc%80%80%80%80%af", Overlong),
        // Raw bytes that have no place in a path.
        ("/a b", Byte(b' ')),
        ("/a\tb", Byte(b'\t')),
        ("/a\r\nb", Byte(b'\r')),
        ("/a\0", Byte(0)),
        ("/a\x7f", Byte(0x7f)),
        ("/a#b", Byte(b'#')),
        ("/a?b", Byte(b'?')),
        ("/\"a\"", Byte(b'"')),
        ("/<a>", Byte(b'<')),
        ("/{a}", Byte(b'{')),
        ("/a^b", Byte(b'^')),
        ("/a`b", Byte(b'`')),
        ("/caf\u{e9}", Byte(0xc3)),
        ("/%61\u{ff0f}", Byte(0xef)),
    ] {
        assert_eq!(path(raw), Err(want), "{raw:?}");
    }
}

#[test]
fn the_text_for_the_client_repeats_nothing_of_the_path() {
    let error = canonical("/<script>").unwrap_err();
    assert!(!error.to_string().contains('<'));
}

/// Pieces that paths are attacked with.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "/", ".", "..", ";", "%2e", "%2E", "%2f", "%5c", "%20", "%25", "%3b", "%61", "%c3%a9", "%C0",
        "%AE", "a", "B", "x=1", ":", "%3A", "%", "\\", "%00", "é", " ",
    ]);
    prop::collection::vec(piece, 0..10).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// Everything a lenient server may do to a path before it looks for dot segments.
fn leniently_decoded(path: &str) -> String {
    let mut text = path.to_owned();
    for (escape, character) in [("%2e", "."), ("%2f", "/"), ("%3b", ";"), ("%20", " "), ("%5c", "/")] {
        text = text.replace(escape, character).replace(&escape.to_uppercase(), character);
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn canonical_is_idempotent(raw in hostile()) {
        if let Ok(first) = canonical(&raw) {
            let again = canonical(first.as_str());
            prop_assert!(matches!(&again, Ok(second) if second.as_str() == first.as_str() && !second.is_rewritten()));
            let second = again.unwrap();
            prop_assert_eq!(second.marks(), first.marks());
        }
    }

    #[test]
    fn no_reading_has_a_dot_segment(raw in hostile()) {
        if let Ok(path) = canonical(&raw) {
            for segment in leniently_decoded(path.as_str()).split('/') {
                let name = segment.split(';').next().unwrap_or_default();
                let name = name.trim_matches(' ').trim_end_matches(['.', ' ']);
                let dots = segment.split(';').next().unwrap_or_default().trim_matches(' ');
                prop_assert!(!(name.is_empty() && dots.starts_with('.')), "{} has {:?}", path.as_str(), segment);
            }
        }
    }

    #[test]
    fn any_text_is_answered(raw in "/[ -~é]{0,24}") {
        if let Ok(path) = canonical(&raw) {
            prop_assert!(path.as_str().is_ascii() && path.as_str().starts_with('/'));
            prop_assert!(!path.as_str().starts_with("//"));
            prop_assert_eq!(path.as_str().contains("//"), path.marks().has(Marks::EMPTY_SEGMENT));
            prop_assert!(path.as_str().matches('/').count() == raw.matches('/').count());
        }
    }
}
