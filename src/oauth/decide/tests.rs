use std::sync::Arc;

use super::*;
use crate::oauth::client::{ClientId, ClientState};
use crate::oauth::token::AccessToken;

fn record(scopes: &str) -> (Arc<ClientState>, Record) {
    record_for(scopes, None, None)
}

fn record_for(
    scopes: &str,
    audience: Option<&str>,
    confirmation: Option<Confirmation>,
) -> (Arc<ClientState>, Record) {
    let client = ClientState::new(ClientId::new("server").unwrap());
    let terms = Terms {
        scopes: Scopes::parse(scopes).unwrap(),
        lifetime: Duration::from_secs(299),
        audience: audience.map(Into::into),
        confirmation,
    };
    let grant = Arc::new(Grant::new(Arc::clone(&client), client.epoch(), terms));
    (client, Record::new(grant, Millis::new(1_000)))
}

/// A demand on a route that only tokens for `https://own.example` open besides those for no resource.
fn demand<'a>(requirement: &'a Requirement, audience: Option<&'a str>) -> RouteDemand<'a> {
    RouteDemand { requirement, audience, opens_unnamed: &|resource| resource == "https://own.example" }
}

fn verdict(record: Option<Record>, needed: Requirement, now: u64) -> Result<Permit, Denial> {
    let digest = AccessToken::from_random(&[0; 32]).digest();
    decide(record, digest, demand(&needed, None), Possession::default(), Millis::new(now))
}

#[test]
fn a_token_lives_from_issue_to_the_millisecond_of_expiry() {
    let (_, record) = record("read");
    let any = || Requirement::AnyToken;
    assert!(verdict(Some(record.clone()), any(), 1_000).is_ok());
    assert!(verdict(Some(record.clone()), any(), 299_999 + 1_000 - 1_000).is_ok());
    assert!(verdict(Some(record.clone()), any(), 299_999).is_ok());
    assert_eq!(verdict(Some(record), any(), 300_000).err(), Some(Denial::InvalidToken));
    assert_eq!(verdict(None, any(), 0).err(), Some(Denial::InvalidToken));
}

#[test]
fn an_epoch_ends_all_tokens_before_it() {
    let (client, record) = record("read");
    client.revoke_all();
    assert_eq!(verdict(Some(record), Requirement::AnyToken, 1_000).err(), Some(Denial::InvalidToken));
}

#[test]
fn scopes_decide_and_the_permit_names_the_client() {
    let needed = |text| Requirement::All(Scopes::parse(text).unwrap());
    let (_, record) = record("read write");
    let permit = verdict(Some(record.clone()), needed("write"), 2_000).unwrap();
    assert_eq!(permit.client_id(), Some("server"));
    assert_eq!(permit.client_header().unwrap(), "server");
    assert_eq!(permit.scope_header().unwrap(), "read write");
    assert_eq!(permit.time_left(Millis::new(2_000)), Some(Duration::from_secs(298)));
    assert_eq!(
        verdict(Some(record), needed("read admin"), 2_000).err(),
        Some(Denial::InsufficientScope(Scopes::parse("read admin").unwrap()))
    );
    #[cfg(feature = "pingora")]
    assert_eq!(public().client_id(), None);
}

#[test]
fn a_bound_token_needs_a_sender_that_holds_what_it_is_bound_to() {
    let (a, b) = ([1; 32], [2; 32]);
    let held = |certificate, key| Possession { certificate, key };
    let both = Some(Confirmation::Both { certificate: a, key: b });
    let table = [
        (None, held(None, None), None),
        (None, held(Some(&a), None), None),
        (None, held(None, Some(&a)), Some(Mismatch::BearerAsKey)),
        (Some(Confirmation::Certificate(a)), held(Some(&a), None), None),
        (Some(Confirmation::Certificate(a)), held(Some(&b), None), Some(Mismatch::Certificate)),
        (Some(Confirmation::Certificate(a)), held(None, None), Some(Mismatch::Certificate)),
        (Some(Confirmation::Certificate(a)), held(Some(&a), Some(&a)), Some(Mismatch::BearerAsKey)),
        (Some(Confirmation::Key(a)), held(None, Some(&a)), None),
        (Some(Confirmation::Key(a)), held(Some(&b), Some(&a)), None),
        (Some(Confirmation::Key(a)), held(None, Some(&b)), Some(Mismatch::Key)),
        (Some(Confirmation::Key(a)), held(None, None), Some(Mismatch::KeyAsBearer)),
        (Some(Confirmation::Key(a)), held(Some(&a), None), Some(Mismatch::KeyAsBearer)),
        (both, held(Some(&a), Some(&b)), None),
        (both, held(Some(&b), Some(&b)), Some(Mismatch::Certificate)),
        (both, held(Some(&a), Some(&a)), Some(Mismatch::Key)),
        (both, held(Some(&a), None), Some(Mismatch::KeyAsBearer)),
        (both, held(None, Some(&b)), Some(Mismatch::Certificate)),
    ];
    for (row, (bound_to, held, mismatch)) in table.into_iter().enumerate() {
        let (_, record) = record_for("read", None, bound_to);
        let digest = AccessToken::from_random(&[0; 32]).digest();
        let any = demand(&Requirement::AnyToken, None);
        let verdict = decide(Some(record), digest, any, held, Millis::new(1_000));
        assert_eq!(verdict.err(), mismatch.map(Denial::NotHeld), "row {row}");
    }
}

#[test]
fn an_audience_is_compared_exactly() {
    let table = [
        (None, None, true),
        (Some("https://a.example"), None, false),
        (Some("https://own.example"), None, true),
        (Some("https://own.example"), Some("https://a.example"), false),
        (Some("https://a.example"), Some("https://a.example"), true),
        (Some("https://a.example/"), Some("https://a.example"), false),
        (Some("https://b.example"), Some("https://a.example"), false),
        (None, Some("https://a.example"), false),
    ];
    for (of_token, needed, good) in table {
        let (_, record) = record_for("read", of_token, None);
        let digest = AccessToken::from_random(&[0; 32]).digest();
        let any = Requirement::AnyToken;
        let verdict =
            decide(Some(record), digest, demand(&any, needed), Possession::default(), Millis::new(1_000));
        let expected = (!good).then_some(Denial::WrongAudience);
        assert_eq!(verdict.err(), expected, "{of_token:?} where {needed:?} is needed");
    }
}
