//! Request heads of any bytes. Whatever is accepted, httparse reads alike, and hyper's server reads the whole
//! message alike. What httparse accepts and we refuse is in the list below, and nowhere else.

use crate::hyper_server::{Served, served};
use tollgate::fuzzing::{ChunkedEnd, Framed, RequestRead, chunked_body, request_head};

/// What httparse accepts and we refuse, each with what must be in the head.
fn is_deliberate(fault: &str, head: &[u8], target: &str) -> bool {
    let path = target.split('?').next().unwrap_or_default();
    match fault {
        // RFC 9112 §2.2 lets a server take a line feed for a line end; servers do not agree on it.
        "BareLineFeed" => {
            head.first() == Some(&b'\n') || head.windows(2).any(|two| two[1] == b'\n' && two[0] != b'\r')
        }
        // A target has no fragment (RFC 9112 §3.2), and servers do not agree on where the path ends.
        "Fragment" => target.contains('#'),
        "Target" => !target.starts_with('/'),
        "PathByte" => !path.is_ascii(),
        "TooManyFields" | "HeadTooLarge" | "TargetTooLong" => true,
        _ => false,
    }
}

/// Whether httparse refuses bytes that we pass on: any byte but controls and spaces may be in a query.
fn is_raw_query(read: &RequestRead) -> bool {
    read.query
        .as_ref()
        .is_some_and(|query| query.iter().any(|byte| !byte.is_ascii() || matches!(byte, b'"' | b'<' | b'>')))
        || read.path.bytes().any(|byte| matches!(byte, b'"' | b'<' | b'>')) // the pipeline refuses these
}

fn check(wire: &[u8]) {
    let ours = request_head(wire);
    let mut fields = [httparse::EMPTY_HEADER; 100];
    let mut theirs = httparse::Request::new(&mut fields);
    match (&ours, theirs.parse(wire)) {
        (Ok(Some(read)), Ok(httparse::Status::Complete(size))) => {
            assert_eq!(read.size, size);
            assert_eq!(Some(&*read.method), theirs.method);
            assert_eq!(Some(read.minor), theirs.version);
            let target = theirs.path.expect("a target");
            let query = target.split_once('?').map(|(_, query)| query.as_bytes());
            assert_eq!(read.query.as_deref(), query);
            assert!(read.path == "/" || target.contains(&*read.path));
            let lines: Vec<_> =
                theirs.headers.iter().map(|line| (line.name.into(), line.value.to_vec())).collect();
            assert_eq!(read.lines, lines);
            whole(wire, read);
        }
        (Ok(Some(read)), other) => assert!(is_raw_query(read), "httparse says {other:?}"),
        (Ok(None), Ok(httparse::Status::Complete(_))) => panic!("a whole head is not taken for one"),
        (Ok(None), _) => {}
        (Err(fault), Ok(httparse::Status::Complete(size))) => {
            assert!(is_deliberate(fault, &wire[..size], theirs.path.unwrap_or_default()), "{fault}");
        }
        (Err(_), _) => {}
    }
}

/// The message with its body, as hyper's server reads it.
fn whole(wire: &[u8], read: &RequestRead) {
    let Ok((framed, persistent)) = read.facts else { return };
    let rest = &wire[read.size..];
    let (data, trailers, left) = match framed {
        Framed::None => (Vec::new(), Vec::new(), rest.len()),
        Framed::Length(length) => match usize::try_from(length).ok().and_then(|length| rest.get(..length)) {
            Some(data) => (data.to_vec(), Vec::new(), rest.len() - data.len()),
            None => return,
        },
        Framed::Chunked => {
            let body = chunked_body([rest], true);
            let ChunkedEnd::Whole(left) = body.end else { return };
            (body.data, body.trailers, left)
        }
        Framed::ToTheEnd => panic!("a request does not end with its connection"),
    };
    // hyper's `http` types refuse some targets and methods that httparse takes, and it never shows an
    // upgrade's body.
    let upgrade = read.lines.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"upgrade"));
    if upgrade || read.method == "CONNECT" {
        return;
    }
    let Some(theirs) = served(wire).into_iter().next() else { return };
    let Served { method, body, trailers: their_trailers, .. } = &theirs;
    assert_eq!((method, body), (&read.method, &data));
    assert_eq!(their_trailers.len(), trailers.len());
    // The next request is where we say that it is.
    if persistent && left > 0 {
        let next = &wire[wire.len() - left..];
        let Ok(Some(next)) = request_head(next) else { return };
        if let Some(second) = served(wire).get(1) {
            assert_eq!(second.method, next.method);
        }
    }
}

/// Tries one input.
pub fn run(input: (Vec<u16>, &[u8])) {
    let (cuts, bytes) = input;
    for wire in [bytes.to_vec(), [b"POST / HTTP/1.1\r\nHost: a\r\n", bytes].concat()] {
        check(&wire);
        let whole = request_head(&wire);
        for cut in cuts.iter().map(|cut| usize::from(*cut) % (wire.len() + 1)) {
            match (request_head(&wire[..cut]), &whole) {
                (Ok(None), Ok(Some(read))) => assert!(cut < read.size),
                (Ok(None), _) => {}
                // Of several faults in a head, the one that is seen first depends on the cut.
                (Err(_), Err(_)) => {}
                (part, whole) => assert_eq!(&part, whole),
            }
        }
    }
}
