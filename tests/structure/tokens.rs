//! Rust source as tokens, with their lines: comments, numbers and lifetimes are left out.

/// One token of a source file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    /// The word, the mark, or what a string literal holds between its quotes.
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Word,
    /// One character of punctuation, or `::`.
    Mark,
    Literal,
}

impl Token<'_> {
    pub(crate) fn is(&self, mark: &str) -> bool {
        self.kind == Kind::Mark && self.text == mark
    }

    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == Kind::Word && self.text == word
    }
}

/// Splits a file that the compiler accepts. For any other file, the result means nothing.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let (mut at, mut line, mut counted) = (0, 1, 0);
    while let Some(first) = source[at..].chars().next() {
        line += source[counted..at].matches('\n').count();
        counted = at;
        let rest = &source[at..];
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some((skipped, text, length)) = string(rest) {
            found.push(Token { kind: Kind::Literal, text: &rest[skipped..skipped + text], line });
            length
        } else if first == '\'' {
            quote(rest)
        } else if first.is_alphabetic() || first == '_' {
            let raw = if rest.starts_with("r#") { 2 } else { 0 };
            let length = raw + word(&rest[raw..]);
            found.push(Token { kind: Kind::Word, text: &rest[raw..length], line });
            length
        } else if first.is_ascii_digit() {
            word(rest)
        } else if first.is_whitespace() {
            first.len_utf8()
        } else {
            let length = if rest.starts_with("::") { 2 } else { first.len_utf8() };
            found.push(Token { kind: Kind::Mark, text: &rest[..length], line });
            length
        };
        at += length;
    }
    found
}

fn word(rest: &str) -> usize {
    rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
}

/// The length of a block comment. They nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let (change, length) = match &rest.as_bytes()[at..] {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        depth += change;
        at += length;
        if depth == 0 {
            break;
        }
    }
    at
}

/// Where the text of a string literal begins, how long it is, and how long the literal is.
fn string(rest: &str) -> Option<(usize, usize, usize)> {
    let prefix = rest.find(|c: char| !matches!(c, 'b' | 'c' | 'r'))?;
    if prefix > 2 {
        return None;
    }
    let hashes = rest[prefix..].len() - rest[prefix..].trim_start_matches('#').len();
    let raw = rest[..prefix].ends_with('r');
    let start = prefix + hashes + 1;
    if rest.as_bytes().get(start - 1) != Some(&b'"') || (hashes > 0 && !raw) {
        return None;
    }
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        let text = rest[start..].find(&end).unwrap_or(rest.len() - start);
        return Some((start, text, (start + text + end.len()).min(rest.len())));
    }
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(start) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some((start, at - start, at + 1)),
            _ => {}
        }
    }
    Some((start, rest.len() - start, rest.len()))
}

/// The length of a character literal or of a lifetime.
fn quote(rest: &str) -> usize {
    let mut after = rest[1..].char_indices();
    match (after.next(), after.next()) {
        // An escape: the character after the backslash may itself be a quote.
        (Some((_, '\\')), Some((at, escaped))) => {
            let from = 1 + at + escaped.len_utf8();
            from + rest[from..].find('\'').map_or(rest.len() - from, |end| end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 2,
        _ => 1 + word(&rest[1..]),
    }
}
