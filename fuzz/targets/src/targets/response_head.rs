//! Response heads of any bytes. What httparse reads leniently and we accept is read alike, framed as RFC 9112
//! §6.3 says, and goes on in lines that a strict parser reads alike. The differences are in the list below.

use tollgate::fuzzing::{Framed, ResponseRead, request_head, response_head};

/// What httparse accepts and we refuse.
fn is_deliberate(fault: &str, wire: &[u8], status: u16) -> bool {
    match fault {
        // httparse takes statuses below 100 and empty lines before the head; this also covers what it takes
        // for a reason phrase although RFC 9112 §4 has it not.
        "NotHttp" => {
            status < 100
                || wire.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n'))
                || wire.split(|byte| *byte == b'\n').next().is_some_and(|line| {
                    line.iter().any(|byte| byte.is_ascii_control())
                        || line.get(8) != Some(&b' ')
                        || line.get(9) == Some(&b' ')
                })
        }
        // A line that folds with nothing before it, or a fold in the last line's place.
        "Field" => wire.split(|byte| *byte == b'\n').any(|line| matches!(line.first(), Some(b' ' | b'\t'))),
        "TooManyFields" | "TooLarge" => true,
        _ => false,
    }
}

/// A value without its folds.
fn unfolded(value: &[u8]) -> Vec<u8> {
    let lines =
        value.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line).trim_ascii());
    let lines: Vec<&[u8]> = lines.filter(|line| !line.is_empty()).collect();
    lines.join(&b' ')
}

/// The value in one line, blanks counted as one: how wide a fold becomes is not what is compared here.
fn words(value: &[u8]) -> Vec<u8> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let words: Vec<&[u8]> = value.split(blank).filter(|word| !word.is_empty()).collect();
    words.join(&b' ')
}

/// RFC 9112 §6.3 from the lines, as plain as can be. `None`: in doubt.
fn framed(read: &ResponseRead, head: bool) -> Option<Framed> {
    let all = |wanted: &str| -> Vec<Vec<u8>> {
        let same = |(name, _): &&(Vec<u8>, Vec<u8>)| name.eq_ignore_ascii_case(wanted.as_bytes());
        read.lines.iter().filter(same).map(|(_, value)| unfolded(value)).collect()
    };
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    let mut numbers = Vec::new();
    for value in lengths.iter().flat_map(|value| value.split(|byte| *byte == b',')) {
        let value = value.trim_ascii();
        if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
            return None;
        }
        numbers.push(std::str::from_utf8(value).ok()?.parse::<u64>().ok()?);
    }
    if numbers.windows(2).any(|two| two[0] != two[1]) || !numbers.is_empty() && !codings.is_empty() {
        return None;
    }
    let body = match (&*codings, numbers.first()) {
        ([coding], _) if coding.eq_ignore_ascii_case(b"chunked") && read.minor == 1 => Framed::Chunked,
        ([], Some(length)) => Framed::Length(*length),
        ([], None) => Framed::ToTheEnd,
        _ => return None,
    };
    let bodiless = head || matches!(read.status, 100..200 | 204 | 304);
    Some(if bodiless { Framed::None } else { body })
}

fn check(wire: &[u8], head: bool, upgrade: bool) {
    let ours = response_head(wire, head, upgrade);
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut theirs = httparse::Response::new(&mut fields);
    let mut config = httparse::ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(true);
    config.allow_obsolete_multiline_headers_in_responses(true);
    let parsed = config.parse_response(&mut theirs, wire);
    match (&ours, parsed) {
        (Ok(Some(read)), Ok(httparse::Status::Complete(size))) => {
            assert_eq!((read.size, Some(read.status), Some(read.minor)), (size, theirs.code, theirs.version));
            let reason = theirs.reason.expect("a reason phrase").as_bytes();
            assert!(reason.is_empty() || read.reason == reason);
            let plain = |name: &[u8], value: &[u8]| (name.to_vec(), words(value));
            let expected: Vec<_> =
                theirs.headers.iter().map(|line| plain(line.name.as_bytes(), line.value)).collect();
            let lines: Vec<_> = read.lines.iter().map(|(name, value)| plain(name, value)).collect();
            assert_eq!(lines, expected);
        }
        (Err(fault), Ok(httparse::Status::Complete(_))) => {
            assert!(is_deliberate(fault, wire, theirs.code.unwrap_or_default()), "{fault}");
        }
        (Ok(None), Ok(httparse::Status::Complete(_))) => {
            panic!("a whole head is not taken for one");
        }
        (Ok(Some(_)), Ok(httparse::Status::Partial)) => panic!("a head is taken for whole before httparse"),
        _ => {}
    }
    let Ok(Some(read)) = ours else { return };
    // What goes on is read alike by the strict parser.
    let again =
        request_head(&[b"GET / HTTP/1.1\r\n", &*read.written, b"\r\n"].concat()).expect("well-formed lines");
    let again = again.expect("a whole head").lines;
    let plain = |lines: &[(Vec<u8>, Vec<u8>)]| -> Vec<_> {
        lines.iter().map(|(name, value)| (name.clone(), words(value))).collect()
    };
    assert_eq!(plain(&again), plain(&read.lines));
    match &read.facts {
        Ok((framing, persistent)) => {
            assert_eq!(Some(*framing), framed(&read, head));
            assert!(!(*persistent && *framing == Framed::ToTheEnd));
            assert!(read.status != 101 || upgrade);
        }
        Err(fault) => {
            assert!(
                framed(&read, false).is_none() || fault == "UnaskedUpgrade" && read.status == 101 && !upgrade
            );
        }
    }
}

/// Tries one input.
pub fn run(input: (bool, bool, Vec<u16>, &[u8])) {
    let (head, upgrade, cuts, bytes) = input;
    for wire in [bytes.to_vec(), [b"HTTP/1.1 200 OK\r\n", bytes].concat()] {
        check(&wire, head, upgrade);
        let whole = response_head(&wire, head, upgrade);
        for cut in cuts.iter().map(|cut| usize::from(*cut) % (wire.len() + 1)) {
            match (response_head(&wire[..cut], head, upgrade), &whole) {
                (Ok(None), Ok(Some(read))) => assert!(cut < read.size),
                (Ok(None), _) => {}
                (part, whole) => assert_eq!(&part, whole),
            }
        }
    }
}
