//! An answer's head of any bytes: framed as RFC 9112 §6.3 says and free of what is for the gateway alone, however
//! it is cut.

use http::header::{CONTENT_LENGTH, VIA};
use tollgate::fuzzing::{AnswerHead, Framed, answer_head};

/// The lines of a head: name in lower case, and value.
fn fields(head: &[u8]) -> Vec<(String, Vec<u8>)> {
    let lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let fields = lines.skip_while(|line| line.is_empty()).skip(1).take_while(|line| !line.is_empty());
    fields
        .map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').expect("a colon in each line");
            let name = String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase();
            (name, line[colon + 1..].trim_ascii().to_vec())
        })
        .collect()
}

fn check(wire: &[u8], answer: &AnswerHead, head: bool, upgrade: bool) {
    let fields = fields(&wire[..answer.size]);
    let all = |wanted: &str| -> Vec<&[u8]> {
        fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| &**value).collect()
    };
    let (lengths, codings) = (all("content-length"), all("transfer-encoding"));
    assert!(lengths.len() + codings.len() <= 1, "framed twice");
    let length = lengths.first().map(|value| {
        assert!(!value.is_empty() && value.iter().all(u8::is_ascii_digit));
        std::str::from_utf8(value).unwrap().parse::<u64>().unwrap()
    });
    assert!(codings.iter().all(|coding| coding.eq_ignore_ascii_case(b"chunked")));
    assert!((200..1000).contains(&answer.status) || (100..200).contains(&answer.status));
    assert!(answer.status != 101 || upgrade);
    let expected = match (length, codings.is_empty()) {
        _ if head || matches!(answer.status, 101 | 204 | 304) => Framed::Length(0),
        (_, false) => Framed::Chunked,
        (Some(length), _) => Framed::Length(length),
        (None, true) => Framed::ToTheEnd,
    };
    assert_eq!(answer.body, expected);

    let options: Vec<String> = all("connection")
        .iter()
        .flat_map(|value| value.split(|byte| *byte == b','))
        .map(|option| String::from_utf8_lossy(option.trim_ascii()).to_ascii_lowercase())
        .collect();
    if options.iter().any(|option| option == "close") {
        assert!(!answer.persists);
    }
    assert!(!(answer.persists && answer.body == Framed::ToTheEnd));
    let end_to_end = ["content-length", "via", "date", "set-cookie", "content-type"];
    for name in answer.headers.keys() {
        let name = name.as_str();
        let hop = ["transfer-encoding", "keep-alive", "te", "proxy-connection", "trailer"];
        let hop = hop.contains(&name) && name != "trailer"
            || answer.status != 101 && matches!(name, "connection" | "upgrade");
        assert!(!hop, "{name} goes on");
        let nominated = options.iter().any(|option| option == name);
        assert!(!nominated || answer.status == 101 || end_to_end.contains(&name), "{name} was nominated");
    }
    assert_eq!(answer.headers.get_all(CONTENT_LENGTH).iter().count(), lengths.len());
    let ours = answer.headers.get_all(VIA).iter().next_back().expect("a Via");
    assert!(ours.to_str().unwrap().ends_with(" tollgate"));
    // Each value that goes on is one that came.
    for (name, value) in &answer.headers {
        let came = fields.iter().any(|(n, v)| n == name.as_str() && v == value.as_bytes());
        assert!(came || std::ptr::eq(value, ours) || answer.status == 101 && name == "connection", "{name}");
    }
}

/// Tries one input.
pub fn run(input: (bool, bool, Vec<u16>, &[u8])) {
    let (head, upgrade, cuts, bytes) = input;
    for wire in [bytes.to_vec(), [b"HTTP/1.1 200 OK\r\n", bytes].concat()] {
        let whole = answer_head(&wire, head, upgrade);
        if let Ok(Some(answer)) = &whole {
            check(&wire, answer, head, upgrade);
        }
        for cut in
            cuts.iter().map(|cut| usize::from(*cut) % (wire.len() + 1)).chain([wire.len().saturating_sub(1)])
        {
            let part = answer_head(&wire[..cut], head, upgrade);
            match (&part, &whole) {
                // Not whole yet.
                (Ok(None), Ok(Some(answer))) => assert!(cut < answer.size),
                (Ok(None), _) => {}
                _ => assert_eq!(part, whole),
            }
        }
    }
}
