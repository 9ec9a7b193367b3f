//! Comparing what a document shows with what a command printed.

/// Returns whether `printed` has the lines of `shown`. `…` matches any text, and as the last line any lines.
pub(super) fn is_shown(shown: &str, printed: &str) -> bool {
    let trimmed =
        |text: &str| text.trim_end().lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>();
    let (mut shown, mut printed) = (trimmed(shown), trimmed(printed));
    if shown.last().is_some_and(|line| line == "…") {
        shown.pop();
        printed.truncate(shown.len());
    }
    shown.len() == printed.len() && shown.iter().zip(&printed).all(|(shown, printed)| is_line(shown, printed))
}

fn is_line(shown: &str, mut printed: &str) -> bool {
    let mut parts = shown.split('…');
    let first = parts.next().unwrap_or("");
    let Some(rest) = printed.strip_prefix(first) else { return false };
    printed = rest;
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return printed.is_empty() };
    for part in middle {
        let Some((_, rest)) = printed.split_once(part) else { return false };
        printed = rest;
    }
    printed.len() >= last.len() && printed.ends_with(last)
}

#[test]
fn shown_lines_match_only_what_they_say() {
    for (shown, printed) in
        [("a", "a"), ("a…", "ab"), ("…b", "ab"), ("a…c…e", "abcde"), ("…", ""), ("a…a", "aa")]
    {
        assert!(is_line(shown, printed), "{shown} {printed}");
    }
    for (shown, printed) in [("a", "ab"), ("a…c", "abcd"), ("a…a", "a"), ("a…x…e", "abcde"), ("", "a")]
    {
        assert!(!is_line(shown, printed), "{shown} {printed}");
    }
    assert!(is_shown("a\n\nb", "a \r\n\r\nb\n") && !is_shown("a\nb", "a"));
}
