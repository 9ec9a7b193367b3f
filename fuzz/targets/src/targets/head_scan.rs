//! Request heads of any bytes: the scan agrees with hyper's parser on where they end and what is in them, however
//! they are cut.

use crate::readers::pieces;
use tollgate::fuzzing::head_verdicts;

/// The verdicts up to where the parser cannot follow, which is what hyper would refuse or another layer reads.
fn reference(mut bytes: &[u8]) -> Vec<bool> {
    let mut verdicts = Vec::new();
    loop {
        let mut fields = [httparse::EMPTY_HEADER; 100];
        let mut request = httparse::Request::new(&mut fields);
        let Ok(httparse::Status::Complete(size)) = request.parse(bytes) else { return verdicts };
        let values = |name: &str| -> Vec<&[u8]> {
            let same = |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
            request.headers.iter().filter(same).map(|field| field.value).collect()
        };
        let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
        let fragment = [request.method, request.path].into_iter().flatten().any(|text| text.contains('#'));
        verdicts.push(fragment || !lengths.is_empty() && !codings.is_empty());
        let digits = |value: &[u8]| !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = match lengths.first() {
            None => 0,
            Some(first) if digits(first) && lengths.iter().all(|value| value == first) => {
                let Ok(length) = std::str::from_utf8(first).unwrap().parse::<usize>() else {
                    return verdicts;
                };
                length
            }
            Some(_) => return verdicts,
        };
        if !values("upgrade").is_empty() {
            return verdicts;
        }
        let behind = match &*codings {
            [] => bytes[size..].get(length..),
            [coding] if lengths.is_empty() && coding.eq_ignore_ascii_case(b"chunked") => {
                behind_chunks(&bytes[size..])
            }
            _ => None,
        };
        let Some(behind) = behind else { return verdicts };
        bytes = behind;
    }
}

/// What is behind a chunked body that hyper would read.
fn behind_chunks(mut bytes: &[u8]) -> Option<&[u8]> {
    let line = |bytes: &[u8]| {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let line = bytes[..end].strip_suffix(b"\r")?;
        (!line.contains(&b'\r')).then_some(line.len())
    };
    loop {
        let size_line = &bytes[..line(bytes)?];
        let digits = size_line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let rest = size_line[digits..].trim_ascii_start();
        let blanks = &size_line[digits..size_line.len() - rest.len()];
        if !matches!(rest.first(), None | Some(b';'))
            || blanks.iter().any(|byte| !matches!(byte, b' ' | b'\t'))
        {
            return None;
        }
        let size = usize::from_str_radix(std::str::from_utf8(&size_line[..digits]).ok()?, 16).ok()?;
        bytes = &bytes[size_line.len() + 2..];
        if size == 0 {
            break;
        }
        if bytes.get(size..size.checked_add(2)?)? != b"\r\n" {
            return None;
        }
        bytes = &bytes[size + 2..];
    }
    loop {
        let trailer = line(bytes)?;
        bytes = &bytes[trailer + 2..];
        if trailer == 0 {
            return Some(bytes);
        }
    }
}

/// Tries one input.
pub fn run(input: (Vec<u8>, &[u8])) {
    let (sizes, bytes) = input;
    const CHUNKED: &[u8] = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    for wire in [bytes.to_vec(), [b"POST / HTTP/1.1\r\n", bytes].concat(), [CHUNKED, bytes].concat()] {
        let (verdicts, lost) = head_verdicts([&*wire]);
        assert_eq!(head_verdicts(pieces(&wire, &sizes)), (verdicts.clone(), lost));
        let expected = reference(&wire);
        assert_eq!(verdicts.get(..expected.len()), Some(&*expected));
    }
}
