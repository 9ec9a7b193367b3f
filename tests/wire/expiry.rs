//! A token expires at the end of its lifetime, also on a connection that was used before.

use crate::support::{get, shared};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn an_expired_token_is_401_with_a_hint_on_the_same_connection() {
    let gateway = shared();
    let mut conn = gateway.connect();
    let sent_at = Instant::now();
    let answer = gateway.ask_token("brief", "&scope=read");
    let issued = Instant::now();
    assert_eq!(answer.json()["expires_in"], 1, "{answer}");
    let bearer = format!("Authorization: Bearer {}", crate::support::token_of(&answer));
    // Valid until shortly before its expiry, unless this machine is too slow to send the request in time.
    let live = conn.request(get("/hello?m=live", &[&bearer]));
    if sent_at.elapsed() < Duration::from_millis(900) {
        live.status(200);
    }
    thread::sleep(Duration::from_millis(750).saturating_sub(sent_at.elapsed()));
    let late = conn.request(get("/hello?m=late", &[&bearer]));
    if sent_at.elapsed() < Duration::from_millis(900) {
        late.status(200);
    }

    thread::sleep(Duration::from_millis(1100).saturating_sub(issued.elapsed()));
    for _ in 0..2 {
        let expired = conn.request(get("/hello?m=expired", &[&bearer]));
        let parameters = expired.bearer_error(401, Some("invalid_token"));
        let description =
            parameters.iter().find(|(name, _)| name == "error_description").map(|(_, text)| text);
        let text = description.unwrap_or_else(|| panic!("no error_description\n{expired}")).to_lowercase();
        assert!(
            text.contains("new") && text.contains("token"),
            "it does not say to get a new token\n{expired}"
        );
    }
    assert!(!gateway.upstream.saw("m=expired"));

    let asked = Instant::now();
    let fresh = gateway.bearer("brief", "read");
    let answer = conn.request(get("/hello?m=fresh", &[&fresh]));
    if asked.elapsed() < Duration::from_millis(900) {
        answer.status(200);
    }
}
