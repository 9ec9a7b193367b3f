use super::PatternError as E;
use super::*;

#[test]
fn good_patterns_keep_their_text_and_have_a_shape() {
    let long = (0..Pattern::MAX_SEGMENTS).map(|at| format!("/{{x{at}}}")).collect::<String>();
    for (text, shape) in [
        ("/", "/"),
        ("/hello_world", "/hello_world"),
        ("/users/{id}/orders/{order-1_a}", "/users/{}/orders/{}"),
        ("/name/{name}", "/name/{}"),
        ("/a/", "/a/"),
        ("/a/{x}/", "/a/{}/"),
        ("/a%20b%C3%A9", "/a%20b%C3%A9"),
        ("/caf%E9", "/caf%E9"),
        ("/..a/a..", "/..a/a.."),
        ("/a;b", "/a;b"),
        ("/a%2Fb", "/a%2Fb"),
        ("/a+b:c@d[e]|f", "/a+b:c@d[e]|f"),
        (&long, &"/{}".repeat(Pattern::MAX_SEGMENTS)),
    ] {
        let pattern = Pattern::path(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!((pattern.as_str(), pattern.shape().as_str()), (text, shape));
        assert_eq!(pattern.has_names(), shape.contains("{}"));
        if text == "/" || !text.ends_with('/') {
            assert_eq!(Pattern::prefix(text).map(|prefix| prefix.shape()), Ok(shape.to_owned()), "{text}");
        }
    }
}

#[test]
fn bad_patterns_are_refused_as_a_path_and_as_a_prefix() {
    let rewrite = |written: &str, canonical: &str| E::NotCanonical {
        written: written.to_owned(),
        canonical: canonical.to_owned(),
    };
    let (deep, long) =
        ("/a".repeat(Pattern::MAX_SEGMENTS + 1), format!("/{}", "a".repeat(Pattern::MAX_LENGTH)));
    for (text, error) in [
        ("", E::NoLeadingSlash),
        ("a", E::NoLeadingSlash),
        ("{a}", E::NoLeadingSlash),
        ("//", E::EmptySegment),
        ("/a//b", E::EmptySegment),
        ("/;x/b", E::EmptySegment),
        ("/a/./b", E::DotSegment),
        ("/a/..", E::DotSegment),
        ("/a/..%20", E::DotSegment),
        ("/...", E::DotSegment),
        ("/%2e%2e", E::DotSegment),
        ("/..;v=1", E::DotSegment),
        ("/..%2Fa", E::DotSegment),
        ("/a?b", E::QueryOrFragment),
        ("/a#b", E::QueryOrFragment),
        ("/a b", E::Character(' ')),
        ("/é", E::Character('é')),
        ("/a\"b", E::Character('"')),
        ("/a^", E::Character('^')),
        ("/a\\b", E::Backslash),
        ("/%5C", E::Backslash),
        ("/a\tb", E::Control),
        ("/%00", E::Control),
        ("/%0D", E::Control),
        ("/%C0%AF", E::Overlong),
        ("/%4", E::BrokenEscape),
        ("/%zz", E::BrokenEscape),
        ("/%é", E::BrokenEscape),
        ("/%41", rewrite("%41", "A")),
        ("/%c3%A9", rewrite("%c3", "%C3")),
        ("/%2f", rewrite("%2f", "%2F")),
        ("/items%3adelete", rewrite("%3a", ":")),
        ("/%20%40", rewrite("%40", "@")),
        ("/a%3Bb", rewrite("%3B", ";")),
        ("/a{id}", E::Brace),
        ("/{a}b", E::Brace),
        ("/{id", E::Brace),
        ("/{{a}}", E::Brace),
        ("/{}", E::Brace),
        ("/{a}/{a}", E::RepeatedName("a".to_owned())),
        (&deep, E::TooManySegments),
        (&long, E::TooLong),
    ] {
        assert_eq!(Pattern::path(text), Err(error.clone()), "{text}");
        assert_eq!(Pattern::prefix(text), Err(error), "{text}");
    }
    assert_eq!(Pattern::prefix("/orders/"), Err(E::TrailingSlash("/orders".to_owned())));
}

#[test]
fn a_route_must_allow_what_its_own_pattern_contains() {
    let check = |text: &str, allowed| Pattern::path(text).unwrap().check_allowed(allowed);
    let all = Marks::SEMICOLON | Marks::ENCODED_SLASH | Marks::ENCODED_DELIMITER;
    assert_eq!(check("/a;v=1/b", Marks::ENCODED_SLASH), Err(E::Semicolon));
    assert_eq!(check("/a%2Fb", Marks::SEMICOLON), Err(E::EncodedSlash));
    assert_eq!(check("/a%3Fb", Marks::SEMICOLON), Err(E::EncodedDelimiter));
    assert_eq!(check("/a%23b", Marks::NONE), Err(E::EncodedDelimiter));
    assert_eq!(check("/a;v=1/%2F/%3F", all), Ok(()));
    assert_eq!(check("/a", Marks::NONE), Ok(()));
}

#[test]
fn a_pattern_of_an_upstream_that_ignores_case_is_unambiguous() {
    let check = |text: &str| Pattern::path(text).unwrap().check_folded();
    assert_eq!(check("/admin./x"), Err(E::TrailingDot));
    assert_eq!(check("/admin%20"), Err(E::TrailingDot));
    assert_eq!(check("/%C3%89tat"), Err(E::NonAscii));
    assert_eq!(check("/a.b/{name}/c%20d"), Ok(()));
}

/// A pattern without names is matched by the path that it spells: the grammar and the canonical path agree.
#[test]
fn a_pattern_without_names_is_its_own_canonical_path() {
    for text in ["/", "/a", "/a%20b", "/a;b", "/a%2Fb", "/x:y@z"] {
        assert!(Pattern::path(text).is_ok());
        assert_eq!(canonical(text).map(|path| path.as_str().to_owned()), Ok(text.to_owned()));
    }
}
