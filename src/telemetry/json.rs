//! Members of a JSON object on one line of a log, escaped so that no value can forge a member or a line.

use std::cell::Cell;
use std::io::Write as _;
use std::time::Duration;

use crate::utc;

/// The prefix of access tokens, and how many characters must follow for a text to be treated as a token.
const TOKEN: &str = "tg_";
const TOKEN_LENGTH: usize = 32;

/// The maximum number of characters of a name that is escaped once.
const LONGEST_NAME: usize = 1_024;

/// The length of a time without its fraction: `2026-11-23T08:30:00`.
const SECOND: usize = 19;

thread_local! {
    /// The last second that was formatted, and its text.
    static LAST_SECOND: Cell<(u64, [u8; SECOND])> = const { Cell::new((u64::MAX, [0; SECOND])) };
}

/// A text as it stands in a member, with the quotation mark behind it. It is escaped once, for names that many
/// lines have.
#[derive(Debug)]
pub(crate) struct Escaped(Box<[u8]>);

impl Escaped {
    /// Escapes a name, as [`text`] does.
    pub(crate) fn new(name: &str) -> Self {
        let mut out = Vec::new();
        text(&mut out, b"", Some(name.as_bytes()), LONGEST_NAME);
        Self(out.into())
    }
}

/// Writes a value that was escaped before, behind the text that begins its member.
#[inline(always)]
pub(super) fn ready(out: &mut Vec<u8>, beginning: &[u8], value: Option<&Escaped>) {
    let Some(value) = value else { return };
    out.extend_from_slice(beginning);
    out.extend_from_slice(&value.0);
}

/// Writes a time in UTC, to the millisecond, behind the text that begins its member.
pub(super) fn timestamp(out: &mut Vec<u8>, beginning: &[u8], since: Duration) {
    out.extend_from_slice(beginning);
    let (second, text) = LAST_SECOND.get();
    let text = if second == since.as_secs() { text } else { format_second(since.as_secs()) };
    out.extend_from_slice(&text);
    fraction(out, since.subsec_millis());
    out.extend_from_slice(b"Z\"");
}

/// Formats a second, and keeps it for the lines that follow.
#[cold]
fn format_second(second: u64) -> [u8; SECOND] {
    let text = utc::from_unix(second).to_string();
    let text = text.as_bytes().first_chunk().copied().unwrap_or([b'0'; SECOND]);
    LAST_SECOND.set((second, text));
    text
}

/// Writes a number behind the text that begins its member. The formatting of the standard library costs a
/// request five times as much.
#[inline(always)]
pub(super) fn number(out: &mut Vec<u8>, beginning: &[u8], number: u64) {
    out.extend_from_slice(beginning);
    match u8::try_from(number) {
        Ok(digit @ 0..10) => out.push(b'0' + digit),
        _ => long_number(out, number),
    }
}

#[inline(never)]
fn long_number(out: &mut Vec<u8>, mut number: u64) {
    let digit = |value: u64| b'0' + (value % 10) as u8;
    let at = |place: u64| digit(number / place);
    // Nearly all numbers of a line are short: statuses, ports, sizes and durations.
    match number {
        0..100 => return out.extend_from_slice(&[at(10), at(1)]),
        100..1_000 => return out.extend_from_slice(&[at(100), at(10), at(1)]),
        1_000..10_000 => return out.extend_from_slice(&[at(1_000), at(100), at(10), at(1)]),
        10_000..100_000 => {
            return out.extend_from_slice(&[at(10_000), at(1_000), at(100), at(10), at(1)]);
        }
        _ => {}
    }
    // u64::MAX has 20 digits.
    let mut digits = [b'0'; 20];
    let mut length = 0;
    for place in digits.iter_mut().rev() {
        *place = digit(number);
        number /= 10;
        length += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(digits.len() - length..).unwrap_or_default());
}

/// Writes a point and three digits.
#[inline]
pub(super) fn fraction(out: &mut Vec<u8>, thousandths: u32) {
    let digit = |value: u32| b'0' + (value % 10) as u8;
    out.extend_from_slice(&[b'.', digit(thousandths / 100), digit(thousandths / 10), digit(thousandths)]);
}

/// Writes a value that needs no escaping behind the text that begins its member.
#[inline(always)]
pub(super) fn plain(out: &mut Vec<u8>, beginning: &[u8], value: Option<&[u8]>) {
    let Some(value) = value else { return };
    debug_assert!(is_plain(value), "{} needs escaping", value.escape_ascii());
    out.extend_from_slice(beginning);
    out.extend_from_slice(value);
    out.push(b'"');
}

/// Writes a value behind the text that begins its member: at most `longest` characters, as visible ASCII.
/// What looks like an access token is shortened, because some clients send tokens where they do not belong.
#[inline(always)]
pub(super) fn text(out: &mut Vec<u8>, beginning: &[u8], value: Option<&[u8]>, longest: usize) {
    let Some(value) = value else { return };
    // The beginning is a constant: inlined, it is a few stores and no call.
    out.extend_from_slice(beginning);
    if value.len() <= longest && is_plain(value) {
        out.extend_from_slice(value);
        out.push(b'"');
    } else {
        escaped(out, value, longest);
    }
}

