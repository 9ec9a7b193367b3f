use http::request::Parts;
use http::{Method, Request, StatusCode, Version};

use super::headers;
use crate::headers::framing::FramingError;
use crate::headers::{MapHead, check_request};

fn request(method: Method, version: Version, target: &str, lines: &[&str]) -> Parts {
    let mut request =
        Request::builder().method(method).version(version).uri(target).body(()).expect("a request");
    *request.headers_mut() = headers(lines);
    request.into_parts().0
}

#[test]
fn framing_that_two_servers_may_read_differently_is_refused() {
    use FramingError::*;
    let check =
        |version, lines: &[&str]| check_request(&MapHead::new(&request(Method::POST, version, "/a", lines)));
    for (sent, want) in [
        (&[][..], Ok(())),
        (&["content-length: 0"], Ok(())),
        (&["content-length: 18446744073709551615"], Ok(())),
        (&["transfer-encoding: chunked"], Ok(())),
        (&["Transfer-Encoding: Chunked"], Ok(())),
        (&["expect: 100-Continue"], Ok(())),
        (&["x_custom: 1", "content-length-x: 5"], Ok(())),
        (&["transfer-encoding: gzip, chunked"], Err(TransferEncoding)),
        (&["transfer-encoding: chunked, chunked"], Err(TransferEncoding)),
        (&["transfer-encoding: chunked", "transfer-encoding: chunked"], Err(TransferEncoding)),
        (&["transfer-encoding: identity", "transfer-encoding: chunked"], Err(TransferEncoding)),
        (&["transfer-encoding: chunked, identity"], Err(TransferEncoding)),
        (&["transfer-encoding: xchunked"], Err(TransferEncoding)),
        (&["transfer-encoding: chunked;q=1"], Err(TransferEncoding)),
        (&["transfer-encoding: \"chunked\""], Err(TransferEncoding)),
        (&["transfer-encoding:"], Err(TransferEncoding)),
        (&["content-length: 5", "transfer-encoding: chunked"], Err(TwoLengths)),
        (&["transfer-encoding: chunked", "content-length: 5"], Err(TwoLengths)),
        (&["content-length: 5", "content-length: 5"], Err(ContentLength)),
        (&["content-length: 5", "content-length: 6"], Err(ContentLength)),
        (&["content-length: 5, 5"], Err(ContentLength)),
        (&["content-length: +5"], Err(ContentLength)),
        (&["content-length: -5"], Err(ContentLength)),
        (&["content-length: 0x5"], Err(ContentLength)),
        (&["content-length:"], Err(ContentLength)),
        (&["content-length: 18446744073709551616"], Err(ContentLength)),
        (&["transfer_encoding: chunked"], Err(DisguisedLength)),
        (&["Transfer_Encoding: x", "content-length: 5"], Err(DisguisedLength)),
        (&["content_length: 5"], Err(DisguisedLength)),
        (&["content.length: 5"], Err(DisguisedLength)),
        (&["expect: 200-maybe"], Err(Expectation)),
        (&["expect: 100-continue, x"], Err(Expectation)),
        (&["expect: 100-continue", "expect: x"], Err(Expectation)),
        (&["expect:"], Err(Expectation)),
    ] {
        assert_eq!(check(Version::HTTP_11, sent), want, "{sent:?}");
    }
    for version in [Version::HTTP_10, Version::HTTP_2] {
        assert_eq!(check(version, &["transfer-encoding: chunked"]), Err(TransferEncoding));
        assert_eq!(check(version, &["content-length: 5", "connection: keep-alive"]), Ok(()));
    }
    assert_eq!(Expectation.status(), StatusCode::EXPECTATION_FAILED);
    assert_eq!(TwoLengths.status(), StatusCode::BAD_REQUEST);
}

#[test]
fn targets_have_the_form_of_their_method() {
    for (method, target, fits) in [
        (Method::GET, "/a", true),
        (Method::GET, "http://h/a", true),
        (Method::GET, "http://h", true),
        (Method::GET, "*", false),
        (Method::GET, "h:80", false),
        (Method::OPTIONS, "*", true),
        (Method::OPTIONS, "/a", true),
        (Method::OPTIONS, "h:80", false),
        (Method::CONNECT, "h:80", true),
    ] {
        let got = check_request(&MapHead::new(&request(method.clone(), Version::HTTP_11, target, &[])));
        assert_eq!(got, if fits { Ok(()) } else { Err(FramingError::Target) }, "{method} {target}");
    }
}
