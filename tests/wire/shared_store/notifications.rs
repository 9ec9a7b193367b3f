//! The notifications of the engine, which make a revocation faster and are needed for nothing else.

use super::engine::Engine;
use super::gateways::Gateways;
use super::link::Link;
use super::requests::wait_until;

/// Two gateways: the first one comes through `link`.
fn gateways(engine: &Engine, link: &Link) -> Gateways {
    Gateways::start(&[&link.store(), &format!("url = \"redis://127.0.0.1:{}\"", engine.port())])
}

#[test]
fn a_revocation_is_noticed_without_its_notification() {
    let engine = Engine::start(&[]);
    let link = Link::to(engine.port());
    let gateways = gateways(&engine, &link);
    link.lose_notifications(true);
    for round in 1..=5 {
        let token = gateways.token(1);
        gateways.all_answer(&token, 200);
        let before = link.lost_notifications();
        gateways.revoke(1, &token).status(200);
        let code = gateways.uses(0, &token).code();
        assert!([401, 503].contains(&code), "round {round}: {code} after the 200 of its revocation");
        wait_until(|| gateways.uses(0, &token).code() == 401);
        assert!(link.lost_notifications() > before, "round {round}: no notification was lost");
    }
}

#[test]
fn a_gateway_whose_connection_for_notifications_is_reset_accepts_no_revoked_token() {
    let engine = Engine::start(&[]);
    let link = Link::to(engine.port());
    let gateways = gateways(&engine, &link);
    for round in 0..10 {
        let (revoked, kept) = (gateways.token(1), gateways.token(1));
        wait_until(|| gateways.uses(0, &revoked).code() == 200);
        wait_until(|| link.reset_log() > 0);
        gateways.revoke(1, &revoked).status(200);
        let code = gateways.uses(0, &revoked).code();
        assert!([401, 503].contains(&code), "round {round}: {code} after the 200 of its revocation");
        // It asks the engine until it reads the log again. Until then, it calls no token unknown.
        let code = gateways.uses(0, &kept).code();
        assert!([200, 503].contains(&code), "round {round}: {code} for a valid token");
        wait_until(|| gateways.uses(0, &kept).code() == 200);
    }
}
