//! JWTs of gateways that share a store and their key files.

use std::os::unix::fs::PermissionsExt as _;

use super::engine::Engine;
use super::gateways::{Gateways, revoke_at};
use crate::support::{get, jwks, raw, run};

const ROUTE: &str =
    "[[routes]]\npath = \"/jwt\"\nscopes = [\"read\"]\nupstream = \"api\"\nforward_token = \"jwt\"\n";

#[test]
fn a_jwt_of_one_gateway_is_verified_with_the_key_set_of_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    let [first, second] = ["first.pem", "second.pem"].map(|name| folder.path().join(name));
    for file in [&first, &second] {
        let key = rcgen::KeyPair::generate().expect("a P-256 key");
        std::fs::write(file, key.serialize_pem()).expect("a file");
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).expect("its mode");
    }
    let engine = Engine::start(&[]);
    let url = format!("url = \"redis://127.0.0.1:{}\"\n", engine.port());
    // One of them is a step further in the rotation of the keys.
    let stores = [[&first, &second], [&second, &first]]
        .map(|keys| format!("{url}[token_service.jwt]\nkeys = {keys:?}\n{ROUTE}"));
    let gateways = Gateways::start(&[&stores[0], &stores[1]]);
    let token = gateways.token(0);
    let bearer = format!("Authorization: Bearer {token}");
    let received = |at: usize, mark: &str| {
        raw(gateways.all[at].plain(), get(&format!("/jwt?{mark}"), &[&bearer])).status(200);
        let seen = gateways.upstream.only(mark);
        seen.all("authorization")[0].strip_prefix("Bearer ").expect("a bearer").to_owned()
    };
    let jwts = [received(0, "m=first."), received(1, "m=second.")];
    let keys = [0, 1].map(|at| jwks::fetch(gateways.all[at].plain()));
    let [one, other] = [0, 1].map(|at| jwks::verify(&jwts[at], &keys[1 - at]).expect("the key is published"));
    assert_ne!(one.header["kid"], other.header["kid"]);
    for member in ["iss", "sub", "aud", "scope", "client_id"] {
        assert_eq!(one.claims[member], other.claims[member], "{member}");
    }
    revoke_at(gateways.all[1].plain(), &token).status(200);
    raw(gateways.all[0].plain(), get("/jwt?m=revoked.", &[&bearer])).status(401);
    assert!(gateways.upstream.requests("m=revoked.").is_empty());

    let warns = |at: usize| run(gateways.all[at].dir(), &["check"]).all().contains("unshared-keys");
    assert!(!warns(0) && !warns(1));
    gateways.all[0].rewrite(|text| text.replace(&format!("keys = {:?}\n", [&first, &second]), ""));
    assert!(warns(0), "each gateway would make its own keys");
}