#[cold]
fn escaped(out: &mut Vec<u8>, value: &[u8], longest: usize) {
    let value = String::from_utf8_lossy(value);
    let (mut rest, mut left) = (&*value, longest);
    while let Some(character) = rest.chars().next() {
        if left == 0 {
            out.extend_from_slice(b"\\u2026");
            break;
        }
        left -= 1;
        if let Some(behind) = rest.strip_prefix(TOKEN) {
            let length = behind.bytes().take_while(|byte| is_base64url(*byte)).count();
            if length >= TOKEN_LENGTH {
                out.extend_from_slice(b"tg_\\u2026");
                rest = behind.get(length..).unwrap_or_default();
                continue;
            }
        }
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            ' '..='~' => out.push(character as u8),
            // Control characters, and characters that change the direction of text in a terminal.
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
        rest = rest.get(character.len_utf8()..).unwrap_or_default();
    }
    out.push(b'"');
}

/// Returns a text with what looks like an access token shortened, as [`text`] does.
pub(super) fn without_tokens(text: &str) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once(TOKEN) {
        out.push_str(before);
        out.push_str(TOKEN);
        let length = behind.bytes().take_while(|byte| is_base64url(*byte)).count();
        rest = behind;
        if length >= TOKEN_LENGTH {
            out.push('…');
            rest = behind.get(length..).unwrap_or_default();
        }
    }
    out + rest
}

/// Returns whether a text needs no escaping, like nearly all: visible ASCII without a quote, a backslash or a
/// token.
#[inline]
fn is_plain(bytes: &[u8]) -> bool {
    let marks = match (bytes.first_chunk(), bytes.last_chunk()) {
        // Two words, which have some bytes twice.
        (Some(first), Some(last)) if bytes.len() <= 16 => marks(*first) | marks(*last),
        (Some(_), Some(last)) => {
            bytes.as_chunks().0.iter().fold(marks(*last), |all, word| all | marks(*word))
        }
        _ => marks(padded(bytes)),
    };
    marks == 0
        && (bytes.len() < TOKEN.len() + TOKEN_LENGTH
            || memchr::memmem::find(bytes, TOKEN.as_bytes()).is_none())
}

/// Sets the high bit of each byte that needs escaping. Without its high bit, no byte borrows from the next one.
#[inline]
fn marks(word: [u8; 8]) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES * 0x80;
    let word = u64::from_le_bytes(word);
    let ascii = word & !HIGH;
    let equals = |byte: u8| HIGH - (ascii ^ (ONES * u64::from(byte)));
    let visible = (ascii | HIGH) - ONES * 0x20;
    (word | !visible | equals(b'"') | equals(b'\\') | equals(0x7f)) & HIGH
}

/// Returns a word with at most seven bytes, some of them twice, and spaces.
#[inline]
fn padded(bytes: &[u8]) -> [u8; 8] {
    let at = |place: usize| bytes.get(place).copied().unwrap_or(b' ');
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some([a, b, c, d]), Some([e, f, g, h])) => [*a, *b, *c, *d, *e, *f, *g, *h],
        _ => [at(0), at(1), at(2), b' ', b' ', b' ', b' ', b' '],
    }
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn written(value: &str, longest: usize) -> (String, Value) {
        let mut out = b"{\"a\":1".to_vec();
        text(&mut out, b",\"b\":\"", Some(value.as_bytes()), longest);
        out.push(b'}');
        let text = String::from_utf8(out).unwrap();
        let value = serde_json::from_str::<Value>(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
        (text, value["b"].clone())
    }

    #[test]
    fn no_text_leaves_its_string_or_its_line() {
        for value in
            ["plain", "\"},{\"x\":\"", "\\", "\\\"", "a\nb\r\0\u{1b}[31m\u{7f}", "é\u{202e}\u{85}😀", ""]
        {
            let (text, read) = written(value, 100);
            assert_eq!(read, *value);
            assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{text}");
        }
    }

    #[test]
    fn every_byte_that_needs_escaping_is_seen_at_every_place() {
        for byte in 0..=0x7f_u8 {
            for place in 0..35 {
                let mut bytes = [b'a'; 35];
                bytes[place] = byte;
                let plain = matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\');
                for length in place + 1..=bytes.len() {
                    assert_eq!(is_plain(&bytes[..length]), plain, "{byte:#x} at {place} of {length}");
                }
            }
        }
        assert!(!is_plain("é".as_bytes()) && !is_plain("aaaaaaaé".as_bytes()) && is_plain(b""));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(written("abcdef", 6).1, "abcdef");
        assert_eq!(written("abcdef", 5).1, "abcde…");
        assert_eq!(written("éééé", 3).1, "ééé…");
    }

    #[test]
    fn a_token_is_never_written() {
        let token = format!("tg_{}", "aB-_9".repeat(10));
        for (value, shown) in [
            (format!("/x/{token}"), "/x/tg_…"),
            (format!("{token}/y"), "tg_…/y"),
            (format!("tg_tg_{token}"), "tg_…"),
            ("/tg_short/tg_".to_owned(), "/tg_short/tg_"),
        ] {
            assert_eq!(written(&value, 1_000).1, shown, "{value}");
            assert_eq!(without_tokens(&value), shown, "{value}");
        }
        // A token that the length limit cuts off is not written either.
        assert_eq!(written(&format!("abc{token}"), 5).1, "abctg_…");
    }
}
