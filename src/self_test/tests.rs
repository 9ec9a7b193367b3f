//! Answers, and what they mean.

use super::answer::Answer;
use super::attack::Expected;
use super::http1;
use super::judge::{Finding, judge};

const OURS: &str = "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
                    x-content-type-options: nosniff\r\nwww-authenticate: Bearer\r\ncontent-length: 2\r\n\r\n{}";
const API: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
/// What an API may say to a request that must not reach it.
const OTHERS: &str =
    "HTTP/1.1 401 Unauthorized\r\ncontent-type: application/problem+json\r\ncontent-length: 2\r\n\r\n{}";

fn answer(text: &str) -> Answer {
    http1::answer(text.as_bytes(), true)
}

fn passed(finding: &Finding) -> bool {
    matches!(finding, Finding::Passed(_))
}

#[test]
fn only_the_gateway_s_own_refusal_is_a_refusal() {
    let table = [
        (OURS, false, false),
        (API, true, true),
        (OTHERS, true, false),
        ("HTTP/1.1 404 Not Found\r\n\r\n", true, false),
        ("HTTP/1.1 302 Found\r\nlocation: /login\r\n\r\n", true, true),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", true, true),
        // Closed without a word.
        ("", false, false),
        ("SSH-2.0-x\r\n", true, true),
    ];
    for (text, passes, passes_with_foreign) in table {
        for (foreign, wanted) in [(false, passes), (true, passes_with_foreign)] {
            let finding = judge(&Expected::Refused, &answer(text), foreign);
            assert_eq!(passed(&finding), wanted, "{text:?} {foreign}: {finding:?}");
        }
    }
    let silent = http1::answer(b"", false);
    assert!(passed(&judge(&Expected::Refused, &silent, true)), "the API may be working on it");
    assert!(passed(&judge(
        &Expected::Refused,
        &answer(&format!("HTTP/1.1 103 Early Hints\r\n\r\n{API}")),
        true
    )));
}

#[test]
fn two_responses_are_two_requests() {
    for second in [OURS, API] {
        for expected in [Expected::Refused, Expected::OneAtMost] {
            let finding = judge(&expected, &answer(&[OURS, second].concat()), false);
            assert_eq!(finding, Finding::Passed("2 responses to one request".to_owned()));
        }
    }
    let interim = ["HTTP/1.1 100 Continue\r\n\r\n", OURS].concat();
    assert_eq!(judge(&Expected::Refused, &answer(&interim), false), Finding::Held);
    assert_eq!(judge(&Expected::OneAtMost, &answer(API), false), Finding::Held);
}

#[test]
fn a_good_token_must_pass() {
    assert_eq!(judge(&Expected::Passes, &answer(API), false), Finding::Held);
    assert_eq!(judge(&Expected::Passes, &answer(OTHERS), false), Finding::Held, "the API's own answer");
    assert!(matches!(judge(&Expected::Passes, &answer(OURS), false), Finding::Differs(_)));
}

#[test]
fn forged_headers_are_found_where_the_api_shows_headers() {
    let expected = Expected::Hides {
        control: "control-1".to_owned(),
        values: vec![("X-Client-Id".to_owned(), "forged-1".to_owned())],
    };
    let shows = |text: &str| judge(&expected, &answer(&format!("{API} {text}")), false);
    assert_eq!(shows("control-1"), Finding::Held);
    assert_eq!(
        shows("control-1 forged-1"),
        Finding::Passed("the API got the client's X-Client-Id".to_owned())
    );
    assert!(matches!(shows(""), Finding::Unseen(_)));
}
