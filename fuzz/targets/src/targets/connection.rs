//! A whole connection: several requests with their bodies, however they are cut. What goes upstream is what
//! hyper, as the model, reads from the same bytes.

use crate::hyper_server::served;
use crate::readers::pieces;
use tollgate::fuzzing::{ChunkedEnd, Line, RequestOnConnection, chunked_body, connection};

/// A request as its server reads it: the method, the body and the trailers.
type Received = (String, Vec<u8>, Vec<Line>);

/// Reads what goes upstream. Where a body is cut into chunks depends on how it came; what is in them does
/// not.
fn received(requests: Vec<RequestOnConnection>) -> Vec<Received> {
    let each = requests.into_iter().map(|request| {
        if !request.chunked {
            return (request.method, request.body, Vec::new());
        }
        // One whole chunked body, and nothing behind it.
        let read = chunked_body([&*request.body], true);
        assert_eq!(read.end, ChunkedEnd::Whole(0), "{}", request.body.escape_ascii());
        (request.method, read.data, read.trailers)
    });
    each.collect()
}

/// Tries one input.
pub fn run(input: (Vec<u8>, &[u8])) {
    let (sizes, wire) = input;
    let ours = received(connection([wire]));
    assert_eq!(received(connection(pieces(wire, &sizes))), ours, "the cuts decide");
    // hyper may stop before us: its bounds on heads and trailers are lower.
    for ((method, body, _), their) in ours.iter().zip(served(wire)) {
        if method == "CONNECT" {
            // The gateway refuses it, and hyper gives it no body.
            break;
        }
        assert_eq!((method, body), (&their.method, &their.body));
    }
}
